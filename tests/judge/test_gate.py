"""From a limit and the blocks' values to a verdict."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Verdict, overall
from harness.judge.gate import judge_rate, judge_ratio
from harness.judge.sequential import Design
from harness.scenarios import Limit

BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}
LOOKED_AT_ONCE = Design(max_runs=5, fixed=True, alpha_fail=0.05, alpha_pass=0.05)
SEQUENTIAL = Design(max_runs=30, fixed=False, alpha_fail=0.05, alpha_pass=0.05)
NEAR_90 = tuple(enumerate((90.2, 89.6, 90.9, 89.4, 90.1), start=1))
PERCENT = st.floats(1, 200)


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (80.0, Verdict.PASS),
        (89.0, Verdict.PASS),
        (90.0, Verdict.INCONCLUSIVE),
        (91.0, Verdict.FAIL),
        (0.0, Verdict.PASS),
    ],
)
def test_values_on_one_side_of_a_limit_decide_it(limit: float, verdict: Verdict) -> None:
    """Five blocks around 90 +- 0.6 %: a limit among them is not decided; one of 0 is always kept."""
    assert judge_ratio(Limit("guide_efficiency_pct", limit), NEAR_90, LOOKED_AT_ONCE).verdict is verdict


def test_a_gate_holds_what_its_verdict_rests_on() -> None:
    """Location and interval of the ratios, the worst block, and what could have been found."""
    gate = judge_ratio(Limit("guide_efficiency_pct", 80.0), NEAR_90, LOOKED_AT_ONCE)
    assert gate.estimate.point == pytest.approx(90.04, abs=0.01)
    assert gate.estimate.low is not None
    assert gate.estimate.high is not None
    assert gate.estimate.low < 90.04 < gate.estimate.high
    assert (gate.worst_block, gate.worst_value, gate.decided_at) == (4, 89.4, 5)
    assert gate.mde_pct == pytest.approx(1.2, abs=0.3)  # about 1.9 standard deviations of 0.65 %


def test_a_sequential_gate_keeps_its_first_decision() -> None:
    """Four clear blocks decide at the fourth; what comes later changes the figures and not the verdict."""
    series = list(enumerate([95.0, 95.5, 94.5, 95.2, 60.0, 55.0, 50.0], start=1))
    gate = judge_ratio(Limit("guide_efficiency_pct", 80.0), series, SEQUENTIAL)
    assert (gate.verdict, gate.decided_at, gate.estimate.n) == (Verdict.PASS, 4, 7)
    assert judge_ratio(Limit("guide_efficiency_pct", 80.0), series[:3], SEQUENTIAL).verdict is Verdict.INCONCLUSIVE


def test_an_outlier_is_labelled_and_kept() -> None:
    """One block far out makes the verdict open; without it the limit would be missed, and the gate says both."""
    series = [*enumerate((70.1, 70.4, 69.8, 70.2, 69.9, 70.0, 70.3), start=1), (8, 250.0)]
    gate = judge_ratio(Limit("guide_efficiency_pct", 72.0), series, LOOKED_AT_ONCE)
    assert gate.outliers == (8,)
    assert (gate.verdict, gate.verdict_without) == (Verdict.INCONCLUSIVE, Verdict.FAIL)
    assert gate.estimate.n == 8


@given(st.lists(PERCENT, min_size=1, max_size=12), PERCENT, PERCENT, st.booleans())
def test_a_harder_limit_never_gives_a_better_verdict(
    values: list[float], first: float, second: float, at_once: bool
) -> None:
    """The verdict is monotone in the limit; looked at once, where no early decision is kept."""
    design = LOOKED_AT_ONCE if at_once else Design(len(values) + 4, fixed=True, alpha_fail=0.01, alpha_pass=0.05)
    series = list(enumerate(values))
    lax, strict = sorted((first, second))
    lower, upper = (
        BADNESS[judge_ratio(Limit("guide_speedup", each), series, design).verdict] for each in (lax, strict)
    )
    assert lower <= upper


@given(st.lists(st.integers(0, 2), min_size=1, max_size=20), st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_rate_allowed_never_gives_a_better_verdict(counts: list[int], first: float, second: float) -> None:
    """Monotone for rates too; and one more hit never helps."""
    strict, lax = sorted((first, second))
    series = list(enumerate(counts))

    def badness(limit: float, counted: list[tuple[int, int]]) -> int:
        return BADNESS[judge_rate(Limit("contention_rate", limit), counted, LOOKED_AT_ONCE).verdict]

    assert badness(strict, series) >= badness(lax, series)
    assert badness(strict, [(0, 0), *series[1:]]) <= badness(strict, series)


@pytest.mark.parametrize(
    ("hits", "limit", "verdict"),
    [
        (0, 0.06, Verdict.PASS),
        (0, 0.0, Verdict.PASS),
        (1, 0.2, Verdict.PASS),
        (1, 0.1, Verdict.INCONCLUSIVE),
        (5, 0.33, Verdict.FAIL),
        (5, 0.6, Verdict.INCONCLUSIVE),
    ],
)
def test_a_rate_fails_only_if_an_exact_test_shows_it(hits: int, limit: float, verdict: Verdict) -> None:
    """Of five blocks: the observed rate passes on its limit, and one hit alone proves nothing."""
    counts = [(index, int(index < hits)) for index in range(5)]
    assert judge_rate(Limit("contention_rate", limit), counts, LOOKED_AT_ONCE).verdict is verdict


def test_the_worst_verdict_wins_in_any_order() -> None:
    """INVALID, FAIL, INCONCLUSIVE, PASS; and nothing judged is INVALID."""
    ranking = [Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]
    for position in range(len(ranking)):
        for verdicts in permutations(ranking[position:]):
            assert overall(verdicts) is ranking[position]
    assert overall([]) is Verdict.INVALID
