"""The median of few values, and its interval."""

from __future__ import annotations

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.location import location

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@pytest.mark.parametrize(("n", "low", "high"), [(1, 1, 1), (5, 1, 5), (6, 1, 6), (8, 1, 8), (9, 2, 8), (30, 10, 21)])
def test_the_ends_are_the_tabled_order_statistics(n: int, low: int, high: int) -> None:
    """Those of the sign test at 95 %; below 6 values the smallest and the largest."""
    found = location(list(range(n, 0, -1)))
    assert (found.low, found.high, found.n) == (low, high, n)


@given(VALUES)
def test_the_median_lies_in_its_interval(values: list[float]) -> None:
    """Which the values themselves span; their order does not matter."""
    found = location(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == median(values)
    assert location(values[::-1]) == found


@pytest.mark.parametrize("n", [6, 9, 15, 30])
def test_the_interval_covers_the_true_median_as_often_as_it_says(n: int) -> None:
    """At least 95 of 100 times, of a lopsided distribution."""
    draw = random.Random(n)  # noqa: S311 - a simulation
    true_median = 0.6931471805599453
    found = [location([draw.expovariate(1.0) for _ in range(n)]) for _ in range(4000)]
    assert sum(each.low <= true_median <= each.high for each in found) / len(found) >= 0.94
