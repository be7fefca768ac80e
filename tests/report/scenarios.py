"""Judged scenarios for the reports' tests, made by the real judge from built blocks."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import ScenarioSummary, judge_scenario
from harness.records import Block
from harness.records.session import BASE
from harness.scenarios import ChangeRules, Limit, Stopping, StoredBaseline, Terms
from harness.testing import build_block

LIMITS = (Limit("guide_efficiency_pct", 80.0), Limit("measured_speedup", 1.0), Limit("contention_rate", 0.33))


def blocks(count: int = 3, slow: float = 1.0) -> list[Block]:
    """Blocks whose agents take ``slow`` times as long together."""
    alone = [{"A": 1000.0 + i, "B": 1000.0 + i} for i in range(count)]
    return [
        build_block(solo, {role: slow * ms for role, ms in solo.items()}, index=i)
        for i, solo in enumerate(alone, start=1)
    ]


def terms(count: int, **others: object) -> Terms:
    """Usual limits, one look after so many blocks."""
    return replace(Terms(LIMITS, stopping=Stopping(count, fixed=True)), **others)  # type: ignore[arg-type]


def judged(measured: list[Block], name: str = "pair") -> ScenarioSummary:
    """The blocks judged by usual limits."""
    return judge_scenario(name, measured, terms(len(measured)))


def compared(slow: float) -> ScenarioSummary:
    """A candidate that is ``slow`` times as slow together as its base, and as its stored baseline."""
    pairs = [*blocks(5, slow), *(replace(block, side=BASE) for block in blocks(5))]
    metrics = ("concurrent_wall_s", "slowdown")
    stored = StoredBaseline("main", {"slowdown": (1.0, 1.01, 0.99, 1.0)}, ChangeRules(("slowdown",)))
    return judge_scenario("compared", pairs, terms(5, change=ChangeRules(metrics), baseline=stored))


GOOD = judged(blocks())
OVERLAPPING = judged(blocks(slow=2.2), "overlapping")
UNDECIDED = judged(blocks(1), "undecided")
INVALID = judged([build_block(index=1, error="the server died")], "broken")
