"""Durations drawn from a timing: the whole sequence is settled by the timing and the seed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from harness.servers.truth.spec import NS_PER_MS, Timing


def durations(timing: Timing, seed: str) -> Iterator[float]:
    """Durations without end, ns."""
    mean = timing.ms * NS_PER_MS
    if timing.kind == "fixed":
        return itertools.repeat(mean)
    if timing.kind == "exponential":
        return _exponential(mean, seed)
    if timing.kind == "stalls":
        return _stalls(mean, mean + timing.stall_ms * NS_PER_MS, timing.every)
    return itertools.cycle([each * NS_PER_MS for each in timing.trace_ms])


def _exponential(mean: float, seed: str) -> Iterator[float]:
    draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
    while True:
        yield draw.expovariate(1.0) * mean


def _stalls(usual: float, stalled: float, every: int) -> Iterator[float]:
    while True:
        yield from itertools.repeat(usual, every - 1)
        yield stalled
