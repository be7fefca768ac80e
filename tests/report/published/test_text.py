"""The text about published runs: readable, complete, and its last line is the count of cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.published import ExpectedCell
from harness.report.published import published_text
from tests.published_rows import Row, judged, pair_row, solo_row, timed_row

RIGHT = ExpectedCell("TR110", "3.x config", "1", "speedup", "2.000x")
WRONG = ExpectedCell("TR110", "3.x config", "1", "efficiency", "98.3%")


def _lines(
    folder: Path, *rows: Row, cells: list[ExpectedCell] | None = None, solo_tok_s: float | None = None
) -> list[str]:
    return published_text(judged(folder, *rows, cells=cells, solo_tok_s=solo_tok_s)).splitlines()


def _one(lines: list[str], *words: str) -> str:
    (line,) = [line for line in lines if all(word in line for word in words)]
    return line


def test_a_data_set_is_told_over_runs_and_over_configuration_means(tmp_path: Path) -> None:
    """Mean, sample SD, CV, peak and lowest with their units, and where the ends are."""
    lines = _lines(tmp_path, timed_row(10.0), timed_row(12.5, run=2), timed_row(16.0, config_id="test_002"))
    assert _one(lines, "over 3 runs").split() == ["over", "3", "runs", "80.833", "18.764", "23.21", "100.000", "62.500"]
    assert _one(lines, "over 2 configuration means").split()[-2:] == ["90.000", "62.500"]
    assert _one(lines, "best  ").split() == ["best", "phase1/test_001", "run", "1", "phase1/test_001"]
    assert "flagged: 1 of 3 runs (33.3 %), in 1 of 2 configurations" in lines


def test_a_configuration_has_the_columns_of_the_published_tables(tmp_path: Path) -> None:
    """Deltas with their signs, the recorded flag, and beside them what a solo rate would have said."""
    row = pair_row(agent1_ttft_ms=900.0, agent2_tok_s=48.5)
    lines = _lines(tmp_path, row, solo_row(dataset="TR109-solo"))
    cells = _one(lines, "test_001, defaults + 80/512/0.5").split()[-10:]
    assert cells == ["2.000x", "100.0", "-", "+650", "-1.50", "0/1", "49.2", "48.5", "1/1", "1/1"]


@pytest.mark.parametrize(
    ("solo", "given", "words"),
    [
        ([], None, "No solo rate: give --solo-tok-s RATE"),
        ([], 80.0, "gemma3:latest: 80.00 tok/s, as given"),
        ([solo_row()], None, "100.00 tok/s, mean over the 1 solo runs of TR998-solo."),
        ([solo_row(), solo_row(run=2)], None, "mean over the 2 solo runs of TR998-solo, sample SD 0.00."),
        ([solo_row()], 80.0, "80.00 tok/s, as given"),
    ],
)
def test_the_solo_rate_says_where_it_is_from(tmp_path: Path, solo: list[Row], given: float | None, words: str) -> None:
    """Given, computed, or not there; a given one goes first."""
    assert words in _lines(tmp_path, pair_row(), *solo, solo_tok_s=given)[0]


def test_without_a_solo_rate_nothing_is_said_against_it(tmp_path: Path) -> None:
    """Dashes, not zeros."""
    lines = _lines(tmp_path, pair_row())
    assert _one(lines, "test_001, defaults").split()[-3:] == ["-", "-", "-"]
    assert not [line for line in lines if line.startswith("against")]


def test_several_runtimes_are_told_by_tr115s_conventions(tmp_path: Path) -> None:
    """The upper median of 80 and 100 % is 100; the runtime that never overlapped is named in the guide's table."""
    rows = [pair_row(dataset="TR115v2", runtime="smol"), timed_row(12.5, dataset="TR115v2", run=2, runtime="smol")]
    lines = _lines(tmp_path, *rows, timed_row(20.0, dataset="TR115v2", runtime="async-std"))
    assert _one(lines, "  smol  ").split()[:6] == ["smol", "2", "100.00", "90.00", "100.00", "14.14"]
    said = "Rust (TR115): TR115v2; figures without async-std (all flagged); printed are TR115v1's"
    assert said in lines


def test_the_guides_figures_are_marked(tmp_path: Path) -> None:
    """Reproduced over a unit that is named, not reproduced with what the runs say, or not checked."""
    rows = [timed_row(10 / 0.9925, dataset="TR110-x"), timed_row(16.0, dataset="TR110-x", run=2)]
    lines = _lines(tmp_path, *rows)
    peak = "99.25%  reproduced: 99.250 % (best of 2 runs); 80.875 % (best of 1 configuration means)"
    assert _one(lines, "99.25%", "best of").endswith(peak)
    assert _one(lines, "~92.7%", "over").endswith("~92.7%  not reproduced: 80.875 % (over 2 runs)")
    assert _one(lines, "95.7%", "checked").endswith("95.7%  not checked: its runs are not in this folder")


@pytest.mark.parametrize(
    ("python_s", "words"),
    [(10.0, "reproduced: Python (TR110), 100.000 %"), (12.5, "not reproduced: Rust (TR115), 90.909 %")],
)
def test_the_winner_is_marked_too(tmp_path: Path, python_s: float, words: str) -> None:
    """With the column that wins by the runs, and its figure; the guide says Python."""
    rust = [timed_row(11.0, dataset=name) for name in ("TR114-x", "TR115v2")]
    lines = _lines(tmp_path, timed_row(python_s, dataset="TR110-x"), *rust)
    assert lines[lines.index("peak efficiency") + 4].split(maxsplit=2) == ["winner", "Python", words]


def test_runs_of_nobody_the_guide_compares_get_no_guides_table(tmp_path: Path) -> None:
    """Somebody's own runs."""
    assert not [line for line in _lines(tmp_path, pair_row()) if "guide's comparison table" in line]


@pytest.mark.parametrize(
    ("cells", "last"), [([RIGHT], "1 of 1"), ([RIGHT, WRONG], "1 of 2"), ([WRONG], "0 of 1"), ([], "0 of 0")]
)
def test_the_last_line_counts_the_cells(tmp_path: Path, cells: list[ExpectedCell], last: str) -> None:
    """How many came out to the printed digit."""
    assert _lines(tmp_path, pair_row(dataset="TR110-x"), cells=cells)[-1] == last


def test_each_missed_cell_is_listed_with_what_came_instead(tmp_path: Path) -> None:
    """And only those."""
    lines = _lines(tmp_path, pair_row(dataset="TR110-x"), cells=[RIGHT, WRONG])
    listed = lines[lines.index("== Cells of the published tables, from the raw runs to the printed digit") + 1 : -1]
    assert [line.split()[0] for line in listed] == ["report", "TR110"]
    assert listed[1].split()[-2:] == ["98.3%", "100.0%"]


def test_lines_fit_and_cannot_steer_a_terminal(tmp_path: Path) -> None:
    """120 columns, and names from a file are shown escaped."""
    rows = [
        pair_row(dataset=name, config_id="a\x1b[31m_gpu80") for name in ("TR110-python-dual", "TR114-rust", "TR115v2")
    ]
    lines = _lines(tmp_path, *rows, solo_row(), cells=[RIGHT])
    assert max(map(len, lines)) <= 120
    assert all(line.isprintable() for line in lines)
    assert any("\\x1b[31m" in line for line in lines)
