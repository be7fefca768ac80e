"""What is odd in a series of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.series import drift_p, outliers


def test_a_value_beyond_tukeys_fences_is_an_outlier() -> None:
    """By its block's index, on either side; four blocks are too few to say so."""
    usual = [(1, 100.0), (2, 101.0), (3, 99.0), (4, 100.5), (5, 99.5)]
    assert outliers(usual) == ()
    assert outliers([*usual, (9, 130.0)]) == (9,)
    assert outliers([(7, 70.0), *usual]) == (7,)
    assert outliers([*usual[:3], (9, 1000.0)]) == ()


@given(st.lists(st.floats(0.1, 10), min_size=5, max_size=20), st.floats(0.001, 1000))
def test_outliers_do_not_depend_on_the_unit(values: list[float], unit: float) -> None:
    """Seconds or milliseconds: the same blocks, unless one lies on a fence to the last digit."""
    series, scaled = list(enumerate(values)), [(i, value * unit) for i, value in enumerate(values)]
    assert len(set(outliers(series)) ^ set(outliers(scaled))) <= 2


def test_a_trend_over_the_blocks_is_seen_and_scatter_is_not() -> None:
    """Eight rising values have a small p; the same values mixed have none."""
    rising = [(i, 100.0 + i) for i in range(8)]
    mixed = list(enumerate([103.0, 100.0, 106.0, 101.0, 107.0, 102.0, 104.0, 105.0]))
    up, flat = drift_p(rising), drift_p(mixed)
    assert up is not None
    assert flat is not None
    assert up < 0.001
    assert flat > 0.1


@pytest.mark.parametrize("series", [[(1, 1.0), (2, 2.0)], [(i, 5.0) for i in range(9)]])
def test_too_few_or_equal_values_have_no_trend_to_speak_of(series: list[tuple[int, float]]) -> None:
    """None, and no warning."""
    assert drift_p(series) is None
