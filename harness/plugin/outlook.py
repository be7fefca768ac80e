"""How far a session has come, and about how long the rest of it takes."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge.progress import TimeLeft, time_left
from harness.measure import ScenarioPlan
from harness.plugin.options import Settings
from harness.records import Block


class Outlook:
    """Knows what is to be measured, and is told each block."""

    def __init__(self, settings: Settings) -> None:
        """Nothing has been measured yet."""
        scenarios = [scenario.name for scenario in settings.scenarios]
        studies = [study.name for study in settings.studies]
        self._steps = (*scenarios, *studies)
        self._runs = dict.fromkeys(scenarios, settings.stopping.runs) | dict.fromkeys(studies, settings.study_runs)
        self._may_do_with_fewer = not settings.stopping.fixed
        self._studies = studies
        self._returns = settings.sweep is not None
        self._paired = settings.base is not None
        self._blocks: list[Block] = []

    def of(self, plan: ScenarioPlan, index: int) -> Mapping[str, object]:
        """What a scene says of a block that is about to be measured, by the names of its fields."""
        named = plan.name in self._steps and len(self._steps) > 1
        pairs = self._paired and not plan.compared
        return {
            "title": plan.name,
            "step": f"{self._steps.index(plan.name) + 1} of {len(self._steps)}" if named else "",
            "unit": "pair" if pairs else "block",
            "index": index,
            "runs": max(index, self._runs.get(plan.name, plan.runs)),
            "at_most": self._may_do_with_fewer and not plan.compared,
            "side": plan.side if pairs else "",
            "arms": len(plan.arms),
            "position": 0,
        }

    def after(self, block: Block) -> TimeLeft | None:
        """About how long all blocks take that are still to be measured, at most; None before anybody can tell."""
        self._blocks.append(block)
        left = {name: self._left(name) for name in self._ahead(block.scenario)}
        return time_left(self._blocks, left, sum(count > 0 for count in left.values()) - 1)

    def _ahead(self, now: str) -> tuple[str, ...]:
        """What is not over yet: a sweep comes back to its cells, everything else is measured one after the other."""
        if self._returns:
            return self._steps
        return self._steps[self._steps.index(now) :] if now in self._steps else ()

    def _left(self, name: str) -> int:
        """Blocks that a step lacks, its warm-up ones too if it was not begun."""
        sides = 2 if self._paired and name not in self._studies else 1
        indexes = [block.index for block in self._blocks if block.scenario == name]
        if not indexes:
            return (self._runs[name] + 1) * sides
        whole = max(0, self._runs[name] - max(indexes)) * sides
        return whole + (sides - indexes.count(max(indexes)) if sides > 1 else 0)
