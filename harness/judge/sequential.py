"""Verdicts after every block: when the blocks so far decide, at error rates that hold over all looks together.

Each look asks whether the values so far lie on one side of a limit, at a level so small that even a limit that is
exactly met is crossed at any of the looks only as often as the error rate allows (``harness/judge/levels.py``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, isfinite, pi, sqrt
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import stdtr
from scipy.stats import binom, nct, norm, t

from harness.judge import levels
from harness.judge.statistics import SIGNED_RANK_FROM, signed_rank_survival
from harness.judge.verdict import Verdict
from harness.records.errors import ConfigurationError
from harness.scenarios import FIRST_LOOK

_ROUNDING = 1e-9  # 0.05 / 3 shall find the entry of 5 % / 3 however it was computed
_NEVER = 1e-9  # a rate at which the few blocks of a session have no hit, and at which scipy's binomial overflows


def p_value(values: Sequence[float]) -> float:
    """One-sided p of "the location is at most 0" against "it is above 0"; 1 below two values.

    Below 9 values Student's t test, from 9 on the exact signed-rank test; no normal approximation at any n. Ties and
    zeros count against what is to be shown: of two values of the same size the negative one has the larger rank, and
    a zero counts as negative. The rank sum is then never above the one that a random order of the ties would give,
    whose null distribution is the one without ties; so the error rate holds with ties too. The p never rises when a
    value does in the signed-rank test, and in both tests never when all values rise together.

    Values below n = 9 that are equal to the last bit have no noise for a t test to compare with: p is its limit, 0 if
    they are above 0, else 1. Logs of ratios of times in ns are only ever equal where nothing in them is random.

    Source: Student 1908; Wilcoxon 1945, in Tukey's form (the number of positive pairwise means).

    Raises:
        ValueError: If a value is not finite.
    """
    if not all(map(isfinite, values)):
        raise ValueError(f"values must be finite, got {list(values)}")
    n = len(values)
    if n < 2:  # noqa: PLR2004 - one value shows nothing of its spread
        return 1.0
    if n >= SIGNED_RANK_FROM:
        ranked = sorted(values, key=lambda value: (abs(value), value <= 0))
        return float(signed_rank_survival(n)[sum(rank for rank, value in enumerate(ranked, 1) if value > 0)])
    mean = fmean(values)
    squares = 0.0 if min(values) == max(values) else fsum((value - mean) * (value - mean) for value in values)
    if squares == 0:
        return 0.0 if mean > 0 else 1.0
    return float(stdtr(n - 1, -mean * sqrt(n) / sqrt(squares / (n - 1))))


def level(alpha: float, max_runs: int, *, fixed: bool) -> float:
    """The p at or below which a look decides, so that all looks together err with a chance of at most ``alpha``.

    With one look at the end it is ``alpha``. Else it comes from the table, whose next smaller error rate and next
    larger number of runs are taken: both err on the safe side.

    Raises:
        ConfigurationError: If the table has no such design, or ``alpha`` is no error rate.
    """
    if not 0 < alpha <= 0.5:  # noqa: PLR2004 - a coin errs in half of all cases
        raise ConfigurationError(f"an error rate of {alpha:g} makes no sense: give one above 0 and at most 0.5")
    if fixed:
        return alpha
    last = levels.MAX_RUNS[-1]
    if max_runs < FIRST_LOOK:
        raise ConfigurationError(
            f"at most {max_runs} runs are too few to look after every one, for the first look is after {FIRST_LOOK}: "
            f"allow more (--max-runs {FIRST_LOOK}) or fix their number (--runs {max_runs})"
        )
    if max_runs > last:
        raise ConfigurationError(
            f"at most {max_runs} runs are more than the table of levels knows: allow at most {last} "
            f"(--max-runs {last}) or fix their number (--runs {max_runs})"
        )
    column, row = _column(alpha), levels.MAX_RUNS[bisect_left(levels.MAX_RUNS, max_runs)]
    return levels.ALPHAS[column] * levels.LEVELS[row][column] / levels.PARTS


def _column(alpha: float) -> int:
    """The table's largest error rate that is at most ``alpha``."""
    column = next((i for i, known in enumerate(levels.ALPHAS) if known <= alpha * (1 + _ROUNDING)), None)
    if column is None:
        raise ConfigurationError(
            f"an error rate of {alpha:.3g} for one gate is below the smallest in the table of levels, "
            f"{levels.ALPHAS[-1]:g}: judge fewer gates in one session (--scenario) or fix the number of runs (--runs)"
        )
    return column


@dataclass(frozen=True, slots=True)
class Design:
    """When one gate is looked at, and how often it may err.

    Attributes:
        max_runs: Blocks (pairs) at which it ends undecided; not used if ``fixed``.
        fixed: One look at the end at all values; else one after each from the fourth on.
        alpha_fail: Chance of FAIL although the true value is on the limit.
        alpha_pass: Chance of PASS although the true value is on the limit.

    Raises:
        ConfigurationError: If there are no levels for such a design.
    """

    max_runs: int
    fixed: bool
    alpha_fail: float
    alpha_pass: float

    def __post_init__(self) -> None:
        _ = self.level_fail, self.level_pass

    @property
    def level_fail(self) -> float:
        """The p at or below which one look says FAIL."""
        return level(self.alpha_fail, self.max_runs, fixed=self.fixed)

    @property
    def level_pass(self) -> float:
        """The p at or below which one look says PASS."""
        return level(self.alpha_pass, self.max_runs, fixed=self.fixed)

    def looks(self, n: int) -> range:
        """The numbers of values at which the first n are looked at."""
        return range(max(n, 1), n + 1) if self.fixed else range(FIRST_LOOK, min(n, self.max_runs) + 1)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the values say.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE.
        decided_at: Number of values at which it was decided for good; None if it was not.
        p_fail: One-sided p for FAIL at the deciding look, or at the last one; 1 if there was no look.
        p_pass: The same for PASS.
    """

    verdict: Verdict
    decided_at: int | None
    p_fail: float
    p_pass: float


def decide(values: Sequence[float], *, fail_above: float, pass_below: float, design: Design) -> Decision:
    """The verdict over one log value a block, in the order of measuring; positive is worse.

    The first look at which one side is shown decides, and what comes later changes nothing: the levels hold for ever
    crossing them. If both sides are shown at one look, FAIL wins.

    Args:
        values: n finite values; what comes after ``design.max_runs`` is not looked at.
        fail_above: FAIL shows that the location is above this.
        pass_below: PASS shows that it is below this. One limit is both; for a change they are ln(1 + noise) and
            ln(1 + what would be too much).
        design: When it is looked at, and at which error rates.
    """
    p_fail = p_pass = 1.0
    for n in design.looks(len(values)):
        p_fail = p_value([value - fail_above for value in values[:n]])
        p_pass = p_value([pass_below - value for value in values[:n]])
        if p_fail <= design.level_fail:
            return Decision(Verdict.FAIL, n, p_fail, p_pass)
        if p_pass <= design.level_pass:
            return Decision(Verdict.PASS, n, p_fail, p_pass)
    return Decision(Verdict.INCONCLUSIVE, None, p_fail, p_pass)


def decide_share(hits: Sequence[bool], *, limit: float, design: Design) -> Decision:
    """The verdict over the rate of hits, one yes or no a block, in the order of measuring.

    FAIL is decided at the first look at which the exact binomial test shows a rate above the limit, and stays. Its
    level is computed for this limit and not taken from the table. With a limit of 0 the first hit is proof.
    PASS is weak on purpose, and never for good: the observed rate meets the limit. (No hit in 5 blocks cannot show a
    rate below 6 %; that takes about 50.)

    Source: the binomial test; its level from the exact distribution of ever crossing.
    """
    if limit < _NEVER and any(hits):
        return Decision(Verdict.FAIL, list(hits).index(True) + 1, 0.0, 1.0)
    rate = 0.0 if limit < _NEVER else min(limit, 1.0)
    needed = design.alpha_fail if design.fixed else _share_level(rate, design.alpha_fail, design.max_runs)
    p_fail = p_pass = 1.0
    for n in design.looks(len(hits)):
        count = sum(hits[:n])
        p_fail, p_pass = float(binom.sf(count - 1, n, rate)), float(binom.cdf(count, n, rate))
        if p_fail <= needed:
            return Decision(Verdict.FAIL, n, p_fail, p_pass)
    met = bool(hits) and sum(hits) / len(hits) <= limit
    return Decision(Verdict.PASS if met else Verdict.INCONCLUSIVE, None, p_fail, p_pass)


@lru_cache(maxsize=256)
def _share_level(rate: float, alpha: float, max_runs: int) -> float:
    """The largest p that is ever crossed with a chance of at most ``alpha`` where hits come at ``rate``; -1 if none."""
    looks = [binom.sf(np.arange(n + 1) - 1, n, rate) for n in range(FIRST_LOOK, max_runs + 1)]
    known = np.unique(np.concatenate(looks)).tolist()
    allowed = bisect_right(known, alpha, key=lambda needed: _ever_crossed(rate, looks, needed))
    return float(known[allowed - 1]) if allowed else -1.0


def _ever_crossed(rate: float, looks: Sequence[NDArray[np.float64]], needed: float) -> float:
    """Chance that at any look the p of the hits so far is at most ``needed``; ``looks`` holds p by number of hits."""
    crossed = 0.0
    mass = binom.pmf(np.arange(FIRST_LOOK + 1), FIRST_LOOK, rate)  # by number of hits, of those that never crossed
    for p in looks:
        if p.size > mass.size:
            mass = np.append(mass * (1 - rate), 0.0) + np.append(0.0, mass * rate)
        crossed += float(mass[p <= needed].sum())
        mass[p <= needed] = 0.0
    return crossed


def mde(values: Sequence[float], design: Design) -> float | None:
    """Minimum detectable effect, in the values' unit: the shift beyond ``fail_above`` found in 9 of 10 such sessions.

    "Such" are sessions of this design with the values' sample SD as their noise (normal, one independent value a
    block); from few values it is itself rough. None below two values, or where the design cannot say FAIL at all.

    Source: by simulation with the levels' table; of one look the noncentral t distribution, from 9 values on at the
    error rate that the signed-rank test really has and with its relative efficiency of 3 / pi.
    """
    n = len(values)
    if n < 2:  # noqa: PLR2004 - one value shows nothing of its spread
        return None
    if design.fixed:
        factor = _one_look_factor(n, design.alpha_fail)
        return None if factor is None else factor * stdev(values)
    row = levels.MAX_RUNS[bisect_right(levels.MAX_RUNS, design.max_runs) - 1]
    return levels.FACTORS[row][_column(design.alpha_fail)] / levels.FACTOR_PARTS * stdev(values)


@lru_cache(maxsize=256)
def _one_look_factor(n: int, alpha: float) -> float | None:
    """The MDE of one look at n values, in SD; None if even n values that are all worse are not enough."""
    runs = float(n)
    if n >= SIGNED_RANK_FROM:
        survival = signed_rank_survival(n)
        reachable = survival[survival <= alpha]
        if reachable.size == 0:
            return None
        if reachable.size == 1:  # only n values that are all worse are enough
            return float(norm.ppf(levels.POWER ** (1 / n)))
        alpha, runs = float(reachable[0]), n * 3 / pi
    needed = float(t.isf(alpha, n - 1))
    most = 2.6 * needed + 5  # beyond it the power is above 95 % even with one degree of freedom
    return float(brentq(lambda shift: nct.sf(needed, n - 1, shift) - levels.POWER, 0.0, most)) / sqrt(runs)
