"""A candidate against its base: metrics that can be compared, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.judge.gate import Verdict
from harness.judge.statistics import Estimate


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
    worse: Literal["higher", "lower"]
    worse_pct: float
    noise_pct: float
    verdict: Verdict
    decided_at: int | None
    mde_pct: float | None
    too_good: bool = False
    reason: str = ""
