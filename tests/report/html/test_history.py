"""How verdicts came about."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.html.history import base_plot, baseline_plot, gates_plot
from harness.scenarios import ChangeRules, StoredBaseline
from harness.testing import build_session
from tests.report.html.sessions import block, blocks, every_verdict, judged, terms

SCENARIOS = {scenario.name: scenario for scenario in every_verdict().scenarios}


def test_a_gate_ends_where_its_verdict_stands() -> None:
    """The running interval after the last block is the gate's own."""
    scenario = SCENARIOS["chimera_homo"]
    plot = gates_plot(scenario, "g")
    assert plot is not None
    (efficiency,) = [gate for gate in scenario.gates if gate.limit.metric == "measured_efficiency_pct"]
    last = [row for row in plot.table.rows if row[0] == "measured efficiency"][-1]
    low, high = efficiency.estimate.low, efficiency.estimate.high
    assert low is not None
    assert high is not None
    assert last == (
        "measured efficiency",
        "6",
        f"{efficiency.estimate.point:.1f} %",
        f"{low:.1f} %",
        f"{high:.1f} %",
        "60.0 %",
    )


def test_a_running_figure_knows_nothing_of_later_blocks() -> None:
    """After one block it is that block's, and without an interval."""
    measured = [block("s", index, slow) for index, slow in enumerate((1.1, 1.2, 2.0), start=1)]
    (scenario,) = judged(build_session(), {"s": measured}).scenarios
    plot = gates_plot(scenario, "g")
    assert plot is not None
    first = next(row for row in plot.table.rows if row[0] == "measured speedup")
    assert first == ("measured speedup", "1", f"{scenario.blocks[0].measured_speedup:.2f}x", "-", "-", "1.00x")


def test_a_gate_says_its_limit_and_verdict() -> None:
    """In the title of its panel; a contention rate is drawn in per cent, as the limit is said."""
    plot = gates_plot(SCENARIOS["chimera_homo"], "g")
    assert plot is not None
    layout: Any = plot.figure["layout"]
    titles = [note["text"] for note in layout["annotations"]]
    assert titles[0] == "guide's efficiency, at least 80.0 %: PASS"
    assert titles[-1] == "contention rate, at most 33.0 %: FAIL"
    data: Any = plot.figure["data"]
    assert data[-1]["y"] == pytest.approx([33.0, 33.0])
    assert data[-2]["y"] == [100.0] * 6


def test_one_block_has_no_running_interval() -> None:
    """Nor has a scenario that was not judged, or has no limit."""
    assert gates_plot(SCENARIOS["undecided"], "g") is None
    assert gates_plot(SCENARIOS["broken"], "g") is None
    free = judged(build_session(), {"s": blocks("s", 1.0, 3)}, by_terms={"s": terms(3, limits=())}).scenarios[0]
    assert gates_plot(free, "g") is None


def test_pairs_are_ratios_to_the_base() -> None:
    """One for each pair, with the line that PASS rules out."""
    plot = base_plot(SCENARIOS["with_base"], "b")
    assert plot is not None
    assert [float(row[2]) for row in plot.table.rows[:6]] == pytest.approx([1.2 / 1.15] * 6, rel=1e-3)
    data: Any = plot.figure["data"]
    assert data[1]["y"] == pytest.approx([1.05, 1.05])
    assert base_plot(SCENARIOS["calm"], "b") is None


def test_a_baseline_is_its_sessions_and_this_one() -> None:
    """In the order of saving, this one last."""
    stored = StoredBaseline("main", {"slowdown": (2.3, 2.35, 2.28, 2.31)}, ChangeRules(("slowdown",)))
    plot = baseline_plot(SCENARIOS["chimera_homo"], stored, "s")
    assert plot is not None
    assert [row[1] for row in plot.table.rows] == ["stored 1", "stored 2", "stored 3", "stored 4", "this session"]
    assert float(plot.table.rows[-1][2]) == pytest.approx(2.4, rel=1e-3)
    assert "against baseline main" in plot.words


def test_without_a_baseline_or_blocks_there_is_no_history() -> None:
    """A stored baseline without sessions has none either."""
    empty = StoredBaseline("main", {"slowdown": ()}, ChangeRules(("slowdown",)))
    assert baseline_plot(SCENARIOS["calm"], None, "s") is None
    assert baseline_plot(SCENARIOS["calm"], empty, "s") is None
    assert baseline_plot(SCENARIOS["broken"], empty, "s") is None
