"""A candidate against its base: metrics that can be compared, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log, log1p
from typing import Literal

from harness.judge.figures import BlockFigures
from harness.judge.sequential import Design, decide, mde, p_value
from harness.judge.statistics import Estimate, log_estimate
from harness.judge.verdict import Verdict
from harness.scenarios import ChangeRules

Worse = Literal["higher", "lower"]

COMPARED: Mapping[str, Worse] = {
    "concurrent_wall_s": "higher",
    "slowdown": "higher",
    "measured_efficiency_pct": "lower",
    "ttft_ratio": "higher",
    "concurrent_ttft_ms": "higher",
    "aggregate_tok_s": "lower",
}
"""Metrics of a block that a candidate can be compared in, and what is worse."""

COMPARED_BY_DEFAULT = ("concurrent_wall_s", "slowdown")
SELF_NORMALISED = ("measured_efficiency_pct", "slowdown", "ttft_ratio")
"""Metrics in which a shift of the whole session cancels: only these may be compared with another session."""

TOO_GOOD_PCT = 20.0


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of the candidate against its base.

    Attributes:
        metric: What was compared.
        against: ``base`` or ``baseline NAME``.
        ratio: Candidate over base, geometric means, with its interval.
        worse: ``higher`` if a ratio above 1 is worse, ``lower`` if one below 1 is.
        worse_pct: PASS rules out that the candidate is this much worse, %.
        noise_pct: FAIL shows that it is more than this much worse, %.
        verdict: PASS, FAIL, INCONCLUSIVE or INVALID.
        decided_at: Number of pairs at which it was decided, None if it was not, or not pair by pair.
        mde_pct: The change that would have been found in 9 of 10 such sessions, % worse; None if it cannot be said.
        too_good: True if it is so much better that it is more likely a mistake than an improvement.
        reason: Why it is INVALID, else empty.
    """

    metric: str
    against: str
    ratio: Estimate
    worse: Worse
    worse_pct: float
    noise_pct: float
    verdict: Verdict
    decided_at: int | None
    mde_pct: float | None
    too_good: bool = False
    reason: str = ""


def judge_change(
    metric: str, pairs: Sequence[tuple[BlockFigures, BlockFigures]], rules: ChangeRules, design: Design
) -> Change:
    """One metric of the candidate against the base of the same session.

    Args:
        metric: One of ``COMPARED``.
        pairs: Candidate and base of each of n >= 1 pairs, in order.
        rules: How much worse it may be.
        design: Looks and error rates.

    Source: d = ln candidate - ln base, one value a pair; a shift of both cancels.
    """
    sign = 1.0 if COMPARED[metric] == "higher" else -1.0
    logs = [log(getattr(candidate, metric)) - log(getattr(base, metric)) for candidate, base in pairs]
    worse = [sign * each for each in logs]
    noise = log1p(rules.noise_pct / 100)
    decision = decide(worse, fail_above=noise, pass_below=log1p(rules.worse_pct / 100), design=design)
    ratio = log_estimate(logs)
    shift = mde(worse, design)
    better = [-each - log1p(TOO_GOOD_PCT / 100) for each in worse]
    return Change(
        metric=metric,
        against="base",
        ratio=ratio,
        worse=COMPARED[metric],
        worse_pct=rules.worse_pct,
        noise_pct=rules.noise_pct,
        verdict=decision.verdict,
        decided_at=decision.decided_at,
        mde_pct=None if shift is None else 100 * expm1(noise + shift),
        too_good=len(worse) > 1 and p_value(better) <= design.alpha_fail,
    )
