"""Who slows whom, drawn and as a matrix."""

from __future__ import annotations

from typing import Any

from harness.report.html.effects import effect_groups
from harness.testing import build_session
from tests.report.html.sessions import ROLES, block, blocks, every_verdict, judged


def test_the_matrix_is_in_view_and_the_effect_to_name_is_said() -> None:
    """The table with intervals, and a sentence above it."""
    group = next(group for group in effect_groups(every_verdict().scenarios) if group.name == "chimera_homo")
    (matrix,) = group.tables
    assert matrix.headings[:2] == ("%", "while")
    assert group.words[0].startswith("Strongest: ")


def test_effects_are_drawn_with_their_intervals_the_longest_first() -> None:
    """What was not shown has a symbol of its own."""
    measured = [block("s", index, slow) for index, slow in enumerate((1.0, 1.3, 0.9, 1.2), start=1)]
    (group,) = effect_groups(judged(build_session(), {"s": measured}).scenarios)
    (plot,) = group.plots
    points = [float(row[3]) for row in plot.table.rows]
    assert points == sorted(points, reverse=True)
    data: Any = plot.figure["data"]
    symbols = {trace["marker"]["symbol"] for trace in data}
    assert "circle-open" in symbols
    assert "was" not in plot.title


def test_an_interval_ends_where_the_table_says() -> None:
    """Error bars are the distances from the point to the ends."""
    measured = [block("s", index, slow) for index, slow in enumerate((2.0, 2.3, 1.9, 2.2), start=1)]
    (group,) = effect_groups(judged(build_session(), {"s": measured}).scenarios)
    (plot,) = group.plots
    data: Any = plot.figure["data"]
    trace = data[0]
    ends = [
        (round(x - minus), round(x + plus))
        for x, minus, plus in zip(trace["x"], trace["error_x"]["arrayminus"], trace["error_x"]["array"], strict=True)
    ]
    assert ends == [(int(row[4]), int(row[5])) for row in plot.table.rows]


def test_of_many_effects_those_that_cost_the_most_are_drawn() -> None:
    """Eight agents have hundreds; the matrix has all."""
    roles = [f"agent-{place}" for place in range(8)]
    (group,) = effect_groups(judged(build_session(), {"s": blocks("s", 1.4, 2, roles=roles)}).scenarios)
    (plot,) = group.plots
    assert len(plot.table.rows) == 14
    assert "the 14 that cost the most" in plot.title
    assert len(group.tables[0].rows) > 14


def test_one_agent_has_no_pair() -> None:
    """Nothing is drawn of it."""
    assert effect_groups(judged(build_session(), {"s": blocks("s", 1.0, 2, roles=ROLES[:1])}).scenarios) == []
