"""The cells of a sweep beside each other, and which of them is best.

Cells are measured one after the other, not interleaved: what the host did meanwhile is part of their differences. So
nothing is tested here; a cell is only said to be better than another if their intervals do not overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from harness.judge.statistics import Estimate, log_estimate
from harness.judge.summary import CONTENTION_RATE, ScenarioSummary
from harness.judge.verdict import Verdict
from harness.scenarios.sweeps import Cell

TTFT = "concurrent_ttft_ms"
FIGURES = (
    "measured_efficiency_pct",
    "guide_efficiency_pct",
    "measured_speedup",
    CONTENTION_RATE,
    "aggregate_tok_s",
    TTFT,
)
"""Figures of a cell: the names of a scenario's estimates, and its agents' TTFT together."""
HIGHER_IS_BETTER: Mapping[str, bool] = {"measured_efficiency_pct": True, "aggregate_tok_s": True, TTFT: False}
"""Figures by which a best cell is named."""


@dataclass(frozen=True, slots=True)
class CellRow:
    """One cell judged.

    Attributes:
        cell: The cell.
        verdict: Its verdict; None if it was not measured.
        blocks: Valid blocks.
        invalid: Blocks that could not be judged.
        contended: Valid blocks that showed contention.
        figures: Estimates by name, all of ``FIGURES`` or none.
    """

    cell: Cell
    verdict: Verdict | None
    blocks: int = 0
    invalid: int = 0
    contended: int = 0
    figures: Mapping[str, Estimate] | None = None


@dataclass(frozen=True, slots=True)
class Best:
    """The best cell by one figure.

    Attributes:
        metric: The figure.
        row: The cell whose point is best; no winner by itself.
        ties: Cells that cannot be told from it: their intervals overlap, or one of them has none.
        others: Further cells that have the figure.
    """

    metric: str
    row: CellRow
    ties: tuple[CellRow, ...]
    others: int


def sweep_rows(cells: Sequence[Cell], summaries: Mapping[str, ScenarioSummary]) -> tuple[CellRow, ...]:
    """A row for each cell, in the cells' order; ``summaries`` by cell name, of those that were measured."""
    return tuple(_row(cell, summaries.get(cell.name)) for cell in cells)


def _row(cell: Cell, found: ScenarioSummary | None) -> CellRow:
    if found is None:
        return CellRow(cell, None)
    figures = None
    if found.estimates:
        ttft = log_estimate([log(block.concurrent_ttft_ms) for block in found.blocks])
        figures = {name: ttft if name == TTFT else found.estimates[name] for name in FIGURES}
    return CellRow(cell, found.verdict, len(found.blocks), len(found.invalid), len(found.symptoms), figures)


def best_cells(rows: Sequence[CellRow]) -> tuple[Best, ...]:
    """The best cell by each figure of ``HIGHER_IS_BETTER``, with those that cannot be told from it; () below two cells.

    INVALID cells are left out. The intervals are of 95 % each. Of 26 equal cells with 5 blocks each (normal noise, no
    drift) one given cell is left out of best and ties in 3 % of sweeps, and a single one is never named best, in 4000
    simulated ones; what drifts between cells is not in their intervals.
    """
    return tuple(found for metric in HIGHER_IS_BETTER if (found := _best(metric, rows)) is not None)


def _best(metric: str, rows: Sequence[CellRow]) -> Best | None:
    known = [(row, row.figures[metric]) for row in rows if row.figures is not None and row.verdict != Verdict.INVALID]
    if len(known) <= 1:
        return None
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    row, best = max(known, key=lambda each: sign * each[1].point)
    ties = tuple(other for other, estimate in known if other is not row and _overlap(best, estimate))
    return Best(metric, row, ties, len(known) - 1 - len(ties))


def _overlap(one: Estimate, other: Estimate) -> bool:
    """True if the intervals share a value; one that is not known may be anywhere."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return True
    return one.low <= other.high and other.low <= one.high
