"""What is odd in a series of values, block by block: labelled, never left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

Series = Sequence[tuple[int, float]]
"""Index of the block and the metric's value there."""

_FEWEST = 5
_REACH = 1.5


def outliers(series: Series) -> tuple[int, ...]:
    """Indexes of the blocks whose logarithm lies beyond Tukey's fences, 1.5 interquartile ranges; () below 5 blocks.

    Source: Tukey 1977, inner fences.
    """
    if len(series) < _FEWEST:
        return ()
    logs = np.log([value for _, value in series])
    low, high = np.quantile(logs, [0.25, 0.75])
    reach = _REACH * (high - low)
    return tuple(
        index for (index, _), value in zip(series, logs, strict=True) if not low - reach <= value <= high + reach
    )


def drift_p(series: Series) -> float | None:
    """Two-sided p of "no trend over the blocks"; None below 5 blocks or where all values are equal.

    Source: Spearman's rank correlation of value and index.
    """
    values = [value for _, value in series]
    if len(series) < _FEWEST or len(set(values)) == 1:
        return None
    return float(spearmanr([index for index, _ in series], values).pvalue)
