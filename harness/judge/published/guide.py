"""The guide's comparison table made again from the raw runs, each figure with whether they give it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.judge.published.claims import (
    GUIDE_COLUMNS,
    GUIDE_WINNERS,
    HIGHER_IS_BETTER,
    REPORT_CLAIMS,
    Check,
    Column,
    Statistic,
    check_claim,
)
from harness.judge.published.figures import DatasetFigures


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A row of the guide's table.

    Attributes:
        statistic: What it compares.
        checks: One for each column whose runs are there.
        printed_winner: The language that wins, as the guide prints it.
        winner: The column that wins by the raw runs, over runs in every column; None if a column's are not there.
        winner_has: The winner's figure, % or percentage points; 0 if there is none.
    """

    statistic: Statistic
    checks: tuple[Check, ...]
    printed_winner: str
    winner: Column | None
    winner_has: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The guide's comparison table.

    Attributes:
        columns: Its columns, each with the data set that stands behind it, or None if that is not there.
        rows: Its rows.
    """

    columns: tuple[tuple[Column, DatasetFigures | None], ...]
    rows: tuple[ComparisonRow, ...]


def guide_comparison(datasets: Sequence[DatasetFigures]) -> Comparison:
    """The guide's table from those of its data sets that are there."""
    by_report = {dataset.report: dataset for dataset in datasets}
    columns = tuple(
        (column, next((by_report[name] for name in column.datasets if name in by_report), None))
        for column in GUIDE_COLUMNS
    )
    return Comparison(columns, tuple(_row(statistic, columns) for statistic in GUIDE_WINNERS))


def _row(statistic: Statistic, columns: Sequence[tuple[Column, DatasetFigures | None]]) -> ComparisonRow:
    checks = tuple(
        check_claim(column.claim(statistic), dataset, column.title)
        for column, dataset in columns
        if dataset is not None
    )
    entrants = [check.candidates[0].value for check in checks if check.candidates]
    printed = GUIDE_WINNERS[statistic]
    if len(entrants) < len(columns):
        return ComparisonRow(statistic, checks, printed, None, 0.0)
    best = (max if statistic in HIGHER_IS_BETTER else min)(entrants)
    return ComparisonRow(statistic, checks, printed, columns[entrants.index(best)][0], best)


def report_checks(datasets: Sequence[DatasetFigures]) -> tuple[Check, ...]:
    """The reports' own figures beside the guide's table, for the data sets that are there."""
    return tuple(check_claim(claim, dataset) for dataset in datasets for claim in REPORT_CLAIMS.get(dataset.report, ()))
