"""A stored baseline: the ratios of whole sessions, and the environment in which all of them were measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BaselineRatio:
    """One metric of one scenario in one stored session.

    Attributes:
        ratio: Geometric mean over the valid blocks, in the metric's unit.
        blocks: Valid blocks, 2 or more.
        sd_log: Sample SD of their natural logarithms.
    """

    ratio: float
    blocks: int
    sd_log: float


@dataclass(frozen=True, slots=True)
class BaselineSession:
    """One stored session: the unit of every comparison with a baseline.

    Attributes:
        saved_unix_ns: The session's instant on the wall clock (its anchor), Unix ns.
        journal: File name of its journal, without the folder.
        harness: Version of this package that measured it.
        ratios: By scenario and metric, self-normalised ratios only.
    """

    saved_unix_ns: int
    journal: str
    harness: str
    ratios: dict[str, dict[str, BaselineRatio]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Sessions of one environment.

    Attributes:
        name: Its name, which is its file's.
        environment: What all its sessions were measured on: facts by name, as text.
        sessions: In the order of saving.
    """

    name: str
    environment: dict[str, str]
    sessions: tuple[BaselineSession, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that a baseline's environment and this one do not share.

    Attributes:
        name: The fact.
        stored: What the baseline says of it.
        now: What this session says of it.
    """

    name: str
    stored: str
    now: str
