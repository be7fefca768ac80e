"""Scenarios in tables."""

from __future__ import annotations

from harness.report.html.scenarios import overview, scenario_groups
from tests.report.html.sessions import every_verdict

SESSION = every_verdict()
GROUPS = {group.name: group for group in scenario_groups(SESSION.scenarios)}


def test_both_kinds_of_figures_stand_side_by_side_with_intervals() -> None:
    """Each says whose it is; they never share a name."""
    figures = GROUPS["chimera_homo"].tables[0]
    rows = {row[:2]: row for row in figures.rows}
    guide, measured = (rows[("speedup", kind)] for kind in ("guide's", "measured"))
    assert guide[2] == "1.96x"
    assert measured[2] == "0.82x"
    assert measured[3] == "0.82 to 0.82x"
    assert measured[4] == "6"


def test_a_gate_has_all_that_its_line_has() -> None:
    """Limit, interval, n, when it was decided, what could have been found, the worst block."""
    gates = GROUPS["chimera_homo"].tables[1]
    row = dict(zip(gates.headings, gates.rows[1], strict=True))
    assert (row["gate"], row["verdict"], row["limit"]) == ("measured efficiency", "FAIL", "at least 60.0 %")
    assert (row["n"], row["decided at"]) == ("6", "block 6")
    assert row["would have found"].endswith("% beyond")


def test_comparisons_are_there_with_base_and_baseline() -> None:
    """With their verdicts, and in words."""
    against = [row[2] for name in ("with_base", "chimera_homo") for row in GROUPS[name].tables[2].rows]
    assert against == ["base", "base", "baseline main"]
    assert GROUPS["with_base"].tables[2].rows[0][3] == "+4.3 %"


def test_one_value_has_no_interval() -> None:
    """And says so."""
    assert {row[3] for row in GROUPS["undecided"].tables[0].rows if row[0] == "speedup"} == {"none"}


def test_a_scenario_that_was_not_judged_has_no_figures() -> None:
    """But it is in the table of all."""
    assert GROUPS["broken"].tables == ()
    first, agents = overview(SESSION.scenarios)
    assert [row[0] for row in first.rows] == ["calm", "chimera_homo", "with_base", "undecided", "broken"]
    assert len(agents.rows) == 8


def test_of_several_scenarios_those_that_failed_are_open() -> None:
    """The others are a key away."""
    assert [name for name, group in GROUPS.items() if group.open] == ["chimera_homo", "with_base"]
