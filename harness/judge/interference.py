"""Who slows whom: an agent's prefill and decode together against alone, by what another agent was doing meanwhile.

One block gives one reading for every ordered pair (aggressor, victim) and their phases (:mod:`harness.judge.speeds`),
and the blocks make its interval. "Insight's decode is 38 % slower while DataCollector prefills" says that it was so at
the same time; the study ``controls`` lets one agent do nothing else and so says why.

*More than two agents.* A pair is looked at as if nobody else was there. The ratio while A prefills has in it what B did
at those times: where A and B prefill together, as at a start in which nobody waits, both readings have the whole
effect, and their excess is counted twice. The ratio while A is idle tells of the others. So there is also a reading
with the aggressor ``others``, the most demanding of what all others did: it counts everything once, and does not say
who it was, nor how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean
from typing import Final

from harness.judge.phases import PHASES, Phase, agent_phases
from harness.judge.sequential import p_value
from harness.judge.speeds import VICTIM_PHASES, Reading, readings, victim_pieces
from harness.judge.statistics import Estimate, log_estimate
from harness.judge.validity import invalid_reasons, solo_run
from harness.records import Block, Run
from harness.records.session import CONCURRENT, solo_arm

OTHERS: Final = "others"
"""The aggressor that is all other agents at once."""
NOTABLE = 1.02
"""What is worth a name: a ratio above this, and an excess of this less 1 of the victim's time.

Two processes of one program differ by 1 % or so, and the second stream costs the client a little, too.
"""
_ALPHA = 0.05
_MS = 1e6


@dataclass(frozen=True, slots=True)
class Effect:
    """How much slower than alone an agent's phase is while another agent is in one of its own.

    Attributes:
        aggressor: The agent that did something meanwhile; ``others`` for all others at once.
        victim: The agent whose time is looked at.
        aggressor_phase: What the aggressor did: one of ``PHASES``.
        victim_phase: ``prefill`` or ``decode``.
        ratio: Time together over time alone, over the n blocks that tell; 1.38 is 38 % slower.
        p: One-sided p of "the ratio is at most 1.02".
        pieces: Gaps (decode) or prefills a block, those that straddle phases by their shares; mean over the n blocks.
        time_ms: Time of the victim in it a block, ms; mean over the n blocks.
        excess_ms: What it added to the victim's run a block, ms, signed; mean over all blocks, 0 in one that tells
            nothing of it.
        share: The excess over the victim's time in prefill and decode together; 0.1 is a tenth.
    """

    aggressor: str
    victim: str
    aggressor_phase: Phase
    victim_phase: Phase
    ratio: Estimate
    p: float
    pieces: float
    time_ms: float
    excess_ms: float
    share: float


_Key = tuple[str, str, Phase, Phase]
"""Aggressor, victim, the aggressor's phase, the victim's."""


def interference(blocks: Sequence[Block]) -> tuple[Effect, ...]:
    """The matrix of aggressor and victim over the concurrent runs of one scenario's blocks.

    Ordered by victim, its phase, aggressor and its phase. Blocks that are warm-up, not valid, or without a concurrent
    run or somebody's solo run are passed over; a reading is absent for which no block has enough data. One agent
    alone has none.
    """
    judged = [(block, together) for block in blocks if (together := _judged_run(block)) is not None]
    found = [_block_readings(block, together) for block, together in judged]
    roles = tuple(dict.fromkeys(agent.role for _, together in judged for agent in together.agents))
    effects = []
    for victim in roles:
        busy_ns = [busy[victim] for _, busy in found if victim in busy]
        for kind in VICTIM_PHASES:
            for aggressor in (*roles, OTHERS):
                for phase in PHASES:
                    key = (aggressor, victim, phase, kind)
                    told = [block_readings[key] for block_readings, _ in found if key in block_readings]
                    if told:
                        effects.append(_effect(key, told, busy_ns))
    return tuple(effects)


def _judged_run(block: Block) -> Run | None:
    """The concurrent run of a block that can be read, or None."""
    together = block.run(CONCURRENT)
    if together is None or block.warmup or any(block.run(solo_arm(agent.role)) is None for agent in together.agents):
        return None
    return None if invalid_reasons(block) else together


def _block_readings(block: Block, together: Run) -> tuple[dict[_Key, Reading], dict[str, int]]:
    """One block's readings, and each victim's time in prefill and decode, ns."""
    window = together.started_ns, together.finished_ns
    lines = {agent.role: agent_phases(agent, *window) for agent in together.agents}
    found: dict[_Key, Reading] = {}
    busy: dict[str, int] = {}
    for agent in together.agents:
        others = [other for other in together.agents if other.role != agent.role]
        aggressors = {other.role: lines[other.role] for other in others}
        if len(others) > 1:
            aggressors[OTHERS] = agent_phases(others, *window)
        by_kind = victim_pieces(solo_run(block, agent.role).requests, agent.requests)
        busy[agent.role] = sum(max(0, each.end_ns - each.start_ns) for pieces in by_kind.values() for each in pieces)
        for kind, pieces in by_kind.items():
            for aggressor, phases in aggressors.items():
                told = readings(pieces, phases, kind)
                found |= {(aggressor, agent.role, phase, kind): reading for phase, reading in told.items()}
    return found, busy


def _effect(key: _Key, told: Sequence[Reading], busy_ns: Sequence[int]) -> Effect:
    """One effect from the blocks that tell of it; ``busy_ns`` is the victim's time in every block."""
    aggressor, victim, phase, kind = key
    logs = [reading.log_ratio for reading in told]
    excess_ns = sum(reading.excess_ns for reading in told)
    return Effect(
        aggressor=aggressor,
        victim=victim,
        aggressor_phase=phase,
        victim_phase=kind,
        ratio=log_estimate(logs),
        p=p_value([each - log(NOTABLE) for each in logs]),
        pieces=fmean(reading.pieces for reading in told),
        time_ms=fmean(reading.time_ns for reading in told) / _MS,
        excess_ms=excess_ns / len(busy_ns) / _MS,
        share=excess_ns / sum(busy_ns),
    )


def _beyond_doubt(effects: Iterable[Effect]) -> list[Effect]:
    """Those whose ratio is above ``NOTABLE``, at an error rate of 5 % for all of them together.

    Source: Holm 1979, the step-down rule.
    """
    ranked = sorted(effects, key=lambda effect: effect.p)
    last = next((i for i, effect in enumerate(ranked) if effect.p > _ALPHA / (len(ranked) - i)), len(ranked))
    return ranked[:last]


def strongest(effects: Sequence[Effect]) -> Effect | None:
    """The one effect to name: of those that are beyond doubt the one that cost the most time; None if there is none.

    Beyond doubt is a ratio above 1.02 at an error rate of 5 % for all readings together: of twenty 95 % intervals one
    excludes 1 where there is nothing. It must also have cost at least 2 % of the victim's time, and an idle aggressor
    is never named. Ranked is by the excess, so that a large ratio over two gaps does not win over a smaller one that
    explains the whole loss.

    With more than two agents it is chosen among the readings of all others at once. If only a single agent's own
    reading reaches half of that excess, that agent's is given.
    """
    active = [effect for effect in effects if effect.aggressor_phase != "idle"]
    crowd = [effect for effect in active if effect.aggressor == OTHERS]
    costly = [effect for effect in _beyond_doubt(crowd or active) if effect.share >= NOTABLE - 1]
    most = max(costly, key=lambda effect: effect.excess_ms, default=None)
    if most is None or most.aggressor != OTHERS:
        return most
    place = (most.victim, most.aggressor_phase, most.victim_phase)
    alike = [each for each in active if (each.victim, each.aggressor_phase, each.victim_phase) == place]
    single = [each for each in alike if each.aggressor != OTHERS and 2 * each.excess_ms >= most.excess_ms]
    return single[0] if len(single) == 1 else most
