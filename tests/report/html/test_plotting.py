"""Figures: colours for every page, axes that can be read."""

from __future__ import annotations

from math import inf

import pytest

from harness.report.html.losses import TERMS
from harness.report.html.plotting import COLOURS, Panel, line, panels, rounded, spread_axis

PAGES = {"light": "#ffffff", "dark": "#12161b"}


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("colour", sorted({*COLOURS, *(term.colour for term in TERMS)}))
def test_what_is_drawn_is_seen_on_every_page(colour: str, page: str) -> None:
    """Non-text contrast of 3 at least (WCAG 2.1, 1.4.11), in light and dark."""
    assert contrast(colour, page) >= 3


def test_terms_of_one_colour_differ_in_their_pattern() -> None:
    """No two bars look alike."""
    assert len({(term.colour, term.pattern) for term in TERMS}) == len(TERMS)


def test_values_have_as_many_digits_as_can_be_seen() -> None:
    """Which keeps the page small; what is not known stays so."""
    assert rounded([1.23456789, None, 123456.0]) == [1.2346, None, 123460.0]


def test_a_wide_spread_is_logarithmic_with_ticks_in_full() -> None:
    """Ticks at 1, 2 and 5 of every decade."""
    axis = spread_axis("gap", [2.0, 900.0])
    assert axis["type"] == "log"
    assert axis["ticktext"] == ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1000", "2000", "5000"]


def test_a_narrow_spread_is_linear() -> None:
    """A logarithmic axis would have no tick there."""
    assert "type" not in spread_axis("gap", [100.0, 104.0])
    assert "type" not in spread_axis("gap", [0.0, 0.0])


def test_panels_share_one_axis_and_have_their_own() -> None:
    """Each panel's traces stand on its own vertical axis, its limit too, over all that is drawn."""
    figure = panels(
        [Panel("a", [line("x", [1, 4], [1, 2])]), Panel("b", [line("x", [1, 4], [3, inf])], (5.0, "limit"))], {}
    )
    assert [(trace["xaxis"], trace["yaxis"]) for trace in figure["data"]] == [("x", "y"), ("x", "y2"), ("x", "y2")]  # type: ignore[attr-defined]
    assert figure["data"][-1]["x"] == [1, 4]  # type: ignore[index]
