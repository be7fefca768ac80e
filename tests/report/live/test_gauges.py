"""A running interval on a line: to scale, with its limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.live.gauges import ASCII, DRAWN, figure, interval, track
from harness.report.live.scene import Gauge
from tests.report.live.scenes import GAUGES

SMALL = st.floats(0.1, 1000)


@pytest.mark.parametrize(
    ("point", "low", "high", "limit", "line"),
    [
        (50.0, 0.0, 100.0, 25.0, " ├───┃────●───────┤ "),
        (50.0, None, None, 100.0, "  ●               ┃ "),
        (50.0, 40.0, 60.0, 50.0, " ├────────◆───────┤ "),
        (80.0, None, None, 80.0, "          ◆         "),
    ],
)
def test_a_track_is_to_scale(point: float, low: float | None, high: float | None, limit: float, line: str) -> None:
    """The interval from end to end, the estimate, and the limit where it is among them."""
    gauge = Gauge("g", "%", point, low, high, limit, at_least=True, verdict="")
    assert track(gauge, 20).plain.split() == line.split()
    assert len(track(gauge, 20).plain) == 20


@given(SMALL, SMALL, SMALL, SMALL, st.integers(1, 60))
def test_a_track_has_its_width_and_its_limit_at_any_values(
    one: float, two: float, three: float, limit: float, width: int
) -> None:
    """However far the limit is off, it is on the line, and on the right side of the estimate."""
    low, point, high = sorted((one, two, three))
    plain = track(Gauge("g", "x", point, low, high, limit, at_least=False, verdict="FAIL"), width, ASCII).plain
    assert len(plain) == width
    assert plain.isascii()
    assert "|" in plain or "#" in plain
    if "o" in plain and "|" in plain:
        assert (plain.index("o") < plain.index("|")) == (point < limit)


def test_the_colour_is_the_verdicts_and_the_limit_has_its_own() -> None:
    """What is passed is green, what fails red; the limit stands out in both."""
    styles = {gauge.verdict: [str(span.style) for span in track(gauge, 20, DRAWN).spans] for gauge in GAUGES}
    assert styles == {
        "INCONCLUSIVE": ["yellow", "bold default"],
        "PASS": ["green", "bold default"],
        "FAIL": ["bold red", "bold default"],
    }


def test_figures_have_the_gauges_unit() -> None:
    """Per cent with one digit, factors with two; an interval names its unit once, and none is no text."""
    assert figure(GAUGES[0], 78.14) == "78.1 %"
    assert figure(GAUGES[1], 1.899) == "1.90x"
    assert interval(GAUGES[0]) == "70.2 to 86.0 %"
    assert interval(GAUGES[1]) == "1.80x to 2.00x"
    assert interval(replace(GAUGES[0], low=None)) == ""
