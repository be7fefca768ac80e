"""Points and intervals over blocks, thin over scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, inf, log, sqrt
from statistics import fmean, stdev
from sys import float_info

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

CONFIDENCE = 0.95
SIGNED_RANK_FROM = 9
"""Number of values from which the signed-rank methods take the place of Student's t.

With fewer the exact signed-rank distribution is too coarse to say anything at small error rates; with more it keeps
its error rate where heavy tails and outliers spoil the t test's power.
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point with its interval.

    Attributes:
        point: The mean in the values' unit; of logs, the location as a ratio.
        low: Lower end of the two-sided interval, 95 % unless said otherwise; None if one value gives none.
        high: Upper end.
        n: Number of values (blocks).
        method: How the interval was made.
    """

    point: float
    low: float | None
    high: float | None
    n: int
    method: str


def mean_estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Mean of n values, n >= 1, with Student's t interval.

    Source: t interval of the mean, n - 1 degrees of freedom.
    """
    n = len(values)
    point = fmean(values)
    if n == 1:
        return Estimate(point, None, None, n, "one value: no interval")
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * stdev(values) / sqrt(n)
    return Estimate(point, point - half, point + half, n, "t interval")


def log_estimate(logs: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Location of n >= 1 natural logs with its interval, given back as ratios.

    Below 9 values the point is their geometric mean, with Student's t interval on the logs. From 9 on it is the
    Hodges-Lehmann estimate (the median of all pairwise means), and the interval holds every location that the exact
    signed-rank test does not reject: its ends are ordered pairwise means, and it covers no less than it says.
    Where even the most extreme rank sum is not rare enough for the confidence, it is unbounded (0 to infinity).
    Values that are all equal give an interval without width; a ratio too large for a float is infinite.

    Source: Hodges and Lehmann 1963; Hollander, Wolfe and Chicken 2014, sections 3.2 and 3.3.
    """
    n = len(logs)
    if n < SIGNED_RANK_FROM:
        mean = mean_estimate(logs, confidence)
        method = f"{mean.method} on logs" if n > 1 else mean.method
        low, high = (None if end is None else _ratio(end) for end in (mean.low, mean.high))
        return Estimate(_ratio(mean.point), low, high, n, method)
    values = np.asarray(logs, dtype=np.float64)
    first, second = np.triu_indices(n)
    means = np.sort((values[first] + values[second]) / 2)
    survival = signed_rank_survival(n)
    rejecting = int(np.count_nonzero(survival > (1 - confidence) / 2))
    bounded = rejecting <= means.size
    low, high = (float(means[means.size - rejecting]), float(means[rejecting - 1])) if bounded else (-inf, inf)
    method = "Hodges-Lehmann, exact signed-rank interval"
    return Estimate(_ratio(float(np.median(means))), _ratio(low), _ratio(high), n, method)


def _ratio(value: float) -> float:
    return exp(value) if value < log(float_info.max) else inf


@lru_cache(maxsize=128)
def signed_rank_survival(n: int) -> NDArray[np.float64]:
    """Exact null distribution of Wilcoxon's signed-rank sum W of n >= 1 values without ties: P(W >= w).

    Index w runs from 0 to n (n + 1) / 2. Rank after rank is in the sum or not, with chance 1/2 each; all terms are
    positive, so that even the smallest shares are right to the last digits. (scipy has this distribution, but not in
    public, and its ``wilcoxon`` makes it anew on every call.)

    Source: Wilcoxon 1945; the recurrence over ranks as in ``scipy.stats.wilcoxon(method="exact")``.
    """
    mass = np.ones(1)
    for rank in range(1, n + 1):
        grown = np.zeros(mass.size + rank)
        grown[: mass.size] += mass / 2
        grown[rank:] += mass / 2
        mass = grown
    survival: NDArray[np.float64] = np.minimum(1.0, mass[::-1].cumsum()[::-1])
    survival.setflags(write=False)
    return survival


def share_estimate(hits: int, n: int) -> Estimate:
    """Share of ``hits`` in ``n`` >= 1 trials, with the exact (Clopper-Pearson) interval.

    A t interval over zeros and ones has no width when all are equal, and would claim certainty from five blocks.

    Source: Clopper and Pearson 1934, by ``scipy.stats.binomtest``.
    """
    interval = binomtest(hits, n).proportion_ci(CONFIDENCE, method="exact")
    return Estimate(hits / n, float(interval.low), float(interval.high), n, "exact binomial interval")


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of n >= 1 values lie, interpolated between neighbours, in their unit."""
    return float(np.quantile(np.asarray(values), share))
