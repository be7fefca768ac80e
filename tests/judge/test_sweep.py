"""Cells beside each other: rows, and the best with those that cannot be told from it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.judge import ScenarioSummary, Verdict, judge_scenario
from harness.judge.sweep import FIGURES, TTFT, best_cells, sweep_rows
from harness.scenarios import SCENARIOS, Stopping, Terms
from harness.scenarios.sweeps import Cell, make_cell
from harness.testing import build_block

A, B, C = (make_cell(SCENARIOS["chimera_homo"], {"num_ctx": n}) for n in (100, 200, 300))
SCATTER = (-8.0, 0.0, 9.0, 4.0, -5.0)


def _judged(cell: Cell, together_ms: float, blocks: int = 5, ttft_ms: float = 100.0) -> ScenarioSummary:
    """A cell whose agents take 1000 ms alone and about so long together."""
    measured = [
        build_block(
            concurrent_ms={"A": together_ms + add, "B": together_ms + add},
            index=index,
            scenario=cell.name,
            concurrent_ttft_ms=ttft_ms,
        )
        for index, add in enumerate(SCATTER[:blocks], start=1)
    ]
    return judge_scenario(cell.name, measured, Terms(stopping=Stopping(blocks, fixed=True)))


def _broken(cell: Cell) -> ScenarioSummary:
    return judge_scenario(cell.name, [build_block(scenario=cell.name, error="a server died")], Terms())


def _by_name(summaries: Sequence[ScenarioSummary]) -> dict[str, ScenarioSummary]:
    return {summary.name: summary for summary in summaries}


def test_there_is_a_row_for_every_cell_in_the_grids_order() -> None:
    """Measured, broken, and not measured yet."""
    rows = sweep_rows((A, B, C), _by_name([_broken(C), _judged(A, 2000.0)]))
    assert [(row.cell, row.verdict, row.blocks, row.invalid) for row in rows] == [
        (A, Verdict.INCONCLUSIVE, 5, 0),
        (B, None, 0, 0),
        (C, Verdict.INVALID, 0, 1),
    ]
    assert [row.figures is None for row in rows] == [False, True, True]


def test_the_figures_are_the_judges_own() -> None:
    """And TTFT together as their geometric mean."""
    summary = _judged(A, 2000.0, ttft_ms=250.0)
    (row,) = sweep_rows([A], _by_name([summary]))
    assert row.figures is not None
    assert tuple(row.figures) == FIGURES
    assert row.figures["measured_efficiency_pct"] is summary.estimates["measured_efficiency_pct"]
    assert row.figures[TTFT].point == pytest.approx(250.0)
    assert (row.contended, row.figures["contention_rate"].point) == (5, 1.0)


def test_the_best_cell_stands_with_those_whose_intervals_overlap_its_own() -> None:
    """Two are alike, the third is apart."""
    rows = sweep_rows((A, B, C), _by_name([_judged(A, 2000.0), _judged(B, 1502.0), _judged(C, 1500.0)]))
    efficiency, rate, ttft = best_cells(rows)
    assert (efficiency.metric, efficiency.row.cell, efficiency.others) == ("measured_efficiency_pct", C, 1)
    assert [row.cell for row in efficiency.ties] == [B]
    assert (rate.row.cell, [row.cell for row in rate.ties]) == (C, [B])
    assert len(ttft.ties) == 2


def test_a_shorter_ttft_is_better() -> None:
    """Where more is better of the other figures."""
    rows = sweep_rows((A, B), _by_name([_judged(A, 2000.0, ttft_ms=90.0), _judged(B, 1500.0, ttft_ms=110.0)]))
    found = best_cells(rows)
    assert [best.row.cell for best in found] == [B, B, A]
    assert (found[2].ties, found[2].others) == ((), 1)


def test_one_block_cannot_be_told_from_anything() -> None:
    """It has no interval."""
    rows = sweep_rows((A, B), _by_name([_judged(A, 2000.0, blocks=1), _judged(B, 1000.0)]))
    assert [row.cell for row in best_cells(rows)[0].ties] == [A]


def test_what_is_invalid_or_alone_is_no_best() -> None:
    """A best cell needs another one that it could be compared with."""
    assert best_cells(sweep_rows((A, B, C), _by_name([_judged(A, 2000.0), _broken(B)]))) == ()
