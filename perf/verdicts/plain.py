"""The other judge: ``--benchmark-compare-fail=mean:5%``, by pytest-benchmark's own code.

Its parser makes the check, its statistics make both sides, and its check compares them, as it does in a session with
the stored one read back from JSON. That whole sessions of it say the same is tested.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pytest_benchmark import stats, utils

EXPRESSION = "mean:5%"
DEFAULT_ROUNDS = 5
"""``--benchmark-min-rounds``: so many it takes of runs longer than 0.2 s, as those of agents are."""
_STATS: Any = stats.Stats  # it has no types
_UTILS: Any = utils


def alarms(stored_s: Sequence[float], current_s: Sequence[float]) -> bool:
    """True if it would end with "Performance has regressed".

    Args:
        stored_s: Wall times of the base's rounds, s.
        current_s: Wall times of the candidate's rounds, s.
    """
    check = _UTILS.parse_compare_fail(EXPRESSION)
    stored = json.loads(_UTILS.safe_dumps(_statistics(stored_s)))
    return check.fails(_statistics(current_s), stored) is not None


def _statistics(rounds_s: Sequence[float]) -> dict[str, object]:
    found = _STATS()
    for duration_s in rounds_s:
        found.update(duration_s)
    return dict(found.as_dict())
