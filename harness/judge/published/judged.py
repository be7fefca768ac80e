"""All published data sets of a folder judged at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judge.published.cells import CellCheck, check_cells
from harness.judge.published.claims import Check
from harness.judge.published.figures import DatasetFigures, dataset_figures
from harness.judge.published.guide import Comparison, guide_comparison, report_checks
from harness.judge.published.solo import SoloRate, given_rate, solo_rates
from harness.records.published import ExpectedCell, PublishedSession
from harness.scenarios import ContentionRules


@dataclass(frozen=True, slots=True)
class JudgedPublished:
    """What published runs say.

    Attributes:
        datasets: Those with runs of agents together.
        rates: Rates alone by model: the given one, or else the mean of the solo runs that are there.
        rules: The guide's symptoms.
        comparison: The guide's comparison table.
        reports: Figures of the reports beside it.
        cells: Cells of published tables; None if none were asked for.
    """

    datasets: tuple[DatasetFigures, ...]
    rates: Mapping[str, SoloRate]
    rules: ContentionRules
    comparison: Comparison
    reports: tuple[Check, ...]
    cells: tuple[CellCheck, ...] | None

    @property
    def missed(self) -> tuple[CellCheck, ...]:
        """Cells that the raw runs do not give to the digit."""
        return tuple(check for check in self.cells or () if not check.reproduced)


def judge_published(
    sessions: Sequence[PublishedSession],
    cells: Sequence[ExpectedCell] | None = None,
    solo_tok_s: float | None = None,
    rules: ContentionRules | None = None,
) -> JudgedPublished:
    """Judges published sessions.

    Args:
        sessions: The data sets.
        cells: Cells that they are to give again.
        solo_tok_s: Decode rate of an agent alone, tok/s; None takes the solo runs among the sessions, if there are any.
        rules: The guide's symptoms, its own limits by default.
    """
    rules = rules or ContentionRules()
    rates = solo_rates(sessions) if solo_tok_s is None else given_rate(solo_tok_s, sessions)
    judged = (dataset_figures(session, rates, rules) for session in sessions)
    datasets = tuple(dataset for dataset in judged if dataset is not None)
    return JudgedPublished(
        datasets=datasets,
        rates=rates,
        rules=rules,
        comparison=guide_comparison(datasets),
        reports=report_checks(datasets),
        cells=None if cells is None else check_cells(cells, datasets),
    )
