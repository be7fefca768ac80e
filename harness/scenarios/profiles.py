"""Profiles: what kind of host the figures come from, and what is fitting there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of host.

    Attributes:
        name: Column of the thresholds' table.
        title: What it means, in words.
        num_predict: Tokens that each request generates, unless the user says otherwise.
    """

    name: str
    title: str
    num_predict: int


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("gpu", "real Ollama, the model in GPU memory", 128),
        Profile("cpu", "real Ollama on CPUs", 64),
        Profile("embedded", "the embedded model on CPUs", 24),
    )
}
