"""Figures in the form of other printed figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.published.printed import as_printed, is_as_printed, is_figure


@pytest.mark.parametrize(
    ("printed", "value", "text"),
    [
        ("1.598x", 1.9999, "2.000x"),
        ("79.9%", 42.049, "42.0%"),
        ("+29659", -31.4, "-31"),
        ("-1.64", 0.29, "+0.29"),
        ("+29,659", 31727.0, "+31,727"),
        ("99.99", 97.954, "97.95"),
        ("~92.7%", 93.2139, "93.2%"),
        ("7.4pp", 8.617, "8.6pp"),
        ("33%", 11.33, "11%"),
    ],
)
def test_digits_sign_grouping_and_unit_are_kept(printed: str, value: float, text: str) -> None:
    """As many digits as are printed; a sign where there is one; without the ``~``."""
    assert as_printed(printed, value) == text


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_value_is_always_as_printed_by_itself(value: float, digits: int) -> None:
    """Rounding in the own form is what is printed."""
    assert is_as_printed(f"{value:+.{digits}f}pp", value)


@pytest.mark.parametrize(("value", "same"), [(92.65001, True), (92.74999, True), (92.76, False), (93.2139, False)])
def test_about_a_figure_means_its_digits(value: float, same: bool) -> None:
    """An estimate counts as reproduced only if it rounds to what is printed."""
    assert is_as_printed("~92.7%", value) is same


@pytest.mark.parametrize("text", ["", "Yes", "3/5", "x", "+", "1.2.3", "--1"])
def test_what_is_no_figure_has_no_form(text: str) -> None:
    """Such as a flag or a count."""
    assert not is_figure(text)
    with pytest.raises(ValueError, match="is no figure"):
        as_printed(text, 1.0)
