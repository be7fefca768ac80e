"""Spread over named units, and TR115 v2's own median and percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.published.spread import floor_percentile, spread, upper_median

VALUES = st.lists(st.floats(1.0, 100.0), min_size=2, max_size=30)


def test_a_spread_has_its_ends_with_their_names() -> None:
    """Mean, sample SD (n - 1), CV and the two ends of a worked example."""
    found = spread("runs", [("a", 80.0), ("b", 100.0), ("c", 90.0)])
    assert (found.over, found.n, found.mean, found.sd) == ("runs", 3, 90.0, 10.0)
    assert found.cv_pct == pytest.approx(100 / 9)
    assert (found.peak, found.peak_at, found.low, found.low_at) == (100.0, "b", 80.0, "a")
    assert found.values == (80.0, 90.0, 100.0)


def test_one_value_has_no_spread() -> None:
    """Neither an SD nor a CV: not zero."""
    found = spread("runs", [("a", 80.0)])
    assert (found.mean, found.sd, found.cv_pct) == (80.0, None, None)


@given(VALUES)
def test_the_order_of_the_units_changes_nothing_but_rounding(values: list[float]) -> None:
    """A spread is of a set."""
    there = spread("runs", [(str(value), value) for value in values])
    back = spread("runs", [(str(value), value) for value in values[::-1]])
    assert (there.values, there.peak, there.low) == (back.values, back.peak, back.low)
    assert there.mean == pytest.approx(back.mean)
    assert there.low <= there.mean * (1 + 1e-12)
    assert there.mean <= there.peak * (1 + 1e-12)


@pytest.mark.parametrize(("n", "median"), [(1, 0), (2, 1), (3, 1), (30, 15)])
def test_the_published_median_is_the_upper_one_of_two(n: int, median: int) -> None:
    """sorted[n // 2]: of 0 and 1 it is 1, not 0.5."""
    assert upper_median([float(i) for i in range(n)]) == median


@pytest.mark.parametrize(("share", "place"), [(0.0, 0), (0.05, 1), (0.25, 7), (0.5, 15), (0.75, 22), (0.95, 28)])
def test_a_published_percentile_is_the_value_at_the_floor(share: float, place: int) -> None:
    """sorted[int(p n)] of 30 values, not interpolated."""
    assert floor_percentile([float(i) for i in range(30)], share) == place
