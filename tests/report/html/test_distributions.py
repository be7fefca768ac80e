"""Distributions of TTFT and gaps."""

from __future__ import annotations

from typing import Any

from harness.report.html.distributions import gap_plot, ttft_plot
from harness.testing import build_block, build_session
from tests.report.html.sessions import blocks, every_verdict, judged

SLOW = judged(build_session(), {"s": blocks("s", 2.0, 3)}).scenarios[0]


def test_alone_and_together_by_agent() -> None:
    """Four curves, from nothing to all of it, the same agent in the same colour."""
    plot = gap_plot(SLOW, "g")
    assert plot is not None
    data: Any = plot.figure["data"]
    assert [trace["name"] for trace in data] == [
        "DataCollector alone",
        "DataCollector together",
        "Insight alone",
        "Insight together",
    ]
    assert data[0]["line"]["color"] == data[1]["line"]["color"] != data[2]["line"]["color"]
    assert data[0]["line"]["dash"] != data[1]["line"]["dash"]
    assert [(trace["y"][0], trace["y"][-1]) for trace in data] == [(0.0, 100.0)] * 4


def test_the_table_holds_the_quantiles_of_every_gap() -> None:
    """As many as there were: together (1000 - 250) / 23 ms long, alone (500 - 100) / 23."""
    plot = gap_plot(SLOW, "g")
    assert plot is not None
    alone, together = (dict(zip(plot.table.headings, row, strict=True)) for row in plot.table.rows[:2])
    assert alone["n"] == str(3 * 2 * 23)
    assert 1.8 < float(together["p50 ms"]) / float(alone["p50 ms"]) < 1.95


def test_the_words_say_the_medians() -> None:
    """And the slowest hundredth."""
    plot = ttft_plot(SLOW, "t")
    assert plot is not None
    assert plot.words.startswith("Medians. DataCollector: alone 10")
    assert "together 26" in plot.words


def test_without_a_valid_block_there_is_none() -> None:
    """Nor gaps of answers that have one token."""
    broken = every_verdict().scenarios[-1]
    assert ttft_plot(broken, "t") is None
    single = judged(build_session(), {"s": [build_block(scenario="s", tokens=1)]}).scenarios[0]
    assert ttft_plot(single, "t") is not None
    assert gap_plot(single, "g") is None
