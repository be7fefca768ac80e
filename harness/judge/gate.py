"""From a limit and the blocks' values to a verdict, with what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import expm1, log

from harness.judge.sequential import Decision, Design, decide, decide_share, mde
from harness.judge.series import Series, drift_p, outliers
from harness.judge.statistics import Estimate, log_estimate, share_estimate
from harness.judge.verdict import Verdict
from harness.scenarios import Limit


@dataclass(frozen=True, slots=True)
class Gate:
    """One limit judged.

    Attributes:
        limit: The limit.
        estimate: The metric over the valid blocks.
        verdict: PASS, FAIL or INCONCLUSIVE.
        decided_at: Number of valid blocks at which it was decided; None if it was not.
        mde_pct: How far beyond its limit, %, a true value would have been found out in 9 of 10 such sessions; None if
            that cannot be said.
        worst_block: Index of the block that was worst for this metric.
        worst_value: Its value.
        outliers: Indexes of blocks beyond Tukey's fences; none was left out.
        verdict_without: The verdict if they had been left out.
        drift_p: p of no trend over the blocks (Spearman); None if it cannot be said.
    """

    limit: Limit
    estimate: Estimate
    verdict: Verdict
    decided_at: int | None
    mde_pct: float | None
    worst_block: int
    worst_value: float
    outliers: tuple[int, ...] = ()
    verdict_without: Verdict | None = None
    drift_p: float | None = None


def judge_ratio(limit: Limit, series: Series, design: Design) -> Gate:
    """A metric with one positive value a block, judged on their logarithms.

    Args:
        limit: Its limit.
        series: Its n >= 1 values by block.
        design: Looks and error rates.
    """
    sign = -1.0 if limit.side == "min" else 1.0
    odd = outliers(series)
    value, index = (min if limit.side == "min" else max)((value, index) for index, value in series)
    shift = mde(_logs(series, sign), design)
    return Gate(
        limit=limit,
        estimate=log_estimate(_logs(series)),
        verdict=_decision(limit, series, sign, design).verdict,
        decided_at=_decision(limit, series, sign, design).decided_at,
        mde_pct=None if shift is None else abs(100 * expm1(sign * shift)),
        worst_block=index,
        worst_value=value,
        outliers=odd,
        verdict_without=_decision(limit, [each for each in series if each[0] not in odd], sign, design).verdict,
        drift_p=drift_p(series),
    )


def _logs(series: Series, sign: float = 1.0) -> list[float]:
    return [sign * log(value) for _, value in series]


def _decision(limit: Limit, series: Series, sign: float, design: Design) -> Decision:
    if limit.value <= 0:  # every positive value keeps it, or none does
        return Decision(Verdict.PASS if limit.side == "min" else Verdict.FAIL, 1, 1.0, 0.0)
    border = sign * log(limit.value)
    return decide(_logs(series, sign), fail_above=border, pass_below=border, design=design)


def judge_rate(limit: Limit, counts: Sequence[tuple[int, int]], design: Design) -> Gate:
    """The share of blocks with at least one hit, judged by exact binomial tests.

    Args:
        limit: At most this share.
        counts: Index and number of hits (symptoms) of each of n >= 1 blocks.
        design: Looks and error rates.
    """
    hits = [count > 0 for _, count in counts]
    decision = decide_share(hits, limit=limit.value, design=design)
    worst = max(counts, key=lambda each: each[1])
    return Gate(
        limit=limit,
        estimate=share_estimate(sum(hits), len(hits)),
        verdict=decision.verdict,
        decided_at=decision.decided_at,
        mde_pct=None,
        worst_block=worst[0],
        worst_value=worst[1],
    )
