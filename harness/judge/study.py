"""Studies judged: the arms of each block compared with each other, and what that answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log

from harness.judge.arms import ArmSummary, ArmValues, log_ratios, measured_arms, summarise
from harness.judge.pattern_check import pattern_doubts
from harness.judge.ranking import Effect, Paired, Ranking, joint_effects, rank
from harness.judge.reloads import Options, Reloads, reloads
from harness.judge.validity import study_reasons
from harness.records import Block, ModelMemory
from harness.records.session import CONCURRENT, FALLBACK, GIVE_UP_AFTER
from harness.scenarios import FIRST_LOOK, InstrumentLimits
from harness.scenarios.studies import (
    CONTROL_KINDS,
    PATTERN_STUDIES,
    WITHOUT,
    arms_of,
    reference_of,
    study_kind,
    study_title,
    together_arm,
    together_sizes,
)

_RANKED_FROM = 2


@dataclass(frozen=True, slots=True)
class StudySummary:
    """One study judged.

    Attributes:
        name: The study.
        title: Its question.
        unsaid: Why nothing can be said, in words; empty if something can.
        blocks: Number of valid blocks; the warm-up block is not among them.
        invalid: Reasons by index of each block that could not be judged.
        arms: Its arms in the order of telling; () without a valid block.
        ranking: Which of the arms that do all the work finishes it first; None if there are none such to compare.
        effects: What the study asks for, of each arm that it asks it of: ``controls`` each agent's time in requests
            (``service_s``) against the others' absence, ``scaling`` the speedup against the next smaller number of
            agents (of the smallest: against the agents alone), ``sampling`` and ``drawing`` the measured efficiency
            less that without the sampler or the live terminal, the others the wall time against the reference;
            () if nothing can be said.
        reloads: Arms in which agents with different options share a server.
        left_out: Arms that could not be tried, and why.
        doubts: Arms that were not what their name says, and why.
    """

    name: str
    title: str
    unsaid: str
    blocks: int = 0
    invalid: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    arms: tuple[ArmSummary, ...] = ()
    ranking: Ranking | None = None
    effects: tuple[Effect, ...] = ()
    reloads: tuple[Reloads, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """True if nothing can be said because something went wrong, and not for want of blocks."""
        return bool(self.unsaid and (self.invalid or not self.blocks))

    def arm(self, name: str) -> ArmSummary | None:
        """The arm of this name, or None."""
        return next((arm for arm in self.arms if arm.arm == name), None)


def _ended(blocks: Sequence[Block]) -> str:
    """What ended a study before it had its blocks, or ""."""
    last = blocks[-GIVE_UP_AFTER:]
    if last and last[-1].fallback:
        return last[-1].fallback
    failed = [reasons[0] for block in last if (reasons := study_reasons(block))]
    return f"it was given up: {failed[-1]}" if len(failed) == GIVE_UP_AFTER else ""


def _unsaid(valid: int, invalid: int) -> str:
    if not valid and not invalid:
        return "nothing was measured"
    if valid <= invalid:
        return f"{valid} of {valid + invalid} blocks could be judged"
    return "" if valid >= FIRST_LOOK else f"{valid} block{'s' * (valid > 1)}, it takes {FIRST_LOOK}"


def _arms(name: str, blocks: Sequence[Block], roles: Sequence[str]) -> list[str]:
    """The arms that any of the blocks was to have, in the order of telling; unknown ones come last."""
    asked = [arm for arm in dict.fromkeys(arm for block in blocks for arm in block.order) if arm != FALLBACK]
    known = arms_of(name, roles)
    return sorted(asked, key=lambda arm: known.index(arm) if arm in known else len(known))


def _roles(blocks: Sequence[Block], options: Options) -> list[str]:
    """The agents, in the scenario's order: that of the options, or else of the arms with the most agents."""
    runs = sorted((run for block in blocks for run in block.runs), key=lambda run: (-len(run.agents), run.arm))
    seen = dict.fromkeys(agent.role for run in runs for agent in run.agents)
    return [role for role in options if role in seen] + [role for role in seen if role not in options]


def _memory_before(blocks: Sequence[Block]) -> dict[str, Sequence[ModelMemory]]:
    """By arm, where the models were in the first block that tells."""
    before: dict[str, Sequence[ModelMemory]] = {}
    for run in (run for block in blocks for run in block.runs if run.memory):
        before.setdefault(run.arm, run.memory)
    return before


def _wall(found: Mapping[str, ArmValues], arm: str, other: str) -> Paired:
    return Paired(arm, other, None, "wall_s", log_ratios(found[arm].arm, found[other].arm, "wall_s"))


def _scaling(found: Mapping[str, ArmValues], agents: int) -> list[Paired]:
    """Speedup of each number of agents over the next smaller one's."""
    metric = "measured_speedup"
    arms = [arm for size in together_sizes(agents) if (arm := together_arm(size)) in found]
    if not arms or not all(metric in block for arm in arms for block in found[arm].arm):
        return []
    first = Paired(arms[0], None, None, metric, [log(block[metric]) for block in found[arms[0]].arm])
    return [
        first,
        *(
            Paired(arm, smaller, None, metric, log_ratios(found[arm].arm, found[smaller].arm, metric))
            for smaller, arm in pairwise(arms)
        ),
    ]


def _own_cost(found: Mapping[str, ArmValues], without: str) -> list[Paired]:
    """Measured efficiency with a part of the instrument less the one without it, points."""
    metric = "measured_efficiency_pct"
    if CONCURRENT not in found or without not in found:
        return []
    both = list(zip(found[CONCURRENT].arm, found[without].arm, strict=True))
    if not all(metric in block for pair in both for block in pair):
        return []
    differences = [usual[metric] - other[metric] for usual, other in both]
    return [Paired(CONCURRENT, without, None, metric, differences, difference=True)]


def _effects(name: str, found: Mapping[str, ArmValues], roles: Sequence[str]) -> tuple[Effect, ...]:
    if study_kind(name) == "scaling":
        return joint_effects(_scaling(found, len(roles)))
    if study_kind(name) in WITHOUT:
        return joint_effects(_own_cost(found, WITHOUT[study_kind(name)]))
    pairs = []
    for arm in found:
        other = reference_of(name, arm)
        if other is None or other not in found:
            continue
        kind, _, role = arm.partition(":")
        if kind in CONTROL_KINDS and role in found[arm].roles:
            logs = log_ratios(found[arm].roles[role], found[other].roles[role], "service_s")
            pairs.append(Paired(arm, other, role, "service_s", logs))
        else:
            pairs.append(_wall(found, arm, other))
    return joint_effects(pairs)


def _ranking(found: Mapping[str, ArmValues], agents: int) -> Ranking | None:
    """Of the arms that do the work of all agents."""
    whole = [arm for arm, values in found.items() if len(values.roles) == agents]
    if len(whole) < _RANKED_FROM:
        return None
    return rank({arm: [block["wall_s"] for block in found[arm].arm] for arm in whole})


def judge_study(
    name: str,
    blocks: Sequence[Block],
    instrument: InstrumentLimits | None,
    options: Options | None = None,
    left_out: Mapping[str, str] | None = None,
) -> StudySummary:
    """Judges the blocks of one study; warm-up blocks are left out, invalid ones only counted.

    Nothing is said of fewer than four valid blocks, if most could not be judged, or if it ended with failed blocks in
    a row or with work that was finished one agent at a time (a dead server); their figures are there all the same. A
    study that ended while it warmed up has the warm-up block's reasons.

    Args:
        name: The study; of one that nobody knows the arms are told without a reference.
        blocks: Its blocks, the warm-up ones too.
        instrument: What the instrument may be off by; None does not look at it.
        options: What each role sends, in the scenario's order; tells which agents cannot share a loaded model.
        left_out: Arms that could not be tried, and why.
    """
    given = options or {}
    roles = _roles(blocks, given)
    arms = _arms(name, blocks, roles)
    measured = [block for block in blocks if not block.warmup]
    before = _memory_before(blocks)
    reasons = {block.index: study_reasons(block, instrument, before, arms) for block in measured or blocks}
    valid = [block for block in measured if not reasons[block.index]]
    invalid = {index: found for index, found in reasons.items() if found}
    found = measured_arms(valid, arms) if valid else {}
    unsaid = _ended(blocks) or _unsaid(len(valid), len(invalid))
    slow = [cost for arm in found if (cost := reloads(valid, arm, reference_of(name, arm), given))]
    return StudySummary(
        name=name,
        title=study_title(name),
        unsaid=unsaid,
        blocks=len(valid),
        invalid=invalid,
        arms=tuple(summarise(arm, found, reference_of(name, arm)) for arm in found),
        ranking=None if unsaid else _ranking(found, len(roles)),
        effects=() if unsaid else _effects(name, found, roles),
        reloads=tuple(slow),
        left_out=dict(left_out or {}),
        doubts=pattern_doubts(valid) if name in PATTERN_STUDIES else {},
    )
