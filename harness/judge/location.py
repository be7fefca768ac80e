"""The median of few values with an interval that holds for any distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Location:
    """Where values lie, in their unit.

    Attributes:
        median: Their median.
        low: Lower end of its interval.
        high: Upper end.
        n: How many they are.
    """

    median: float
    low: float
    high: float
    n: int


def location(values: Sequence[float]) -> Location:
    """Median of n >= 1 values; its interval are the two order statistics that cover it with 95 %.

    Below 6 values even the smallest and the largest cover it less often; they are given all the same.

    Source: the sign test turned round: P(X <= k) of a binomial with chance 1/2.
    """
    ordered = sorted(values)
    n = len(ordered)
    cut, tail = 0, 0.0
    while (tail := tail + comb(n, cut) / 2**n) <= _TAIL:
        cut += 1
    place = max(0, cut - 1)
    return Location(median(ordered), ordered[place], ordered[n - 1 - place], n)
