"""A session against stored ones: sessions are the units, and the verdicts keep their error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp, isnan, log
from random import Random
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import ttest_ind

from harness.judge.baseline import judge_against_baseline
from harness.judge.change import SELF_NORMALISED, Change
from harness.judge.verdict import Verdict
from harness.scenarios import ChangeRules

RULES = ChangeRules(SELF_NORMALISED)
BARE = replace(RULES, noise_pct=0.0)
"""Without an allowance for noise: FAIL is the test of "not worse" itself."""
BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}
RATIOS = st.integers(500, 2000).map(lambda thousandths: thousandths / 1000)
SESSION = st.lists(RATIOS, min_size=2, max_size=6)
STORED = st.lists(RATIOS, min_size=2, max_size=8).filter(lambda values: len(set(values)) > 1)


def _judged(
    values: Sequence[float],
    stored: Sequence[float],
    *,
    metric: str = "slowdown",
    rules: ChangeRules = RULES,
    alpha_fail: float = 0.01,
    alpha_pass: float = 0.05,
) -> Change:
    return judge_against_baseline(metric, values, stored, "main", rules, alpha_fail, alpha_pass)


def _alike(centre: float) -> tuple[float, float]:
    """Two blocks that hardly differ: their own error is nothing beside what sessions differ by."""
    return centre * (1 - 1e-9), centre * (1 + 1e-9)


def _sessions(
    random: np.random.Generator, count: int, *, between: float, within: float, blocks: int
) -> NDArray[np.float64]:
    """Logarithms of ``count`` sessions of so many blocks each, around 0."""
    return random.normal(0, between, (count, 1)) + random.normal(0, within, (count, blocks))


def _share(
    verdict: Verdict,
    k: int,
    *,
    shift: float = 0.0,
    between: float = 0.03,
    within: float = 0.004,
    blocks: int = 10,
    rules: ChangeRules = RULES,
    repeats: int = 3000,
) -> float:
    """How often a session that is ``shift`` worse gets a verdict at 5 % either way, over worlds with a seed."""
    random = np.random.default_rng(20260)
    hits = 0
    for _ in range(repeats):
        logs = _sessions(random, k + 1, between=between, within=within, blocks=blocks)
        values, stored = np.exp(logs[0] + shift).tolist(), np.exp(logs[1:].mean(axis=1)).tolist()
        hits += _judged(values, stored, rules=rules, alpha_fail=0.05).verdict is verdict
    return hits / repeats


@pytest.mark.parametrize("k", [4, 8])
def test_a_session_on_the_edge_of_noise_fails_as_often_as_was_stated(k: int) -> None:
    """5 % of sessions that are exactly the allowed noise worse, where sessions differ more than blocks do."""
    assert _share(Verdict.FAIL, k, shift=log(1.01)) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("k", [4, 8])
def test_a_session_on_the_limit_passes_as_often_as_was_stated(k: int) -> None:
    """5 % of sessions that are exactly 5 % worse."""
    assert _share(Verdict.PASS, k, shift=log(1.05)) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("k", [4, 8])
@pytest.mark.parametrize("between", [0.0, 0.01])
def test_where_blocks_differ_more_than_sessions_it_alarms_less_often(k: int, between: float) -> None:
    """With 4 % between blocks: a session's own error stands in for a spread of sessions that came out small by luck."""
    assert _share(Verdict.FAIL, k, between=between, within=0.04, rules=BARE, repeats=1500) <= 0.05


@pytest.mark.parametrize("k", [4, 8])
def test_blocks_as_units_would_alarm_far_more_often(k: int) -> None:
    """The reason for the design: in the same worlds, at 5 %, pooled blocks alarm in more than 25 of 100 sessions."""
    random = np.random.default_rng(20261)
    worlds = [_sessions(random, k + 1, between=0.03, within=0.04, blocks=30) for _ in range(1500)]
    new, pooled = np.array([world[0] for world in worlds]), np.array([world[1:].ravel() for world in worlds])
    p = ttest_ind(new, pooled, axis=1, alternative="greater").pvalue
    assert float(np.mean(p <= 0.05)) > 0.25
    with_sessions = _share(Verdict.FAIL, k, between=0.03, within=0.04, blocks=30, rules=BARE, repeats=1500)
    assert with_sessions == pytest.approx(0.05, abs=0.015)


def test_few_blocks_against_stored_sessions_of_many_do_not_alarm_for_it() -> None:
    """4 blocks scatter more than the means of 30; taken as one of those they would alarm in 24 of 100 sessions."""
    random = np.random.default_rng(20262)
    alarms = 0
    for _ in range(2000):
        stored = np.exp(_sessions(random, 8, between=0.0, within=0.04, blocks=30).mean(axis=1)).tolist()
        values = np.exp(_sessions(random, 1, between=0.0, within=0.04, blocks=4)[0]).tolist()
        alarms += _judged(values, stored, rules=BARE, alpha_fail=0.05).verdict is Verdict.FAIL
    assert alarms / 2000 < 0.10


@pytest.mark.parametrize("k", [3, 8])
def test_the_detectable_change_is_found_in_nine_of_ten_sessions(k: int) -> None:
    """Sessions that are worse by the MDE of a baseline whose spread is the true one."""
    steps = np.arange(k) - (k - 1) / 2
    typical = np.exp(0.02 * steps / steps.std(ddof=1)).tolist()
    mde_pct = _judged(_alike(1.0), typical, alpha_fail=0.05).mde_pct
    assert mde_pct is not None
    found = _share(Verdict.FAIL, k, shift=log(1 + mde_pct / 100), between=0.02, within=1e-6)
    assert found == pytest.approx(0.9, abs=0.015)


LEVELS = st.sampled_from([0.001, 0.01, 0.05, 0.2])


@given(RATIOS, STORED, LEVELS, LEVELS)
def test_it_is_the_two_sample_t_test_with_one_value_on_one_side(
    value: float, stored: list[float], to_fail: float, to_pass: float
) -> None:
    """FAIL, PASS and the interval agree with scipy's own, as long as this session's blocks hardly differ."""
    change = _judged(_alike(value), stored, alpha_fail=to_fail, alpha_pass=to_pass)
    logs = np.log(stored)

    def p(shift: float, side: Literal["less", "greater"]) -> float:
        return float(ttest_ind([log(value) - shift], logs, alternative=side).pvalue)

    fails, passes = p(log(1.01), "greater") <= to_fail, p(log(1.05), "less") <= to_pass
    assert change.verdict is (Verdict.FAIL if fails else Verdict.PASS if passes else Verdict.INCONCLUSIVE)
    low, high = ttest_ind([log(value)], logs).confidence_interval(0.95)
    assert change.ratio.point == pytest.approx(value / exp(logs.mean()))
    assert change.ratio.low == pytest.approx(exp(low), rel=1e-6)
    if high < 700:
        assert change.ratio.high == pytest.approx(exp(high), rel=1e-6)


@given(SESSION, STORED, st.floats(0.01, 100))
def test_a_common_factor_changes_nothing(values: list[float], stored: list[float], factor: float) -> None:
    """A metric in per cent or in shares gives the same verdict, ratio and MDE."""
    one = _judged(values, stored)
    other = _judged([factor * value for value in values], [factor * value for value in stored])
    assert (one.verdict, one.too_good, one.reason) == (other.verdict, other.too_good, other.reason)
    assert other.ratio.point == pytest.approx(one.ratio.point)
    assert other.ratio.high == pytest.approx(one.ratio.high, rel=1e-6)
    assert other.mde_pct == (None if one.mde_pct is None else pytest.approx(one.mde_pct, rel=1e-6))


@given(SESSION, STORED)
def test_a_metric_turned_over_is_judged_the_same(values: list[float], stored: list[float]) -> None:
    """Higher slowdown is worse as lower efficiency is: the inverse ratios give the inverse ratio and one verdict."""
    one = _judged(values, stored)
    other = _judged([1 / v for v in values], [1 / v for v in stored], metric="measured_efficiency_pct")
    assert (one.worse, other.worse) == ("higher", "lower")
    assert (one.verdict, one.too_good) == (other.verdict, other.too_good)
    assert other.ratio.point == pytest.approx(1 / one.ratio.point)
    assert other.ratio.low is not None
    assert other.ratio.low == pytest.approx(1 / (one.ratio.high or 1), rel=1e-6)
    assert other.mde_pct == (None if one.mde_pct is None else pytest.approx(one.mde_pct, rel=1e-6))


@given(SESSION, STORED, st.randoms(use_true_random=False))
def test_the_order_of_blocks_and_of_sessions_does_not_matter(
    values: list[float], stored: list[float], random: Random
) -> None:
    """To the last digit."""
    mixed, others = random.sample(values, len(values)), random.sample(stored, len(stored))
    assert _judged(mixed, others) == _judged(values, stored)


@given(SESSION, STORED, st.floats(1.0, 3.0))
def test_a_worse_session_never_gets_a_better_verdict(values: list[float], stored: list[float], factor: float) -> None:
    """All blocks worse by one factor."""
    worse = _judged([factor * value for value in values], stored)
    assert BADNESS[worse.verdict] >= BADNESS[_judged(values, stored).verdict]


@given(SESSION, st.lists(RATIOS, min_size=2, max_size=8))
def test_a_reason_is_given_exactly_where_nothing_was_judged(values: list[float], stored: list[float]) -> None:
    """INVALID says why; every other verdict has an interval around its point."""
    change = _judged(values, stored)
    assert (change.verdict is Verdict.INVALID) is bool(change.reason)
    if not change.reason:
        assert change.ratio.low is not None
        assert change.ratio.high is not None
        assert change.ratio.low < change.ratio.point < change.ratio.high


STEADY = (1.00, 1.02, 0.99, 1.01, 1.00, 1.02, 0.99, 1.01)


@pytest.mark.parametrize(
    ("value", "verdict", "too_good"),
    [
        (1.10, Verdict.FAIL, False),
        (1.04, Verdict.INCONCLUSIVE, False),
        (1.00, Verdict.PASS, False),
        (0.85, Verdict.PASS, False),
        (0.82, Verdict.PASS, False),
        (0.75, Verdict.PASS, True),
    ],
)
def test_verdicts_beside_a_steady_baseline(value: float, verdict: Verdict, too_good: bool) -> None:
    """Eight sessions within 1.2 %: 10 % worse fails, the same passes, and certainly 20 % better is too good."""
    change = _judged(_alike(value), STEADY)
    assert (change.verdict, change.too_good) == (verdict, too_good)
    assert (change.metric, change.against, change.decided_at) == ("slowdown", "baseline main", None)
    assert (change.ratio.n, change.ratio.method) == (8, "t prediction interval over sessions")
    assert (change.worse_pct, change.noise_pct, change.reason) == (5.0, 1.0, "")


def test_a_great_improvement_within_the_noise_of_sessions_is_not_too_good() -> None:
    """30 % better than two sessions that differ as much."""
    assert not _judged(_alike(0.7), (0.8, 1.25)).too_good


def test_lower_efficiency_is_worse() -> None:
    """The side comes with the metric."""
    stored = [90 * value for value in STEADY]
    assert _judged(_alike(80.0), stored, metric="measured_efficiency_pct").verdict is Verdict.FAIL
    assert _judged(_alike(90.0), stored, metric="measured_efficiency_pct").verdict is Verdict.PASS


@pytest.mark.parametrize(("k", "least_pct"), [(2, 200.0), (3, 20.0), (4, 10.0)])
def test_few_sessions_decide_nothing_and_say_what_they_could_have_found(k: int, least_pct: float) -> None:
    """9 % worse than sessions that differ by 1 %, with 9 gates: not decided, and the MDE says why."""
    change = _judged(_alike(1.10), (1.0, 1.02, 0.99, 1.01)[:k], alpha_fail=0.05 / 9)
    assert change.verdict is Verdict.INCONCLUSIVE
    assert change.mde_pct is not None
    assert change.mde_pct > least_pct


def test_an_mde_that_no_float_can_hold_is_none() -> None:
    """Two sessions hundreds of powers of ten apart find nothing; the interval is open above."""
    change = _judged(_alike(1.0), (1e-150, 1e150), alpha_fail=1e-4)
    assert (change.verdict, change.mde_pct, change.ratio.high) == (Verdict.INCONCLUSIVE, None, float("inf"))


def test_more_blocks_never_make_up_for_sessions() -> None:
    """A thousand blocks that agree with each other leave the verdict with the spread of sessions."""
    assert _judged(_alike(1.10) * 500, (1.0, 1.02)).verdict is Verdict.INCONCLUSIVE


def test_blocks_that_differ_widen_what_steady_sessions_promise() -> None:
    """4 blocks from 0.9 to 1.4 do not show that the session is 10 % worse."""
    assert _judged((0.9, 1.4, 0.95, 1.2), STEADY).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("values", "stored", "reason", "point"),
    [
        ((1.0, 1.1), (), "holds 0 of the 2 sessions .* save 2 more with --baseline-save main, or 8", None),
        ((1.0, 1.0), (0.5,), "holds 1 of the 2 sessions .* save 1 more with --baseline-save main, or 7", 2.0),
        ((), (1.0, 1.1), "no valid block", None),
        ((1.0,), (1.0, 1.0001), "one valid block", 1.0),
        ((1.0, 1.1), (1.0, 1.0, 1.0), "the 3 sessions .* copies of one session", 1.0488),
        ((1.0, float("nan")), (1.0, 1.1), "a block's ratio is no positive number", None),
        ((1.0, -1.0), (1.0, 1.1), "a block's ratio is no positive number", None),
        ((1.0, 1.1), (1.0, float("inf")), "holds a ratio that is no positive number", None),
        ((1.0, 1.1), (1.0, 0.0), "holds a ratio that is no positive number", None),
    ],
)
def test_what_cannot_be_judged_is_invalid_and_says_why(
    values: tuple[float, ...], stored: tuple[float, ...], reason: str, point: float | None
) -> None:
    """Never a verdict, an interval or an MDE; the ratio stands if there is one."""
    change = _judged(values, stored)
    assert (change.verdict, change.mde_pct, change.too_good) == (Verdict.INVALID, None, False)
    assert pytest.approx(change.ratio.point, abs=1e-4) == point if point else isnan(change.ratio.point)
    assert (change.ratio.low, change.ratio.high, change.ratio.n) == (None, None, len(stored))
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(change.reason)


def test_a_figure_with_a_unit_is_not_judged_against_a_file() -> None:
    """Tokens per second of another day are shown, not gated."""
    with pytest.raises(ValueError, match="aggregate_tok_s is not one of"):
        _judged((1.0, 1.1), (1.0, 1.1), metric="aggregate_tok_s")
