"""Points and intervals over blocks, thin over scipy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

import numpy as np
from scipy.stats import binomtest, t

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point with its interval.

    Attributes:
        point: The mean, in the values' unit.
        low: Lower end of the two-sided 95 % interval; None if one value gives none.
        high: Upper end.
        n: Number of values (blocks).
        method: How the interval was made.
    """

    point: float
    low: float | None
    high: float | None
    n: int
    method: str


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Mean of n values, n >= 1, with Student's t interval.

    Source: t interval of the mean, n - 1 degrees of freedom.
    """
    n = len(values)
    point = fmean(values)
    if n == 1:
        return Estimate(point, None, None, n, "one value: no interval")
    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * stdev(values) / sqrt(n)
    return Estimate(point, point - half, point + half, n, "t interval")


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
