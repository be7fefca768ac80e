"""A session against a stored baseline. The unit is the session: a new one is ONE value more beside the k stored ones.

Blocks of one session share its server processes, its placement in memory, its clock frequencies. Were they the units,
a shift that every session has would be called a regression, and the more surely the more blocks it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import exp, expm1, inf, isfinite, log, log1p, nan, sqrt
from statistics import fmean, stdev

from scipy.special import nctdtrinc
from scipy.stats import t

from harness.judge.change import COMPARED, SELF_NORMALISED, TOO_GOOD_PCT, Change
from harness.judge.statistics import CONFIDENCE, Estimate
from harness.judge.verdict import Verdict
from harness.scenarios import ChangeRules

FEWEST_SESSIONS = 2
FEWEST_BLOCKS = 2
_USEFUL = 8  # from here on Student's quantile is near the normal one
_POWER = 0.9
_METHOD = "t prediction interval over sessions"


def judge_against_baseline(
    metric: str,
    values: Sequence[float],
    stored: Sequence[float],
    name: str,
    rules: ChangeRules,
    alpha_fail: float,
    alpha_pass: float,
) -> Change:
    """Judges one metric of this session against the stored ones, on natural logarithms.

    With d = log of new over stored, signed so that positive is worse, and SE = sqrt(u^2 + s^2 / k), where s is the SD
    between the k stored sessions and u the greater of s and this session's own standard error: FAIL if "d is at most
    ``noise_pct``" is rejected at ``alpha_fail``, else PASS if "d is at least ``worse_pct``" is rejected at
    ``alpha_pass``, by Student's t of k - 1 degrees of freedom.

    As long as u is s this is the exact prediction interval. A session of few blocks scatters more than stored sessions
    of many, and its own standard error says so; it only ever makes verdicts more careful.

    Args:
        metric: One of ``SELF_NORMALISED``.
        values: The metric in each valid block of this session, n values, order does not matter.
        stored: Its geometric mean in each stored session, k values, order does not matter.
        name: The baseline's name.
        rules: How much worse the session may be.
        alpha_fail: Chance that a session fails though it is only ``noise_pct`` worse than the mean stored one.
        alpha_pass: Chance that it passes though it is ``worse_pct`` worse.

    Returns:
        The change: new over stored, with the 95 % prediction interval; n counts the stored sessions. INVALID with a
        reason where there is nothing to judge by.

    Raises:
        ValueError: If the metric is not self-normalised: it is shown, not judged.

    Source: prediction interval for one future observation, Hahn and Meeker 1991, chapter 4; power by noncentral t.
    """
    if metric not in SELF_NORMALISED:
        raise ValueError(f"{metric} is not one of {', '.join(SELF_NORMALISED)}: a session's shift would not cancel")
    reason = _nothing_to_judge_by(values, stored, name)
    if not _positive(values) or not _positive(stored):
        return _change(metric, name, rules, Estimate(nan, None, None, len(stored), _METHOD), reason=reason)
    new, old = [log(value) for value in values], [log(value) for value in stored]
    shift = fmean(new) - fmean(old)
    if reason:
        return _change(metric, name, rules, Estimate(_exp(shift), None, None, len(stored), _METHOD), reason=reason)
    k, between = len(old), stdev(old)
    error = sqrt(max(between**2, stdev(new) ** 2 / len(new)) + between**2 / k)
    worse = shift if COMPARED[metric] == "higher" else -shift
    to_fail = _quantile(alpha_fail, k - 1)
    noise, limit = log1p(rules.noise_pct / 100), log1p(rules.worse_pct / 100)
    if worse - noise >= to_fail * error:
        verdict = Verdict.FAIL
    elif limit - worse >= _quantile(alpha_pass, k - 1) * error:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.INCONCLUSIVE
    half = _quantile((1 - CONFIDENCE) / 2, k - 1) * error
    return _change(
        metric,
        name,
        rules,
        Estimate(_exp(shift), _exp(shift - half), _exp(shift + half), k, _METHOD),
        verdict,
        mde_pct=_percent(noise + _detectable(alpha_fail, k - 1) * error),
        too_good=-worse - log1p(TOO_GOOD_PCT / 100) >= to_fail * error,
    )


def _nothing_to_judge_by(values: Sequence[float], stored: Sequence[float], name: str) -> str:
    """Why there can be no verdict; empty if there can."""
    missing = FEWEST_SESSIONS - len(stored)
    if missing > 0:
        return (
            f"baseline {name!r} holds {len(stored)} of the {FEWEST_SESSIONS} sessions that it takes to know how much "
            f"sessions differ: save {missing} more with --baseline-save {name}, or {_USEFUL - len(stored)} to find "
            "small changes"
        )
    if not _positive(stored):
        return f"baseline {name!r} holds a ratio that is no positive number: its file is damaged"
    if not _positive(values):
        return "a block's ratio is no positive number: its record is damaged" if values else "no valid block"
    if len(values) < FEWEST_BLOCKS:
        return f"one valid block: how much blocks differ takes {FEWEST_BLOCKS} at least"
    if len(set(stored)) == 1:
        return (
            f"the {len(stored)} sessions of baseline {name!r} are equal to the last digit: they are copies of one "
            "session and do not say how much sessions differ; save real ones"
        )
    return ""


def _change(
    metric: str,
    name: str,
    rules: ChangeRules,
    ratio: Estimate,
    verdict: Verdict = Verdict.INVALID,
    *,
    mde_pct: float | None = None,
    too_good: bool = False,
    reason: str = "",
) -> Change:
    return Change(
        metric=metric,
        against=f"baseline {name}",
        ratio=ratio,
        worse=COMPARED[metric],
        worse_pct=rules.worse_pct,
        noise_pct=rules.noise_pct,
        verdict=verdict,
        decided_at=None,
        mde_pct=mde_pct,
        too_good=too_good,
        reason=reason,
    )


def _positive(values: Sequence[float]) -> bool:
    return bool(values) and all(isfinite(value) and value > 0 for value in values)


@lru_cache(maxsize=256)
def _quantile(alpha: float, freedom: int) -> float:
    """What Student's t exceeds with the chance ``alpha``."""
    return float(t.isf(alpha, freedom))


@lru_cache(maxsize=256)
def _detectable(alpha: float, freedom: int) -> float:
    """The shift, in standard errors, that a one-sided t test at ``alpha`` finds in 9 of 10 sessions.

    Source: the noncentrality at which noncentral t exceeds Student's quantile with that power.
    """
    return float(nctdtrinc(freedom, 1 - _POWER, _quantile(alpha, freedom)))


def _exp(value: float) -> float:
    """A ratio, infinite beyond what a float can hold: two sessions that differ much make a long interval."""
    try:
        return exp(value)
    except OverflowError:
        return inf


def _percent(worsening: float) -> float | None:
    """A worsening of the logarithm in per cent; None beyond what a float can hold."""
    try:
        return 100 * expm1(worsening)
    except OverflowError:
        return None
