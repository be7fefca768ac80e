"""Which arm finishes the work first, and what an arm does against its reference: several comparisons, one error rate.

A study looks at several arms at once, and with several intervals of 95 % each one of them misses soon. So m intervals
that are read together have 1 - 0.05/m each (Bonferroni): all of them hold in at least 95 % of sessions.

Where the fastest arm is told by the same blocks that are then compared with it, that still holds: the arm that truly
is the fastest is only left out if another one beats it, and each of the k - 1 others does so wrongly in at most
0.05 / 2 / (k - 1) of sessions. And of k arms that are equal one is named the winner in at most 5 % of sessions: it has
to beat all others, k / (k - 1) times 2.5 %.

All of this is for a number of blocks that was fixed before: who looks after each block and stops at the first winner
finds one too often.

Source: Hsu 1984, comparisons with the best; Bonferroni's inequality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

from harness.judge.statistics import CONFIDENCE, Estimate, log_estimate, mean_estimate

Shown = Literal["less", "more", "nothing"]


def joint_confidence(comparisons: int) -> float:
    """Confidence of each of n >= 1 intervals, so that all of them hold together in at least 95 % of sessions."""
    return 1 - (1 - CONFIDENCE) / comparisons


def shown(estimate: Estimate, nothing: float) -> Shown:
    """On which side of ``nothing`` the whole interval lies, if on one."""
    if estimate.low is not None and estimate.low > nothing:
        return "more"
    return "less" if estimate.high is not None and estimate.high < nothing else "nothing"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Arms that do the same work, by when they finish it.

    Attributes:
        fastest: The one whose paired ratios to the others are lowest; no winner by itself.
        ratios: Wall time of each other arm over the fastest one's, paired block by block, the fastest first; the
            intervals hold jointly in 95 % of sessions.
        ties: The arms that cannot be told from the fastest: their interval does not lie above 1.
    """

    fastest: str
    ratios: Mapping[str, Estimate]
    ties: tuple[str, ...]

    @property
    def winner(self) -> str | None:
        """The arm that finishes before all others; None if that was not shown of any."""
        return None if self.ties else self.fastest


def rank(walls: Mapping[str, Sequence[float]]) -> Ranking:
    """Ranks k >= 2 arms.

    Args:
        walls: Wall times by arm, one a block, n >= 2, in the order of the blocks.
    """
    logs = {arm: [log(wall) for wall in values] for arm, values in walls.items()}

    def against(arm: str, other: str, confidence: float = CONFIDENCE) -> Estimate:
        return log_estimate([a - b for a, b in zip(logs[arm], logs[other], strict=True)], confidence)

    # Means of their own could name one arm and the paired ratios another (from nine blocks on they are no means).
    fastest = min(logs, key=lambda arm: max(against(arm, other).point for other in logs if other != arm))
    each = joint_confidence(len(logs) - 1)
    found = {arm: against(arm, fastest, each) for arm in logs if arm != fastest}
    ratios = dict(sorted(found.items(), key=lambda item: item[1].point))
    return Ranking(fastest, ratios, tuple(arm for arm, ratio in ratios.items() if shown(ratio, 1.0) != "more"))


@dataclass(frozen=True, slots=True)
class Effect:
    """What an arm does to one figure, against another arm of the same block.

    Attributes:
        arm: The arm.
        against: The other one; None if the figure is itself against the agents alone.
        role: The agent whose figure it is; None for the arm's.
        metric: The figure.
        estimate: Ratio to the other arm's (or difference, for ``measured_efficiency_pct``), paired block by block;
            the intervals of a study's effects hold jointly in 95 % of sessions.
        shown: ``less`` or ``more`` if the whole interval lies there, else ``nothing``.
    """

    arm: str
    against: str | None
    role: str | None
    metric: str
    estimate: Estimate
    shown: Shown


@dataclass(frozen=True, slots=True)
class Paired:
    """Values of an effect before it is judged; attributes as in :class:`Effect`.

    Attributes:
        arm: The arm.
        against: The other one.
        role: The agent, or None.
        metric: The figure.
        values: One a block: logs of ratios, or differences.
        difference: They are differences.
    """

    arm: str
    against: str | None
    role: str | None
    metric: str
    values: Sequence[float]
    difference: bool = False

    def judged(self, confidence: float) -> Effect:
        """With an interval of this confidence."""
        estimate = (mean_estimate if self.difference else log_estimate)(self.values, confidence)
        said = shown(estimate, 0.0 if self.difference else 1.0)
        return Effect(self.arm, self.against, self.role, self.metric, estimate, said)


def joint_effects(pairs: Sequence[Paired]) -> tuple[Effect, ...]:
    """Effects whose intervals hold jointly."""
    return tuple(pair.judged(joint_confidence(len(pairs))) for pair in pairs)
