"""A sweep in words: the plan, the progress line, the table, and the same for programs."""

from __future__ import annotations

import csv
import io

import pytest

from harness.judge import ScenarioSummary, judge_scenario
from harness.judge.progress import TimeLeft
from harness.judge.sweep import FIGURES, CellRow, sweep_rows
from harness.report.sweep import (
    DRIFT,
    sweep_csv,
    sweep_lines,
    sweep_plan_lines,
    sweep_progress_line,
)
from harness.scenarios import SCENARIOS, Stopping, Terms
from harness.scenarios.reloads import fewest_reloads
from harness.scenarios.sweeps import Cell, make_cell, make_sweep, tr110
from harness.testing import build_block

HOMO = SCENARIOS["chimera_homo"]
A = make_cell(HOMO, {"num_ctx": 512}, "one", ("test_015",))
B = make_cell(HOMO, {"num_ctx": 1024, "chimera2.num_gpu": 60}, "two")
C = make_cell(HOMO, {"temperature": 0.6})
SCATTER = (-8.0, 0.0, 9.0, 4.0, -5.0)


def _judged(cell: Cell, together_ms: float, blocks: int = 5) -> ScenarioSummary:
    measured = [
        build_block(
            concurrent_ms={"A": together_ms + add, "B": together_ms + add},
            index=index,
            scenario=cell.name,
            concurrent_ttft_ms=together_ms / 10,
        )
        for index, add in enumerate(SCATTER[:blocks], start=1)
    ]
    return judge_scenario(cell.name, measured, Terms(stopping=Stopping(blocks, fixed=True)))


def _rows(*found: tuple[Cell, ScenarioSummary | None]) -> tuple[CellRow, ...]:
    return sweep_rows([cell for cell, _ in found], {summary.name: summary for _, summary in found if summary})


ROWS = _rows((A, _judged(A, 2000.0)), (B, _judged(B, 1500.0)), (C, None))


def test_the_table_has_a_line_a_cell_and_a_column_an_option() -> None:
    """In the grid's order; options of some agents stand behind those of all; - where a cell does not set one."""
    lines = sweep_lines(ROWS)
    assert lines[0].split()[:6] == ["phase", "scenario", "num_ctx", "chimera2.num_gpu", "temperature", "n"]
    assert lines[1].split()[:7] == ["one", "chimera_homo", "512", "-", "-", "5", "5/5"]
    assert "50.0 (49.8..50.2) %" in lines[1]
    assert lines[2].split()[:5] == ["two", "chimera_homo", "1024", "60", "-"]
    assert "150 (150..150)" in lines[2]
    assert lines[3].split() == ["chimera_homo", "-", "-", "0.6", "0", *["-"] * 6, "not", "measured"]


def test_without_phases_there_is_no_column_for_them() -> None:
    """A line of text has none."""
    assert sweep_lines(_rows((C, _judged(C, 1500.0))))[0].split()[0] == "scenario"


def test_the_best_cells_are_named_as_one_would_ask_for_them() -> None:
    """With their figure, and whether anything else could be told apart."""
    text = "\n".join(sweep_lines(ROWS))
    assert (
        f"highest measured efficiency: {B.name}, 66.7 (66.3..67.0) %; its interval is apart from those of all 1" in text
    )
    assert f"shortest TTFT together: {B.name}, 150 (150..150); its interval is apart" in text


def test_cells_that_cannot_be_told_apart_are_said_to_be() -> None:
    """Each by name, or all of them."""
    like = [_judged(cell, ms) for cell, ms in ((A, 1500.0), (B, 1501.0))]
    text = "\n".join(sweep_lines(_rows((A, like[0]), (B, like[1]))))
    assert (
        f"highest measured efficiency: {A.name}, 66.7 (66.3..67.0) %; cannot be told apart from any other cell" in text
    )
    text = "\n".join(sweep_lines(_rows((A, like[0]), (B, like[1]), (C, _judged(C, 3000.0)))))
    assert f"; cannot be told apart from {B.name}\n" in text


def test_many_that_cannot_be_told_apart_are_counted() -> None:
    """Four are named."""
    cells = [make_cell(HOMO, {"num_ctx": 512 + n}) for n in range(7)]
    found = [*((cell, _judged(cell, 1500.0)) for cell in cells), (C, _judged(C, 3000.0))]
    assert f"apart from {', '.join(cell.name for cell in cells[1:5])} and 2 more\n" in "\n".join(
        sweep_lines(_rows(*found))
    )


def test_the_footer_says_what_the_order_does_to_a_comparison() -> None:
    """Always, and whether passes were made."""
    assert sweep_lines(ROWS)[-1] == f"{DRIFT}; --passes 2 would show a drift"
    assert sweep_lines(ROWS, passes=3)[-1] == f"{DRIFT}; their blocks are spread over 3 passes"


def test_what_was_not_measured_is_counted() -> None:
    """With what to do; a whole sweep says nothing of it."""
    assert "1 of 3 cells were not measured: --resume goes on" in sweep_lines(ROWS)
    assert not [line for line in sweep_lines(ROWS[:2]) if "not measured" in line]


def test_a_phase_cannot_steer_a_terminal() -> None:
    """It is a text of the user's file."""
    cell = make_cell(HOMO, {"num_ctx": 512}, "\x1b[2J")
    assert "\x1b" not in "".join(sweep_lines(_rows((cell, None))))


@pytest.mark.parametrize(
    ("left", "at_most", "words"),
    [
        (None, False, ""),
        (TimeLeft(725.0, 600.0, 900.0), False, "; about 12 min left (10..15)"),
        (TimeLeft(725.0, 600.0, 900.0), True, "; at most about 12 min left (10..15)"),
        (TimeLeft(725.0, None, None), False, "; about 12 min left"),
        (TimeLeft(119.0, 100.0, 130.0), False, "; about 119 s left (100..130)"),
        (TimeLeft(120.0, 60.0, 180.0), False, "; about 2 min left (1..3)"),
        (TimeLeft(9000.0, 7200.0, 10800.0), False, "; about 2.5 h left (2..3)"),
        (TimeLeft(0.0, 0.0, 0.0), False, "; about 0 s left (0..0)"),
    ],
)
def test_the_progress_line_tells_the_place_and_the_time(left: TimeLeft | None, at_most: bool, words: str) -> None:
    """In a unit that fits the time; without an interval where there is none, without a time where nothing is known."""
    assert sweep_progress_line(7, 18, 3, left, at_most=at_most) == f"  cell 7 of 18, block 3{words}"


def test_a_warm_up_is_called_one() -> None:
    """It has no number."""
    assert sweep_progress_line(1, 2, 0, None) == "  cell 1 of 2, warm-up"


def test_the_plan_tells_reloads_and_duplicates() -> None:
    """Of the published matrix: what the order saves, and which of its configurations are the same."""
    sweep = tr110()
    lines = sweep_plan_lines(sweep, fewest_reloads(sweep.cells), 5)
    assert lines[0] == (
        "  sweep: 26 cells, 5 blocks each in 1 pass; 20 reloads a pass, 37 in the order given, at least 19 in any order"
    )
    assert lines[1] == "  test_101 is chimera_homo@num_ctx=512,num_gpu=80,temperature=0.8 again: measured once"
    assert len(lines) == 5
    small = make_sweep([A, B])
    assert sweep_plan_lines(small, fewest_reloads(small.cells), 4, passes=2)[0] == (
        "  sweep: 2 cells, 4 blocks each in 2 passes; 2 reloads a pass, 2 in the order given, the fewest"
    )


def test_a_spreadsheet_gets_a_row_a_cell() -> None:
    """A column for each option and each end of an interval; empty where there is nothing."""
    first, second, third = csv.DictReader(io.StringIO(sweep_csv(ROWS)))
    assert (first["cell"], first["num_ctx"], first["chimera2.num_gpu"]) == (A.name, "512", "")
    assert (first["verdict"], second["chimera2.num_gpu"], second["blocks"]) == ("INCONCLUSIVE", "60", "5")
    assert float(first["aggregate_tok_s_low"]) < float(first["aggregate_tok_s"]) < float(first["aggregate_tok_s_high"])
    assert [third[name] for name in ("verdict", "temperature", *FIGURES)] == ["", "0.6", *[""] * len(FIGURES)]
