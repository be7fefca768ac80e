"""A scenario judged: its figures, contention, losses, gates and verdict. Reads records only, no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from statistics import fmean

from harness.judge.baseline import judge_against_baseline
from harness.judge.change import Change, judge_change
from harness.judge.contention import Symptom, symptoms
from harness.judge.figures import AgentFigures, BlockFigures, block_figures, mean_arm
from harness.judge.gate import Gate, judge_rate, judge_ratio
from harness.judge.interference import Effect, interference
from harness.judge.ledger import AgentLedger, agent_ledgers
from harness.judge.loss import AgentLoss, Loss, agent_losses, block_loss, mean_agent_losses, mean_loss
from harness.judge.resources import ResourceFigures, resource_figures
from harness.judge.sequential import Design
from harness.judge.statistics import Estimate, log_estimate, mean_estimate, share_estimate
from harness.judge.validity import invalid_reasons
from harness.judge.verdict import Verdict, overall
from harness.records import Block, ModelMemory
from harness.records.session import BASE, CANDIDATE, GIVE_UP_AFTER, Side
from harness.scenarios import FIRST_LOOK, Limit, Terms

OVERLAP_PCT = 95.0
PARALLEL_PCT = 80.0
CONTENTION_RATE = "contention_rate"
HOPELESS = 5
"""Invalid blocks after which it makes no sense to go on if most are invalid."""


@dataclass(frozen=True)  # without slots, in which nothing could be kept that is computed once it is asked for
class ScenarioSummary:
    """One scenario judged.

    Attributes:
        name: The scenario.
        verdict: The worst of its gates and changes; INVALID if it was given up or most blocks could not be judged;
            INCONCLUSIVE if nothing was asked of it.
        blocks: Figures of the valid blocks, in order; the warm-up block is not among them.
        invalid: Reasons by index of each block (with a base: each pair) that could not be judged.
        symptoms: Symptoms by index of each valid block that showed any.
        estimates: Location and interval by metric name.
        agents: Means over the valid blocks, one each.
        gates: One for each limit.
        overlap_only: True if the agents overlap but do not run in parallel: guide >= 95 %, measured < 80 %.
        loss: Where the agents' time over the concurrent runs went, mean over the blocks; None if nothing was judged.
        agent_losses: Each agent's part in it.
        ledgers: Where the time of each agent's requests went, alone and together.
        base: Figures of the base's blocks, one for each of ``blocks``; () without a base.
        changes: The candidate against its base and its stored baseline, one for each metric.
        measured: The records of ``blocks``; what is only shown is read from them when it is.
    """

    name: str
    verdict: Verdict
    blocks: tuple[BlockFigures, ...] = ()
    invalid: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    symptoms: Mapping[int, tuple[Symptom, ...]] = field(default_factory=dict)
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    agents: tuple[AgentFigures, ...] = ()
    gates: tuple[Gate, ...] = ()
    overlap_only: bool = False
    loss: Loss | None = None
    agent_losses: tuple[AgentLoss, ...] = ()
    ledgers: tuple[AgentLedger, ...] = ()
    base: tuple[BlockFigures, ...] = ()
    changes: tuple[Change, ...] = ()
    measured: tuple[Block, ...] = field(default=(), repr=False, compare=False)

    @cached_property
    def interference(self) -> tuple[Effect, ...]:
        """What each agent's phases cost each other agent, in the concurrent runs; () if nothing was judged."""
        return interference(self.measured)

    @cached_property
    def resources(self) -> ResourceFigures | None:
        """What servers and GPUs used; None if nobody sampled it."""
        return resource_figures(self.measured)

    @property
    def undecided(self) -> bool:
        """True if more blocks could still decide something."""
        if self.verdict is Verdict.INVALID:
            return len(self.invalid) < HOPELESS
        said = [gate.verdict for gate in self.gates]
        said += [change.verdict for change in self.changes if change.against == BASE]
        return len(self.blocks) < FIRST_LOOK or Verdict.INCONCLUSIVE in said


_RATIOS = (
    "guide_efficiency_pct",
    "guide_speedup",
    "measured_efficiency_pct",
    "measured_speedup",
    "efficiency_bound_pct",
    "slowdown",
    "ttft_ratio",
    "fairness",
)
_MEANS = (
    "aggregate_tok_s",
    "concurrent_wall_s",
    "sequential_estimate_s",
    "sequential_measured_s",
    "ttft_delta_signed_ms",
    "throughput_delta_signed_tok_s",
)


def _values(blocks: Sequence[BlockFigures], metric: str) -> list[float]:
    return [float(getattr(block, metric)) for block in blocks]


def _estimates(blocks: Sequence[BlockFigures], contended: int) -> dict[str, Estimate]:
    found = {metric: log_estimate([log(value) for value in _values(blocks, metric)]) for metric in _RATIOS}
    found |= {metric: mean_estimate(_values(blocks, metric)) for metric in _MEANS}
    for signed, absolute in (
        ("ttft_delta_signed_ms", "ttft_delta_ms"),
        ("throughput_delta_signed_tok_s", "throughput_delta_tok_s"),
    ):
        found[absolute] = mean_estimate([abs(value) for value in _values(blocks, signed)])
    return found | {CONTENTION_RATE: share_estimate(contended, len(blocks))}


def _gate(
    limit: Limit, blocks: Sequence[BlockFigures], fired: Mapping[int, tuple[Symptom, ...]], design: Design
) -> Gate:
    if limit.metric == CONTENTION_RATE:
        return judge_rate(limit, [(block.index, len(fired.get(block.index, ()))) for block in blocks], design)
    return judge_ratio(limit, [(block.index, float(getattr(block, limit.metric))) for block in blocks], design)


def _changes(
    blocks: Sequence[BlockFigures], base: Sequence[BlockFigures], terms: Terms, design: Design
) -> list[Change]:
    found: list[Change] = []
    if terms.change is not None and base:
        pairs = list(zip(blocks, base, strict=True))
        found += [judge_change(metric, pairs, terms.change, design) for metric in terms.change.metrics]
    if terms.baseline is not None:
        found += [
            judge_against_baseline(
                metric,
                _values(blocks, metric),
                stored,
                terms.baseline.name,
                terms.baseline.rules,
                design.alpha_fail,
                design.alpha_pass,
            )
            for metric, stored in terms.baseline.ratios.items()
        ]
    return found


def _mean_agent(agents: Sequence[AgentFigures]) -> AgentFigures:
    return AgentFigures(
        role=agents[0].role,
        solo=mean_arm([a.solo for a in agents]),
        concurrent=mean_arm([a.concurrent for a in agents]),
        slowdown=fmean(a.slowdown for a in agents),
        wait_ms=fmean(a.wait_ms for a in agents),
    )


def unmeasured_scenario(name: str, reason: str) -> ScenarioSummary:
    """A scenario that could not be measured to its end; the reason stands where its first block's would."""
    return ScenarioSummary(name, Verdict.INVALID, invalid={0: (reason,)})


def _reasons(blocks: Sequence[Block], terms: Terms) -> dict[int, tuple[str, ...]]:
    """Why blocks are invalid, by index; those of the base say so."""
    found: dict[int, tuple[str, ...]] = {}
    before: dict[Side, Sequence[ModelMemory]] = {}
    for block in blocks:
        reference = before.get(block.side) or block.memory  # of the first block that tells
        before[block.side] = reference
        said = "base: " if block.side == BASE else ""
        reasons = tuple(said + reason for reason in invalid_reasons(block, terms.instrument, reference))
        if reasons:
            found[block.index] = found.get(block.index, ()) + reasons
    return found


def design_of(terms: Terms) -> Design:
    """How each gate of a scenario is looked at, and how often it may err.

    Raises:
        ConfigurationError: If there are no levels for such rates, so many gates, or so many looks.
    """
    return Design(
        max_runs=terms.stopping.runs,
        fixed=terms.stopping.fixed,
        alpha_fail=terms.rates.false_fail / terms.gates,
        alpha_pass=terms.rates.false_pass,
    )


def judge_scenario(name: str, blocks: Sequence[Block], terms: Terms) -> ScenarioSummary:
    """Judges the blocks of one scenario; warm-up blocks are left out, invalid ones only counted.

    With a base the unit is the pair: one block of each side with the same index, both valid. A scenario that ended
    while it warmed up is INVALID for the warm-up block's reasons, and one that ended with failed blocks in a row, or
    whose work was finished one agent at a time (a dead server), is INVALID however good its first blocks were.

    Args:
        name: The scenario.
        blocks: Its blocks, those of the base and the warm-up blocks too.
        terms: What they are judged by.
    """
    reasons = _reasons(blocks, terms)
    sides: dict[Side, dict[int, Block]] = {CANDIDATE: {}, BASE: {}}
    for block in blocks:
        if not block.warmup:
            sides[block.side][block.index] = block
    indexes = list(sides[CANDIDATE])
    if terms.change is not None:
        for index in indexes:
            if index not in sides[BASE]:
                reasons[index] = (*reasons.get(index, ()), "base: not measured")
    # A scenario may die while it warms up: then that block's reasons are all there is to tell.
    invalid = {index: reasons[index] for index in indexes or (block.index for block in blocks) if index in reasons}
    good = [index for index in indexes if index not in invalid]
    judged = [sides[CANDIDATE][index] for index in good]
    valid = tuple(block_figures(block) for block in judged)
    base = tuple(block_figures(sides[BASE][index]) for index in good if index in sides[BASE])
    fired = {block.index: found for block in valid if (found := symptoms(block, terms.contention))}
    given_up = [index in invalid for index in indexes[-GIVE_UP_AFTER:]] == [True] * GIVE_UP_AFTER
    fallen = bool(blocks and blocks[-1].fallback)
    if given_up or fallen or len(valid) <= len(invalid):
        return ScenarioSummary(name, Verdict.INVALID, valid, invalid, fired, base=base)
    design = design_of(terms)
    estimates = _estimates(valid, len(fired))
    gates = tuple(_gate(limit, valid, fired, design) for limit in terms.limits)
    changes = tuple(_changes(valid, base, terms, design))
    verdicts = [gate.verdict for gate in gates] + [change.verdict for change in changes]
    return ScenarioSummary(
        name=name,
        verdict=overall(verdicts) if verdicts else Verdict.INCONCLUSIVE,
        blocks=valid,
        invalid=invalid,
        symptoms=fired,
        estimates=estimates,
        agents=tuple(_mean_agent(agents) for agents in zip(*(b.agents for b in valid), strict=True)),
        gates=gates,
        overlap_only=estimates["guide_efficiency_pct"].point >= OVERLAP_PCT
        and estimates["measured_efficiency_pct"].point < PARALLEL_PCT,
        loss=mean_loss([block_loss(block) for block in judged]),
        agent_losses=mean_agent_losses([agent_losses(block) for block in judged]),
        ledgers=agent_ledgers(judged),
        base=base,
        changes=changes,
        measured=tuple(judged),
    )
