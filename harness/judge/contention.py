"""The guide's three symptoms of contention, each against the solo baseline of the same block."""

from __future__ import annotations

from dataclasses import dataclass

from harness.judge.figures import BlockFigures
from harness.scenarios import ContentionRules


@dataclass(frozen=True, slots=True)
class Symptom:
    """A rule that fired in a block.

    Attributes:
        rule: ``ttft``, ``throughput`` or ``efficiency``.
        role: The agent it fired on, or None for the pair as a whole.
        value: The figure: s over solo, % below solo, or %.
        limit: The rule's limit in the same unit.
    """

    rule: str
    role: str | None
    value: float
    limit: float


def symptoms(block: BlockFigures, rules: ContentionRules) -> tuple[Symptom, ...]:
    """All symptoms of a valid block; empty if there was no contention by these rules.

    Source: the guide's contention rules. The published runs recorded ``speedup < 1.5`` instead, with no TTFT rule.
    """
    found: list[Symptom] = []
    for agent in block.agents:
        over_s = (agent.concurrent.ttft_ms - agent.solo.ttft_ms) / 1e3
        if over_s > rules.ttft_s:
            found.append(Symptom("ttft", agent.role, over_s, rules.ttft_s))
        drop_pct = 100.0 * (1.0 - agent.concurrent.tok_s / agent.solo.tok_s)
        if drop_pct > rules.throughput_drop_pct:
            found.append(Symptom("throughput", agent.role, drop_pct, rules.throughput_drop_pct))
    if block.measured_efficiency_pct < rules.efficiency_pct:
        found.append(Symptom("efficiency", None, block.measured_efficiency_pct, rules.efficiency_pct))
    return tuple(found)
