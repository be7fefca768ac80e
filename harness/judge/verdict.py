"""The four things that can be said of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Verdict(StrEnum):
    """What can be said: met, missed, not decided, or not measured properly."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst of the verdicts: INVALID, then FAIL, INCONCLUSIVE, PASS; INVALID if there is none."""
    for verdict in (Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS if verdicts else Verdict.INVALID
