"""Points and intervals."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from harness.judge import mean_estimate, share_estimate
from harness.judge.statistics import log_estimate, quantile, signed_rank_survival

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def test_the_interval_of_a_textbook_sample() -> None:
    """Mean of 1, 2, 3 with t(0.975, 2) = 4.3027: 2 +- 2.4841."""
    estimate = mean_estimate([1.0, 2.0, 3.0])
    assert (estimate.point, estimate.n, estimate.method) == (2.0, 3, "t interval")
    assert estimate.low == pytest.approx(2 - 2.48414, abs=1e-5)
    assert estimate.high == pytest.approx(2 + 2.48414, abs=1e-5)


def test_one_value_gives_no_interval() -> None:
    """A single block shows nothing of its spread."""
    estimate = mean_estimate([3.0])
    assert (estimate.point, estimate.low, estimate.high, estimate.n) == (3.0, None, None, 1)


@given(VALUES)
def test_the_interval_contains_the_mean(values: list[float]) -> None:
    """The point lies between the ends, and inside the data."""
    estimate = mean_estimate(values)
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low <= estimate.point <= estimate.high
    assert min(values) - 1e-6 <= estimate.point <= max(values) + 1e-6


@given(VALUES, st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_the_interval_scales_and_shifts_with_the_values(values: list[float], factor: float, shift: float) -> None:
    """Other units or another zero give the same statement."""
    plain, moved = mean_estimate(values), mean_estimate([factor * value + shift for value in values])
    for before, after in ((plain.point, moved.point), (plain.low, moved.low), (plain.high, moved.high)):
        assert before is not None
        assert after == pytest.approx(factor * before + shift, rel=1e-6, abs=1e-3)


@given(VALUES.flatmap(lambda values: st.tuples(st.just(values), st.permutations(values))))
def test_the_order_of_the_blocks_does_not_matter(lists: tuple[list[float], list[float]]) -> None:
    """An interval knows no time."""
    first, second = (mean_estimate(values) for values in lists)
    assert second.point == pytest.approx(first.point, rel=1e-9, abs=1e-9)
    assert second.low == pytest.approx(first.low, rel=1e-6, abs=1e-6)


def test_ratios_of_a_textbook_sample() -> None:
    """Below nine values: the geometric mean, and the t interval of the logs."""
    estimate = log_estimate([log(2), log(4), log(8)])
    plain = mean_estimate([log(2), log(4), log(8)])
    assert plain.low is not None
    assert plain.high is not None
    assert (estimate.n, estimate.method) == (3, "t interval on logs")
    assert (estimate.point, estimate.low, estimate.high) == pytest.approx((4.0, exp(plain.low), exp(plain.high)))


def test_one_log_gives_no_interval() -> None:
    """A single block shows nothing of its spread, as a ratio too."""
    estimate = log_estimate([log(1.5)])
    assert (estimate.low, estimate.high, estimate.n, estimate.method) == (None, None, 1, "one value: no interval")
    assert estimate.point == pytest.approx(1.5)


def test_the_signed_rank_interval_of_a_textbook_sample() -> None:
    """Hollander and Wolfe's depression data (n = 9), as R's ``wilcox.test`` has it: 6th and 40th pairwise mean."""
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    estimate = log_estimate([new - old for old, new in zip(before, after, strict=True)])
    assert estimate.method == "Hodges-Lehmann, exact signed-rank interval"
    ratios = (estimate.point, estimate.low, estimate.high)
    assert ratios == pytest.approx((exp(-0.46), exp(-0.786), exp(-0.01)))


@pytest.mark.parametrize("n", [2, 8, 9, 30])
def test_equal_logs_give_an_interval_without_width(n: int) -> None:
    """Blocks that are equal to the last bit: no warning, no NaN, and both ends on the point."""
    estimate = log_estimate([0.1] * n)
    assert estimate.low == estimate.point == estimate.high == pytest.approx(exp(0.1))


def test_a_ratio_beyond_all_floats_is_infinite() -> None:
    """Two wild values have an interval too wide for a float; that is no error."""
    estimate = log_estimate([-100.0, 100.0])
    assert (estimate.low, estimate.high) == (0.0, inf)
    assert estimate.point == pytest.approx(1.0)


@pytest.mark.parametrize("n", [5, 9, 20])
def test_the_interval_covers_the_true_ratio_as_often_as_it_says(n: int) -> None:
    """95 % +- 1.5 points of 4000 simulated sessions, by either method."""
    sessions = np.random.default_rng(n).normal(0.3, 0.1, (4000, n))
    estimates = [log_estimate(session.tolist()) for session in sessions]
    covered = sum((e.low or inf) <= exp(0.3) <= (e.high or 0) for e in estimates)
    assert covered / len(estimates) == pytest.approx(0.95, abs=0.015)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=14))
def test_candidate_over_base_is_the_inverse_of_base_over_candidate(logs: list[float]) -> None:
    """Point and interval mirror on 1, and the point lies inside."""
    there, back = log_estimate(logs), log_estimate([-each for each in logs])
    assert there.point * back.point == pytest.approx(1)
    if there.low is None or there.high is None:
        assert len(logs) == 1
        return
    assert there.low * (back.high or 0) == pytest.approx(1)
    assert there.low <= there.point <= there.high


@pytest.mark.parametrize("n", [1, 2, 9, 13])
def test_the_signed_rank_distribution_is_scipys(n: int) -> None:
    """Every rank sum that n values can have, against scipy's exact test; and all signs positive are one in 2^n."""
    survival = signed_rank_survival(n)
    assert survival[0] == 1
    assert survival[-1] == 0.5**n
    for signs in np.random.default_rng(n).choice([-1, 1], (20, n)):
        signed = signs * np.arange(1, n + 1)
        exact = wilcoxon(signed, alternative="greater", method="exact").pvalue
        assert survival[signed[signed > 0].sum()] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(0, 5, 0.0, 0.5218), (5, 5, 0.4782, 1.0), (1, 5, 0.0051, 0.7164), (0, 50, 0.0, 0.0711)],
)
def test_a_share_has_its_exact_interval(hits: int, n: int, low: float, high: float) -> None:
    """Clopper and Pearson's figures: five clean blocks leave a rate of 52 % possible."""
    estimate = share_estimate(hits, n)
    assert estimate.point == hits / n
    assert estimate.low == pytest.approx(low, abs=1e-4)
    assert estimate.high == pytest.approx(high, abs=1e-4)
    assert (estimate.n, estimate.method) == (n, "exact binomial interval")


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_lies_in_its_interval_and_mirrors(trial: tuple[int, int]) -> None:
    """Hits and misses are two sides of one statement, and no number of trials claims certainty."""
    hits, n = trial
    estimate, mirrored = share_estimate(hits, n), share_estimate(n - hits, n)
    assert estimate.low is not None
    assert estimate.high is not None
    assert mirrored.high is not None
    assert 0 <= estimate.low <= estimate.point <= estimate.high <= 1
    assert estimate.low < estimate.high
    assert estimate.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.5), (0.99, 3.97), (1.0, 4.0)])
def test_a_quantile_lies_between_its_neighbours(share: float, value: float) -> None:
    """Four values in any order, interpolated."""
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == pytest.approx(value)


@given(VALUES, st.floats(0, 1), st.floats(0, 1))
def test_quantiles_rise_with_their_share_and_stay_inside(values: list[float], first: float, second: float) -> None:
    """Never beyond the smallest and the largest value."""
    low, high = (quantile(values, share) for share in sorted((first, second)))
    slack = 1e-9 * max(map(abs, values))
    assert min(values) - slack <= low <= high + slack
    assert high <= max(values) + slack
