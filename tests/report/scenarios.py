"""Judged scenarios for the reports' tests, made by the real judge from built blocks."""

from __future__ import annotations

from harness.judge import ScenarioSummary, judge_scenario
from harness.records import Block
from harness.scenarios import ContentionRules, Limit
from harness.testing import build_block

LIMITS = (Limit("guide_efficiency_pct", 80.0), Limit("measured_speedup", 1.0), Limit("contention_rate", 0.33))


def blocks(count: int = 3, slow: float = 1.0) -> list[Block]:
    """Blocks whose agents take ``slow`` times as long together."""
    alone = [{"A": 1000.0 + i, "B": 1000.0 + i} for i in range(count)]
    return [
        build_block(solo, {role: slow * ms for role, ms in solo.items()}, index=i)
        for i, solo in enumerate(alone, start=1)
    ]


def judged(measured: list[Block], name: str = "pair") -> ScenarioSummary:
    """The blocks judged by usual limits."""
    return judge_scenario(name, measured, LIMITS, ContentionRules())


GOOD = judged(blocks())
OVERLAPPING = judged(blocks(slow=2.2), "overlapping")
UNDECIDED = judged(blocks(1), "undecided")
INVALID = judged([build_block(index=1, error="the server died")], "broken")
