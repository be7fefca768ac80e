"""Figures that the guide and its reports print, as data, and how one is held against the raw runs.

Only aggregate figures stand here, each with the report that prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.judge.published.figures import DatasetFigures, efficiency_over_configurations, efficiency_over_runs
from harness.judge.published.printed import is_as_printed

Statistic = Literal["peak efficiency", "mean efficiency", "consistency", "contention"]
PEAK: Statistic = "peak efficiency"
MEAN: Statistic = "mean efficiency"
SPREAD: Statistic = "consistency"
"""The sample SD of the efficiency, percentage points."""
CONTENTION: Statistic = "contention"
_SAME = 1e-9
HIGHER_IS_BETTER: tuple[Statistic, ...] = (PEAK, MEAN)


@dataclass(frozen=True, slots=True)
class Claim:
    """A printed figure.

    Attributes:
        statistic: What it is.
        printed: As it is printed.
        source: Where it stands first.
    """

    statistic: Statistic
    printed: str
    source: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the raw runs say of a statistic, over one kind of unit.

    Attributes:
        value: In % or percentage points.
        over: What it is over, in words.
    """

    value: float
    over: str


@dataclass(frozen=True, slots=True)
class Check:
    """A printed figure held against the raw runs.

    Attributes:
        claim: The figure.
        column: The guide's column that it stands in; empty if it is not the guide's.
        dataset: The data set whose runs were asked.
        candidates: What they say, over each kind of unit that the figure may be meant over; the first is over runs.
        reproduced: The one that rounds to what is printed, or None.
    """

    claim: Claim
    column: str
    dataset: str
    candidates: tuple[Candidate, ...]
    reproduced: Candidate | None


GUIDE = "docs/archive/multi_agent.md, Comparison"
"""Where the guide prints its table: in the public repository Sahil170595/Chimeraforge."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the guide's table.

    Attributes:
        title: Its heading.
        language: What wins if it does.
        datasets: Reports whose runs may stand behind it; the figures are those of the first.
        claims: Its figures.
    """

    title: str
    language: str
    datasets: tuple[str, ...]
    claims: tuple[Claim, ...]

    def claim(self, statistic: Statistic) -> Claim:
        """Its figure for a statistic."""
        return next(claim for claim in self.claims if claim.statistic == statistic)


GUIDE_COLUMNS = (
    Column(
        "Python (TR110)",
        "Python",
        ("TR110",),
        (
            Claim(PEAK, "99.25%", "TR110, key finding 1 (test 108)"),
            Claim(MEAN, "~92.7%", "TR113, 4.2; TR114 v1, 5.1 calls it an estimate"),
            Claim(SPREAD, "7.4pp", "TR113, 4.2"),
            Claim(CONTENTION, "33%", "TR113, 4.3 (10 of 30 configurations)"),
        ),
    ),
    Column(
        "Rust (TR115)",
        "Rust",
        ("TR115v1", "TR115v2"),
        (
            Claim(PEAK, "96.3%", "TR115 v1, 3.1 (one run of smol-1kb)"),
            Claim(MEAN, "~90%", "TR115 v1, 3.1 (runtimes that work)"),
            Claim(SPREAD, "5.5pp", "the guide alone; TR114 v1 has the same figure"),
            Claim(CONTENTION, "6%", "the guide alone; TR114 v1 has the same figure"),
        ),
    ),
    Column(
        "Rust (TR114)",
        "Rust",
        ("TR114",),
        (
            Claim(PEAK, "95.7%", "TR114 v1, 5.1"),
            Claim(MEAN, "89.3%", "TR114 v1, 5.1"),
            Claim(SPREAD, "5.5pp", "TR114 v1, 5.1"),
            Claim(CONTENTION, "6%", "TR114 v1, 5.1 (9 of 150 runs)"),
        ),
    ),
)
GUIDE_WINNERS: dict[Statistic, str] = {PEAK: "Python", MEAN: "Python", SPREAD: "Rust", CONTENTION: "Rust"}

REPORT_CLAIMS: dict[str, tuple[Claim, ...]] = {
    "TR113": (
        Claim(PEAK, "82.2%", "TR113, 4.2"),
        Claim(MEAN, "72.4%", "TR113, 4.2"),
        Claim(SPREAD, "5.5pp", "TR113, 4.2"),
        Claim(CONTENTION, "74%", "TR113, 4.3 (14 of 19)"),
    ),
}
"""Figures of the reports beside the guide's table."""


def check_claim(claim: Claim, dataset: DatasetFigures, column: str = "") -> Check:
    """A claim held against a data set, over each kind of unit that it may be meant over."""
    candidates = candidates_for(claim.statistic, dataset)
    found = next((each for each in candidates if is_as_printed(claim.printed, each.value)), None)
    return Check(claim, column, dataset.name, candidates, found)


def candidates_for(statistic: Statistic, dataset: DatasetFigures) -> tuple[Candidate, ...]:
    """What a data set says of a statistic; of runtimes that never ran in parallel nothing is counted.

    Source: the guide counts TR115's "successful runtimes" only.
    """
    runs = [run for configuration in dataset.in_parallel for run in configuration.runs]
    over = (efficiency_over_runs(runs), efficiency_over_configurations(dataset.in_parallel))
    if statistic == PEAK:
        found = [Candidate(each.peak, f"best of {each.n} {each.over}") for each in over]
    elif statistic == MEAN:
        found = [Candidate(each.mean, f"over {each.n} {each.over}") for each in over]
    elif statistic == SPREAD:
        found = [Candidate(each.sd, f"over {each.n} {each.over}") for each in over if each.sd is not None]
    else:
        flagged = [
            (sum(run.flagged for run in runs), len(runs), "runs"),
            (sum(c.flagged > 0 for c in dataset.in_parallel), len(dataset.in_parallel), "configurations"),
        ]
        found = [Candidate(100.0 * hits / n, f"{hits} of {n} {what}") for hits, n, what in flagged]
    return _without_twins(found)


def _without_twins(found: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The first of those with the same value: the means over runs and over configurations of equal size are one."""
    return tuple(
        each
        for place, each in enumerate(found)
        if not any(abs(each.value - other.value) <= _SAME for other in found[:place])
    )
