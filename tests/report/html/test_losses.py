"""Bars and tables of losses."""

from __future__ import annotations

from typing import Any

import pytest

from harness.report.html.losses import TERMS, loss_groups, loss_plot
from harness.testing import build_session
from tests.report.html.sessions import block, blocks, every_verdict, judged

SCENARIOS = every_verdict().scenarios


def test_every_bar_sums_to_a_hundred() -> None:
    """All agents' and each agent's, terms with their signs, what is drawn and what the table says."""
    plot = loss_plot(SCENARIOS)
    assert plot is not None
    data: Any = plot.figure["data"]
    bars = [sum(trace["x"][place] for trace in data) for place in range(len(data[0]["y"]))]
    assert bars == pytest.approx([100.0] * len(bars), abs=0.1)
    assert {row[-1] for row in plot.table.rows} == {"100.0"}


def test_a_bar_for_all_and_one_for_each_agent() -> None:
    """In the order of the scenarios, without those that were not judged."""
    plot = loss_plot(SCENARIOS)
    assert plot is not None
    assert [row[:2] for row in plot.table.rows[:3]] == [
        ("calm", "all agents"),
        ("calm", "DataCollector"),
        ("calm", "Insight"),
    ]
    assert "broken" not in {row[0] for row in plot.table.rows}


def test_a_term_that_is_nowhere_is_left_out() -> None:
    """No column and no entry of the legend for it."""
    plot = loss_plot(SCENARIOS)
    assert plot is not None
    data: Any = plot.figure["data"]
    names = [trace["name"] for trace in data]
    assert list(plot.table.headings[2:-1]) == names
    assert 2 < len(names) < len(TERMS)
    assert "load" not in names


def test_the_words_name_the_least_useful_and_its_largest_loss() -> None:
    """What the eye would find first."""
    plot = loss_plot(SCENARIOS)
    assert plot is not None
    assert "chimera_homo has the least that was useful: 40." in plot.words
    assert "contention: decode" in plot.words


def test_of_many_scenarios_only_the_whole_is_drawn() -> None:
    """The agents' are in the table."""
    names = [f"s{place}" for place in range(15)]
    plot = loss_plot(judged(build_session(), {name: [block(name, 1, 1.2)] for name in names}).scenarios)
    assert plot is not None
    data: Any = plot.figure["data"]
    assert len(data[0]["y"]) == 15
    assert len(plot.table.rows) == 45


def test_nothing_judged_is_nothing_drawn() -> None:
    """No plot, and no table."""
    assert loss_plot(()) is None
    assert loss_groups(()) == []
    assert [group.name for group in loss_groups(judged(build_session(), {"s": blocks("s", 1.1, 2)}).scenarios)] == ["s"]
