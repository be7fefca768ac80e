"""Verdicts after every block."""

from __future__ import annotations

from itertools import product
from math import exp, inf, nan
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, ttest_1samp, wilcoxon

from harness.judge import Verdict, levels
from harness.judge.sequential import Design, decide, decide_share, level, mde, p_value
from harness.judge.statistics import log_estimate
from harness.records.errors import ConfigurationError
from harness.scenarios import FIRST_LOOK

ALPHAS = (0.05, 0.02, 0.01)
"""Loose enough for hypothesis to find sessions that are decided."""
# Multiples of 1/32: sums and differences of a few are exact, so that equal statements are equal to the last bit.
EXACT = st.integers(-64, 64).map(lambda parts: parts / 32)
SESSIONS = st.lists(EXACT, max_size=16)
DESIGNS = st.builds(Design, st.integers(4, 30), st.booleans(), st.sampled_from(ALPHAS), st.sampled_from(ALPHAS))
LIMITS = st.tuples(EXACT, EXACT)
SEQUENTIAL = Design(30, fixed=False, alpha_fail=0.01, alpha_pass=0.05)
FIXED = Design(5, fixed=True, alpha_fail=0.01, alpha_pass=0.05)


@pytest.mark.parametrize("n", [2, 3, 8, 9, 10, 30, 60])
def test_p_is_what_scipy_says(n: int) -> None:
    """Student's t below nine values, the exact signed-rank test from nine on."""
    for values in np.random.default_rng(n).normal(0.5, 1.0, (20, n)):
        if n < 9:
            expected = ttest_1samp(values, 0, alternative="greater").pvalue
        else:
            expected = wilcoxon(values, alternative="greater", method="exact").pvalue
        assert p_value(values.tolist()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("sizes", [[1.0] * 9, [0, 0, 0, 1, 1, 2, 2, 2, 3], [0.0] * 10, list(range(9))])
def test_ties_and_zeros_never_make_the_error_rate_larger(sizes: list[float]) -> None:
    """Of all signs that tied sizes can have, a share of at most p has a p as small: exactly, for every p."""
    ps = np.sort([p_value([s * size for s, size in zip(signs, sizes, strict=True)]) for signs in _signs(len(sizes))])
    assert (np.arange(1, ps.size + 1) / ps.size <= ps + 1e-12)[np.append(np.diff(ps) > 0, True)].all()


def _signs(n: int) -> list[tuple[int, ...]]:
    return list(product((-1, 1), repeat=n))


@pytest.mark.parametrize("n", [2, 4, 8])
def test_values_equal_to_the_last_bit_leave_no_doubt(n: int) -> None:
    """A paced server whose blocks are all alike: above 0 is shown, on it or below is not."""
    assert [p_value([each] * n) for each in (0.1, 1e-300, 0.0, -0.1)] == [0.0, 0.0, 1.0, 1.0]


def test_nine_equal_values_have_the_p_of_nine_coins() -> None:
    """The signed-rank test knows signs only, and that is what it says."""
    assert p_value([0.1] * 9) == 2**-9
    assert p_value([0.0] * 9) == p_value([-0.1] * 9) == 1.0


@pytest.mark.parametrize("values", [[], [3.0]])
def test_fewer_than_two_values_show_nothing(values: list[float]) -> None:
    """A single block has no spread to compare it with."""
    assert p_value(values) == 1.0


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
def test_a_value_that_is_no_number_is_refused(wrong: float) -> None:
    """NaN compares false with every level and would leave a gate undecided in silence."""
    with pytest.raises(ValueError, match="finite"):
        p_value([1.0, wrong, 2.0])


@given(st.lists(st.floats(-1e6, 1e6), max_size=14))
def test_p_is_a_chance(values: list[float]) -> None:
    """Between 0 and 1 for any values, without a warning (which would be an error here)."""
    assert 0 <= p_value(values) <= 1


@given(st.lists(EXACT, min_size=2, max_size=14), EXACT)
def test_p_falls_as_the_values_rise(values: list[float], shift: float) -> None:
    """Never more doubt that values are above 0 when all of them are higher."""
    assert p_value([value + abs(shift) for value in values]) <= p_value(values) + 1e-12


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=14), st.floats(-1, 1))
def test_an_interval_holds_what_the_test_does_not_reject(values: list[float], location: float) -> None:
    """The ratio's interval and the p are one statement: 2.5 % on either side."""
    estimate = log_estimate(values)
    assert estimate.low is not None
    assert estimate.high is not None
    above = p_value([value - location for value in values])
    if abs(above - 0.025) > 1e-6:
        slack = 1e-9
        assert exp(location) < estimate.low + slack if above <= 0.025 else exp(location) >= estimate.low - slack


def test_a_fixed_number_of_runs_has_one_look_at_the_whole_rate() -> None:
    """Nothing is to be shared between looks; also beyond the table."""
    assert level(0.003, 5, fixed=True) == 0.003
    assert level(1e-6, 500, fixed=True) == 1e-6


def test_the_table_is_read_on_the_safe_side() -> None:
    """The next smaller error rate and the next larger number of runs; a rate of its own however it was computed."""
    column = levels.GATES.index(6)
    known = 0.05 / 6 * levels.LEVELS[40][column] / levels.PARTS
    for alpha, runs in ((0.05 / 6, 40), (0.05 / 6 * (1 - 1e-12), 31), (0.0099, 33)):
        assert level(alpha, runs, fixed=False) == pytest.approx(known, rel=1e-9)
    assert level(0.0099, 40, fixed=False) < level(0.01, 40, fixed=False)
    assert level(0.4, 20, fixed=False) == level(0.05, 20, fixed=False)


@pytest.mark.parametrize(
    ("alpha", "max_runs", "fixed", "advice"),
    [
        (0.01, 3, False, "--max-runs 4.*--runs 3"),
        (0.01, 61, False, "--max-runs 60.*--runs 61"),
        (0.0004, 30, False, "--scenario.*--runs"),
        (0.0, 30, False, "above 0"),
        (0.6, 30, True, "at most 0.5"),
        (nan, 30, True, "at most 0.5"),
    ],
)
def test_an_impossible_design_is_refused_with_advice(alpha: float, max_runs: int, fixed: bool, advice: str) -> None:
    """Before anything is measured, and the message says what to do."""
    with pytest.raises(ConfigurationError, match=advice):
        Design(max_runs, fixed=fixed, alpha_fail=0.05, alpha_pass=alpha)


def test_a_design_has_a_level_for_each_side() -> None:
    """FAIL at its own error rate, PASS at its own."""
    design = Design(20, fixed=False, alpha_fail=0.01, alpha_pass=0.05)
    assert design.level_fail == level(0.01, 20, fixed=False)
    assert design.level_pass == level(0.05, 20, fixed=False)
    assert design.level_fail < design.level_pass


@pytest.mark.parametrize(("runs", "alpha"), [(10, 0.05), (12, 0.025)])
@pytest.mark.parametrize("wrong", [Verdict.FAIL, Verdict.PASS])
def test_a_value_on_its_limit_is_misjudged_as_rarely_as_promised(wrong: Verdict, runs: int, alpha: float) -> None:
    """An entry of the table by another simulation, through the functions that judge; within three standard errors."""
    sessions, fails = 3000, wrong is Verdict.FAIL
    rates = (alpha, 0.0005) if fails else (0.0005, alpha)
    design = Design(runs, fixed=False, alpha_fail=rates[0], alpha_pass=rates[1])
    limits = (0.2, -9.0) if fails else (9.0, 0.2)
    values = np.random.default_rng(runs).normal(0.2, 0.1, (sessions, runs)).tolist()
    found = [decide(each, fail_above=limits[0], pass_below=limits[1], design=design).verdict for each in values]
    assert found.count(wrong) / sessions == pytest.approx(alpha, abs=3 * (alpha / sessions) ** 0.5)


def test_a_clear_session_ends_at_its_first_look() -> None:
    """Four blocks far beyond the limit are enough, either way, and their p are given."""
    worse = decide([1.0, 1.01, 0.99, 1.0], fail_above=0.5, pass_below=0.5, design=SEQUENTIAL)
    assert (worse.verdict, worse.decided_at) == (Verdict.FAIL, 4)
    assert worse.p_fail < 0.0001
    assert worse.p_pass > 0.99
    better = decide([-value for value in (1.0, 1.01, 0.99, 1.0)], fail_above=0.5, pass_below=0.5, design=SEQUENTIAL)
    assert (better.verdict, better.decided_at) == (Verdict.PASS, 4)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0, 1.0]])
def test_before_the_first_look_nothing_is_decided(values: list[float]) -> None:
    """Three blocks may agree by chance."""
    decision = decide(values, fail_above=0.5, pass_below=0.5, design=SEQUENTIAL)
    assert (decision.verdict, decision.decided_at) == (Verdict.INCONCLUSIVE, None)
    assert (decision.p_fail, decision.p_pass) == (1.0, 1.0)


def test_noise_about_the_limit_is_not_decided() -> None:
    """Thirty blocks that straddle it end INCONCLUSIVE, with the last look's p."""
    decision = decide([0.1, -0.1] * 15, fail_above=0.0, pass_below=0.0, design=SEQUENTIAL)
    assert (decision.verdict, decision.decided_at) == (Verdict.INCONCLUSIVE, None)
    assert decision.p_fail == p_value([0.1, -0.1] * 15)


def test_values_beyond_the_last_run_are_not_looked_at() -> None:
    """The levels are for so many looks and not one more."""
    design = Design(4, fixed=False, alpha_fail=0.01, alpha_pass=0.01)
    values = [0.1, -0.1, 0.1, -0.1, *[1.0] * 30]
    assert decide(values, fail_above=0.0, pass_below=0.0, design=design).verdict is Verdict.INCONCLUSIVE


def test_fail_wins_over_pass_at_one_look() -> None:
    """More than the noise, and surely less than what is too much: shown to be worse is what is said."""
    decision = decide([0.03, 0.0301, 0.0299, 0.03], fail_above=0.01, pass_below=0.05, design=SEQUENTIAL)
    assert (decision.verdict, decision.decided_at) == (Verdict.FAIL, 4)
    assert decision.p_pass <= SEQUENTIAL.level_pass


def test_a_fixed_design_looks_once_at_all_values() -> None:
    """From two values on, whatever number was planned: blocks may have been invalid."""
    values = [1.0, 1.02, 0.98, 1.01, -5.0]
    assert decide(values, fail_above=0.5, pass_below=0.5, design=FIXED).verdict is Verdict.INCONCLUSIVE
    decision = decide(values[:4], fail_above=0.5, pass_below=0.5, design=FIXED)
    assert (decision.verdict, decision.decided_at) == (Verdict.FAIL, 4)
    assert decide([1.0, 1.0001], fail_above=0.5, pass_below=0.5, design=FIXED).verdict is Verdict.FAIL
    assert decide([1.0], fail_above=0.5, pass_below=0.5, design=FIXED).verdict is Verdict.INCONCLUSIVE


@given(SESSIONS, LIMITS, DESIGNS, EXACT, st.sampled_from([0.25, 1.0, 8.0]))
def test_a_verdict_does_not_depend_on_the_unit(
    values: list[float], limits: tuple[float, float], design: Design, shift: float, factor: float
) -> None:
    """Values and limits moved and stretched together say the same."""
    plain = decide(values, fail_above=limits[0], pass_below=limits[1], design=design)
    low, high = (factor * (limit + shift) for limit in limits)
    moved = decide([factor * (value + shift) for value in values], fail_above=low, pass_below=high, design=design)
    assert (moved.verdict, moved.decided_at) == (plain.verdict, plain.decided_at)
    assert (moved.p_fail, moved.p_pass) == pytest.approx((plain.p_fail, plain.p_pass))


@given(SESSIONS, LIMITS, DESIGNS, EXACT)
def test_worse_values_never_give_a_better_verdict(
    values: list[float], limits: tuple[float, float], design: Design, shift: float
) -> None:
    """A session in which every block is worse by the same amount does not turn FAIL into PASS, nor decide PASS anew."""
    worse = [value + abs(shift) for value in values]
    before, after = (decide(v, fail_above=limits[0], pass_below=limits[1], design=design) for v in (values, worse))
    order = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    assert order.index(after.verdict) >= order.index(before.verdict)


@given(SESSIONS, SESSIONS, LIMITS, DESIGNS.filter(lambda design: not design.fixed))
def test_what_is_decided_stays_decided(
    values: list[float], more: list[float], limits: tuple[float, float], design: Design
) -> None:
    """More blocks after the decision change nothing of it."""
    before, after = (
        decide(v, fail_above=limits[0], pass_below=limits[1], design=design) for v in (values, values + more)
    )
    if before.decided_at is not None:
        assert after == before


@pytest.mark.parametrize("runs", [6, 10])
@pytest.mark.parametrize("rate", [0.06, 0.3, 0.5])
@pytest.mark.parametrize("alpha", [0.05, 0.00625])
def test_a_rate_on_its_limit_fails_as_rarely_as_promised(runs: int, rate: float, alpha: float) -> None:
    """Over all series of hits there are, each with its chance: at most the error rate."""
    design = Design(runs, fixed=False, alpha_fail=alpha, alpha_pass=0.05)
    failed = 0.0
    for hits in product((False, True), repeat=runs):
        if decide_share(hits, limit=rate, design=design).verdict is Verdict.FAIL:
            failed += rate ** sum(hits) * (1 - rate) ** (runs - sum(hits))
    assert failed <= alpha * (1 + 1e-9)
    assert (decide_share([True] * runs, limit=rate, design=design).verdict is Verdict.FAIL) == (failed > 0)


@pytest.mark.parametrize("rate", [0.06, 0.33])
def test_the_rates_level_is_the_largest_that_keeps_the_error_rate(rate: float) -> None:
    """By brute force over every level that differs: none closer to the error rate is left out."""
    runs, alpha = 9, 0.05
    looks = range(FIRST_LOOK, runs + 1)
    p = {(n, h): float(binom.sf(h - 1, n, rate)) for n in looks for h in range(n + 1)}
    design = Design(runs, fixed=False, alpha_fail=alpha, alpha_pass=0.05)
    every = [np.cumsum(hits) for hits in product((0, 1), repeat=runs)]

    def crossed(needed: float) -> float:
        bad = [c for c in every if any(p[n, int(c[n - 1])] <= needed for n in looks)]
        return sum(rate ** int(c[-1]) * (1 - rate) ** int(runs - c[-1]) for c in bad)

    best = max(needed for needed in p.values() if crossed(needed) <= alpha)
    for hits in product((False, True), repeat=runs):
        expected = any(p[n, sum(hits[:n])] <= best for n in looks)
        assert (decide_share(hits, limit=rate, design=design).verdict is Verdict.FAIL) == expected


@pytest.mark.parametrize("hits", [0, 1, 2, 3, 5])
def test_a_fixed_number_of_runs_has_the_plain_binomial_test(hits: int) -> None:
    """One look, at the error rate itself."""
    p = binomtest(hits, 5, 0.1, "greater").pvalue
    decision = decide_share([True] * hits + [False] * (5 - hits), limit=0.1, design=FIXED)
    assert decision.p_fail == pytest.approx(p)
    assert (decision.verdict is Verdict.FAIL) == (p <= 0.01)


def test_a_rate_passes_if_the_observed_one_meets_the_limit() -> None:
    """Weak on purpose, and never decided for good; one that is above it but may be chance is INCONCLUSIVE."""
    clean = decide_share([False] * 5, limit=0.06, design=SEQUENTIAL)
    assert (clean.verdict, clean.decided_at) == (Verdict.PASS, None)
    assert clean.p_pass == pytest.approx(0.94**5)
    on_it = decide_share([True, *[False] * 9], limit=0.1, design=SEQUENTIAL)
    assert on_it.verdict is Verdict.PASS
    over = decide_share([True, *[False] * 4], limit=0.06, design=SEQUENTIAL)
    assert (over.verdict, over.decided_at) == (Verdict.INCONCLUSIVE, None)
    assert decide_share([], limit=0.06, design=SEQUENTIAL).verdict is Verdict.INCONCLUSIVE


def test_a_rate_that_failed_stays_failed() -> None:
    """Four hits in a row are not made good by clean blocks."""
    decision = decide_share([True] * 4 + [False] * 26, limit=0.1, design=SEQUENTIAL)
    assert (decision.verdict, decision.decided_at) == (Verdict.FAIL, 4)


@pytest.mark.parametrize("design", [SEQUENTIAL, FIXED])
def test_the_ends_of_all_rates(design: Design) -> None:
    """No rate is above 1; with a limit of 0 one hit is proof, before the first look too; one below 0 is never met."""
    assert decide_share([True] * 5, limit=1.0, design=design).verdict is Verdict.PASS
    assert decide_share([True] * 5, limit=1.5, design=design).verdict is Verdict.PASS
    assert decide_share([False] * 5, limit=0.0, design=design).verdict is Verdict.PASS
    proof = decide_share([False, True], limit=0.0, design=design)
    assert (proof.verdict, proof.decided_at, proof.p_fail) == (Verdict.FAIL, 2, 0.0)
    assert decide_share([False] * 5, limit=-1.0, design=design).verdict is Verdict.INCONCLUSIVE


@given(st.lists(st.booleans(), max_size=30), st.floats(0, 1), st.floats(0, 1), st.integers(0, 29))
def test_one_more_hit_never_helps(hits: list[bool], limit: float, second: float, where: int) -> None:
    """The rate's verdict is monotone in the hits."""
    more = [hit or i == where for i, hit in enumerate(hits)]
    before, after = (decide_share(h, limit=limit, design=SEQUENTIAL).verdict for h in (hits, more))
    order = [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL]
    if hits:
        assert order.index(after) >= order.index(before)


def _found(design: Design, n: int, shift: float) -> float:
    """Share of 1000 simulated sessions of n values with SD 1 that FAIL at this true shift."""
    values = np.random.default_rng(n).normal(shift, 1.0, (1000, n)).tolist()
    decisions = [decide(each, fail_above=0.0, pass_below=-99.0, design=design) for each in values]
    return sum(decision.verdict is Verdict.FAIL for decision in decisions) / len(decisions)


@pytest.mark.parametrize(
    ("design", "n"),
    [
        (Design(10, fixed=False, alpha_fail=0.01, alpha_pass=0.0005), 10),
        (Design(5, fixed=True, alpha_fail=0.01, alpha_pass=0.0005), 5),
        (Design(9, fixed=True, alpha_fail=0.002, alpha_pass=0.0005), 9),
        (Design(14, fixed=True, alpha_fail=0.01, alpha_pass=0.0005), 14),
    ],
)
def test_the_mde_is_found_in_nine_of_ten_sessions(design: Design, n: int) -> None:
    """What is said to be detectable is detected, by simulation; within three standard errors."""
    values = [1.0, -1.0] * (n // 2) + [0.0] * (n % 2)
    detectable = mde(values, design)
    assert detectable is not None
    assert _found(design, n, detectable / stdev(values)) == pytest.approx(0.9, abs=0.028)


def test_the_mde_of_a_session_says_nothing_without_spread() -> None:
    """One value has none; and nine signs cannot show what happens by chance less often than once in 512."""
    assert mde([1.0], SEQUENTIAL) is None
    assert mde([1.0], FIXED) is None
    strict = Design(9, fixed=True, alpha_fail=0.0019, alpha_pass=0.05)
    assert mde([0.0, 1.0] * 4 + [0.0], strict) is None
    assert mde([1.0, 1.0, 1.0, 1.0], SEQUENTIAL) == 0.0


def test_the_mde_between_the_tables_rows_is_that_of_fewer_runs() -> None:
    """Never smaller than it is."""
    between, below = (Design(runs, fixed=False, alpha_fail=0.01, alpha_pass=0.05) for runs in (35, 30))
    assert mde([0.0, 1.0], between) == mde([0.0, 1.0], below)


@pytest.mark.parametrize("alpha", [0.05, 0.00125, 1e-5])
def test_one_look_detects_less_the_fewer_the_values(alpha: float) -> None:
    """Down to two values and at tiny error rates there is a finite MDE, and each value more makes it smaller."""
    found = [
        mde([0.0, 1.0] * 4 if n == 8 else [0.0] * (n - 1) + [1.0], Design(n, True, alpha, 0.05)) for n in range(2, 9)
    ]
    spreads = [stdev([0.0, 1.0] * 4 if n == 8 else [0.0] * (n - 1) + [1.0]) for n in range(2, 9)]
    factors = [each / spread for each, spread in zip(found, spreads, strict=True) if each is not None]
    assert len(factors) == 7
    assert factors == sorted(factors, reverse=True)
