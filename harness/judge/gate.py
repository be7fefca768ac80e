"""From an estimate and a limit to a verdict. The sequential rule will take this module's place at its seam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.judge.statistics import Estimate
from harness.scenarios import Limit


class Verdict(StrEnum):
    """What can be said: met, missed, not decided, or not measured properly."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit judged.

    Attributes:
        limit: The limit.
        estimate: The metric over the valid blocks.
        verdict: PASS, FAIL or INCONCLUSIVE.
        worst_block: Index of the block that was worst for this metric.
        worst_value: Its value.
    """

    limit: Limit
    estimate: Estimate
    verdict: Verdict
    worst_block: int
    worst_value: float


def judge_mean(limit: Limit, estimate: Estimate) -> Verdict:
    """FAIL or PASS only if the whole interval lies on that side of the limit.

    Source: criterion.rs reports a regression by the same rule.
    """
    if estimate.low is None or estimate.high is None:
        return Verdict.INCONCLUSIVE
    if limit.side == "min":
        met, missed = estimate.low >= limit.value, estimate.high < limit.value
    else:
        met, missed = estimate.high <= limit.value, estimate.low > limit.value
    return Verdict.PASS if met else Verdict.FAIL if missed else Verdict.INCONCLUSIVE


def judge_share(limit: Limit, estimate: Estimate) -> Verdict:
    """FAIL only if the exact interval lies beyond the limit; PASS if the observed share meets it.

    PASS is weaker here than for a mean, on purpose: no contention in 5 blocks cannot show a rate below 6 % (that
    takes about 50 blocks), so the interval is printed beside it.
    """
    if limit.side == "min":
        raise ValueError("a share with a lower limit is not one of the metrics")
    if estimate.point <= limit.value:
        return Verdict.PASS
    return Verdict.FAIL if estimate.low is not None and estimate.low > limit.value else Verdict.INCONCLUSIVE


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of the verdicts: INVALID, then FAIL, INCONCLUSIVE, PASS; INVALID if there is none."""
    for verdict in (Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS if verdicts else Verdict.INVALID
