"""From an estimate and a limit to a verdict."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Estimate, Verdict, mean_estimate, overall, share_estimate
from harness.judge.gate import judge_mean, judge_share
from harness.scenarios import Limit

BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}
NUMBERS = st.floats(0, 200)


@pytest.mark.parametrize(
    ("low", "high", "minimum", "maximum"),
    [
        (91.0, 95.0, Verdict.PASS, Verdict.FAIL),
        (90.0, 95.0, Verdict.PASS, Verdict.INCONCLUSIVE),
        (89.9, 95.0, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
        (85.0, 90.0, Verdict.INCONCLUSIVE, Verdict.PASS),
        (85.0, 89.9, Verdict.FAIL, Verdict.PASS),
        (None, None, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_only_a_whole_interval_decides(
    low: float | None, high: float | None, minimum: Verdict, maximum: Verdict
) -> None:
    """Limit 90: an interval across it decides nothing; its ends meet it."""
    estimate = Estimate(92.0, low, high, 5, "t interval")
    assert judge_mean(Limit("guide_efficiency_pct", 90.0), estimate) is minimum
    assert judge_mean(Limit("contention_rate", 90.0), estimate) is maximum


@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS, NUMBERS)
@pytest.mark.parametrize("metric", ["guide_efficiency_pct", "contention_rate"])
def test_a_harder_limit_never_gives_a_better_verdict(
    metric: str, values: list[float], first: float, second: float
) -> None:
    """The verdict is monotone in the limit, on both sides."""
    estimate = mean_estimate(values)
    lower, upper = (BADNESS[judge_mean(Limit(metric, value), estimate)] for value in sorted((first, second)))
    assert lower <= upper if metric == "guide_efficiency_pct" else lower >= upper


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_rate_allowed_never_gives_a_better_verdict(
    trial: tuple[int, int], first: float, second: float
) -> None:
    """Monotone for shares too; and one more hit never helps."""
    hits, n = trial
    strict, lax = sorted((first, second))

    def badness(count: int, limit: float) -> int:
        return BADNESS[judge_share(Limit("contention_rate", limit), share_estimate(count, n))]

    assert badness(hits, strict) >= badness(hits, lax)
    assert badness(max(0, hits - 1), strict) <= badness(hits, strict)


@pytest.mark.parametrize(
    ("hits", "limit", "verdict"),
    [
        (0, 0.06, Verdict.PASS),
        (0, 0.0, Verdict.PASS),
        (1, 0.2, Verdict.PASS),
        (1, 0.1, Verdict.INCONCLUSIVE),
        (5, 0.33, Verdict.FAIL),
        (5, 0.5, Verdict.INCONCLUSIVE),
    ],
)
def test_a_share_fails_only_if_its_exact_interval_lies_beyond(hits: int, limit: float, verdict: Verdict) -> None:
    """Of five blocks: the observed share passes on its limit, and one hit alone proves nothing."""
    assert judge_share(Limit("contention_rate", limit), share_estimate(hits, 5)) is verdict


def test_a_share_with_a_lower_limit_is_a_mistake_in_the_program() -> None:
    """No metric is a share with a minimum."""
    with pytest.raises(ValueError, match="lower limit"):
        judge_share(Limit("guide_speedup", 1.0), share_estimate(1, 2))


def test_the_worst_verdict_wins_in_any_order() -> None:
    """INVALID, FAIL, INCONCLUSIVE, PASS; and nothing judged is INVALID."""
    ranking = [Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]
    for position in range(len(ranking)):
        for verdicts in permutations(ranking[position:]):
            assert overall(verdicts) is ranking[position]
    assert overall([]) is Verdict.INVALID
