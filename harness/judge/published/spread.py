"""Mean, spread and ends of a figure over units that are named: the published reports mix runs and means of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

RUNS = "runs"
CONFIGURATION_MEANS = "configuration means"


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over n >= 1 units, in its own unit.

    Attributes:
        over: What the units are: ``runs`` or ``configuration means``.
        mean: Arithmetic mean.
        sd: Sample standard deviation (n - 1); None for one unit.
        peak: The largest value.
        peak_at: Name of the unit that has it.
        low: The smallest value.
        low_at: Name of the unit that has it.
        values: All values in ascending order.
    """

    over: str
    mean: float
    sd: float | None
    peak: float
    peak_at: str
    low: float
    low_at: str
    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.values)

    @property
    def cv_pct(self) -> float | None:
        """Coefficient of variation, sample SD over mean, %; None for one unit."""
        return None if self.sd is None else 100.0 * self.sd / self.mean


def spread(over: str, named: Sequence[tuple[str, float]]) -> Spread:
    """The spread of n >= 1 values, each with its unit's name."""
    values = [value for _, value in named]
    peak_at, peak = max(named, key=lambda pair: pair[1])
    low_at, low = min(named, key=lambda pair: pair[1])
    sd = stdev(values) if len(values) > 1 else None
    return Spread(over, fmean(values), sd, peak, peak_at, low, low_at, tuple(sorted(values)))


def upper_median(ascending: Sequence[float]) -> float:
    """The value at position n // 2 of n >= 1 ascending values: for even n the upper one of the two in the middle.

    Source: TR115 v2, which takes ``sorted[n // 2]`` for the median.
    """
    return ascending[len(ascending) // 2]


def floor_percentile(ascending: Sequence[float], share: float) -> float:
    """The value at position int(share n) of n >= 1 ascending values, 0 <= share < 1; not interpolated.

    Source: TR115 v2, which takes ``sorted[int(p * n)]`` for a percentile.
    """
    return ascending[int(share * len(ascending))]
