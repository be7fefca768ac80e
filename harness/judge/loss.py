"""Where every lost per cent went: the time of n agents over one block's concurrent run, taken apart without a rest.

Per agent i, on its own time line from the start of a run:

    S   alone: its time in flight          X + L   together: its time in flight
    T   alone: wall time of its arm        L       of it, the server's load together less alone
    o_s = T - S                            F       together: its finish;  o = F - (X + L)

and W the wall time of the concurrent run. Then, in integer ns and therefore exactly,

    n W = sum T + sum (X - S) + sum L + [sum (o - o_s) + n (W - max F)] + sum (max F - F)
          useful  contention    load    orchestration                     imbalance

Every term is "together less alone", signed and never clipped: a server that is faster in company has negative
contention. What falls where:

* *In flight* is sent to ended; where an agent's requests overlap, the time in which at least one was.
* *Useful* is the wall time of the solo arm with its start and its join (well below a millisecond), as the measured
  efficiency has it: the useful share is the measured efficiency.
* *Contention* is split by the server's fields; what they do not tell is unattributed. Both arms' fields of a request
  count, or neither: a server that was silent in one of them leaves load 0 and all contention unattributed. Where
  requests overlap, each counts by in flight / sum of their spans, so that two that wait for one load wait once.
* *Orchestration* is a staggered start, the coordinator's semaphore, the client's work outside requests (asked to sent
  is part of it, and all of o_s but its wait is taken off: the solo arm's start and join too), and the join of the
  concurrent run.
* *Imbalance* is inherent where the agents alone differ, sum (max T - T), and induced for the rest.

Source: statistics.md, "where the lost efficiency goes".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from harness.judge.ledger import NO_PHASES, ServerPhases, server_phases
from harness.judge.validity import invalid_reasons
from harness.records import AgentRun, Block, RequestRecord, Run
from harness.records.session import CONCURRENT, solo_arm

_SPLIT = ("contention", "orchestration", "imbalance")
_DIGITS = 52
"""Binary digits of a share and of a sum of shares; a float holds 53."""
Exact = int | Fraction


@dataclass(frozen=True, slots=True)
class Loss:
    """Shares of n W, the agents' time over the concurrent run; 1 is all of it.

    The first five sum to 1, and the parts of each to it, exactly and in any order (one agent's to 1/n, as near as a
    float can be), unless shares exceed 10^15.

    Attributes:
        useful: The agents' time alone.
        contention: Longer in flight together than alone, load not counted.
        load: The server's load (reloads, evictions), together less alone.
        orchestration: The coordinator, the client and the join.
        imbalance: Agents that had ended while another still ran.
        contention_queue: Of contention, the wait for a slot by the server's fields.
        contention_prefill: Of contention, prompt evaluation.
        contention_decode: Of contention, decode.
        contention_unattributed: Of contention, what the server's fields do not tell.
        orchestration_stagger: Of orchestration, the delay of a start that was asked for.
        orchestration_wait: Of orchestration, the coordinator's semaphore.
        orchestration_client: Of orchestration, the client's work outside requests.
        orchestration_join: Of orchestration, from the last agent's end to the end of the run.
        imbalance_inherent: Of imbalance, what the agents' times alone have.
        imbalance_induced: Of imbalance, what running together added.
    """

    useful: float
    contention: float
    load: float
    orchestration: float
    imbalance: float
    contention_queue: float
    contention_prefill: float
    contention_decode: float
    contention_unattributed: float
    orchestration_stagger: float
    orchestration_wait: float
    orchestration_client: float
    orchestration_join: float
    imbalance_inherent: float
    imbalance_induced: float


@dataclass(frozen=True, slots=True)
class AgentLoss:
    """One agent's part in the terms of its block.

    Attributes:
        role: The agent.
        loss: Shares of the block's n W. The agents' sum to the block's; the join falls on each alike.
    """

    role: str
    loss: Loss


class _Terms(NamedTuple):
    """The terms that are not sums of others, named as in :class:`Loss`; ns, or exact shares."""

    useful: Exact
    load: Exact
    contention_queue: Exact
    contention_prefill: Exact
    contention_decode: Exact
    contention_unattributed: Exact
    orchestration_stagger: Exact
    orchestration_wait: Exact
    orchestration_client: Exact
    orchestration_join: Exact
    imbalance_inherent: Exact
    imbalance_induced: Exact

    def loss(self, whole: int) -> Loss:
        """As shares of ``whole``.

        Divided one by one they would sum to 1 only nearly, and not at all where two large ones cancel. So all are
        rounded to multiples of one power of two, on which floats add exactly; what rounding left over goes to the
        largest, where it is below its own precision.
        """
        exact = [Fraction(term) / whole for term in self]
        scale = 1 << max(0, _DIGITS - int(sum(map(abs, exact))).bit_length())
        steps = [round(share * scale) for share in exact]
        largest = max(range(len(steps)), key=lambda index: abs(steps[index]))
        steps[largest] += round(sum(exact) * scale) - sum(steps)
        shares = dict(zip(self._fields, steps, strict=True))
        for term in _SPLIT:
            shares[term] = sum(steps for name, steps in shares.items() if name.startswith(f"{term}_"))
        return Loss(**{name: steps / scale for name, steps in shares.items()})


def in_flight_ns(requests: Sequence[RequestRecord]) -> int:
    """Time in which at least one of the requests was in flight (sent, and not ended), ns."""
    covered, reached = 0, None
    for sent, ended in sorted((request.sent_ns, request.ended_ns) for request in requests):
        start = sent if reached is None else max(sent, reached)
        covered += max(0, ended - start)
        reached = max(start, ended)
    return covered


def _phases(requests: Sequence[RequestRecord], told: Sequence[bool]) -> ServerPhases:
    """The server's phases over an agent's requests, as parts of its time in flight, ns."""
    each = [server_phases(request.server) for request, use in zip(requests, told, strict=True) if use]
    sums = [sum(values) for values in zip(NO_PHASES, *each, strict=True)]
    spans = sum(max(0, request.ended_ns - request.sent_ns) for request in requests)
    in_flight = in_flight_ns(requests)
    if in_flight != spans:  # they overlap
        sums = [value * in_flight // spans for value in sums]
    return ServerPhases(*sums)


@dataclass(frozen=True, slots=True)
class _Walls:
    """What the agents of a block share, ns."""

    started: int
    together: int
    longest_solo: int
    last_finish: int


def _terms(solo: Run, together: AgentRun, walls: _Walls) -> _Terms:
    alone, solo_wall, finish = solo.agents[0], solo.wall_ns, together.finished_ns - walls.started
    pairs = zip(alone.requests, together.requests, strict=True)
    told = [one.server is not None and other.server is not None for one, other in pairs]
    solo_phases, phases = _phases(alone.requests, told), _phases(together.requests, told)
    load, queue, prefill, decode = (concurrent - solo for solo, concurrent in zip(solo_phases, phases, strict=True))
    solo_flight, flight = in_flight_ns(alone.requests), in_flight_ns(together.requests)
    stagger = (together.queued_ns - walls.started) - (alone.queued_ns - solo.started_ns)
    wait = together.wait_ns - alone.wait_ns
    inherent = walls.longest_solo - solo_wall
    return _Terms(
        useful=solo_wall,
        load=load,
        contention_queue=queue,
        contention_prefill=prefill,
        contention_decode=decode,
        contention_unattributed=flight - solo_flight - load - queue - prefill - decode,
        orchestration_stagger=stagger,
        orchestration_wait=wait,
        orchestration_client=(finish - flight) - (solo_wall - solo_flight) - stagger - wait,
        orchestration_join=walls.together - walls.last_finish,
        imbalance_inherent=inherent,
        imbalance_induced=walls.last_finish - finish - inherent,
    )


def _block_terms(block: Block) -> tuple[tuple[str, ...], tuple[_Terms, ...], int]:
    """The agents' roles and terms, and n W, ns.

    Raises:
        ValueError: If the block is not valid.
    """
    concurrent = block.run(CONCURRENT)
    if concurrent is None or invalid_reasons(block):
        raise ValueError(f"block {block.index} of {block.scenario} is not valid: {invalid_reasons(block)}")
    runs = {run.arm: run for run in block.runs}
    solos = [runs[solo_arm(run.role)] for run in concurrent.agents]
    walls = _Walls(
        started=concurrent.started_ns,
        together=concurrent.wall_ns,
        longest_solo=max(solo.wall_ns for solo in solos),
        last_finish=max(run.finished_ns for run in concurrent.agents) - concurrent.started_ns,
    )
    terms = tuple(_terms(solo, together, walls) for solo, together in zip(solos, concurrent.agents, strict=True))
    return tuple(run.role for run in concurrent.agents), terms, len(terms) * concurrent.wall_ns


def block_loss(block: Block) -> Loss:
    """Where the agents' time over a block's concurrent run went.

    Raises:
        ValueError: If the block is not valid: ask :func:`harness.judge.validity.invalid_reasons` first.
    """
    _, terms, whole = _block_terms(block)
    return _Terms(*map(sum, zip(*terms, strict=True))).loss(whole)


def agent_losses(block: Block) -> tuple[AgentLoss, ...]:
    """Each agent's part in it, in the scenario's order; an agent's five terms sum to 1/n.

    Raises:
        ValueError: If the block is not valid.
    """
    roles, terms, whole = _block_terms(block)
    return tuple(AgentLoss(role, each.loss(whole)) for role, each in zip(roles, terms, strict=True))


def mean_loss(losses: Sequence[Loss]) -> Loss:
    """Arithmetic mean of each share over n >= 1 blocks; the means sum to what the shares did."""
    sums = (sum(Fraction(getattr(loss, name)) for loss in losses) for name in _Terms._fields)
    return _Terms(*sums).loss(len(losses))


def mean_agent_losses(blocks: Sequence[tuple[AgentLoss, ...]]) -> tuple[AgentLoss, ...]:
    """The same for each agent, over n >= 1 blocks of one scenario."""
    return tuple(
        AgentLoss(parts[0].role, mean_loss([part.loss for part in parts])) for parts in zip(*blocks, strict=True)
    )
