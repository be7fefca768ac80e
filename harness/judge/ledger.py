"""The ledger of a request: where its time went, from the moment its agent asked for it; sums exactly, in integer ns.

The client's own instants bound everything. The server's durations only split what lies between them, and what they
do not cover has a name of its own, ``unattributed``:

    agent queued .. admitted     asked .. sent             sent .................................. ended
    coordinator_wait             client (or connection)    load, queue, prefill, decode, unattributed

What the server's fields really hold (Ollama; the embedded and the ground-truth server do the same):

* ``load_duration`` runs from the request's arrival to the grant of a runner: reading the body, looking the model up,
  and every wait for a load, a reload or an eviction, somebody else's too. It is 3-10 ms on a warm server, never zero.
* The wait for a slot of that runner comes after it and has no field: it is in what the total leaves after load,
  prompt and eval (:func:`harness.judge.metrics.queue_ns`), with the rendering and tokenizing of the prompt.
* ``prompt_eval_duration`` ends with the first token's decode, ``eval_duration`` is the decode of the others.
* The total ends when the last token is there: the work after it (``/api/generate`` tokenizes the whole text once
  more) is unattributed, as are network, kernel, HTTP, and the difference between the server's clock and ours.

Absent and zero are the same on Ollama's wire. A phase that a server left out is inside its queue; the queue of a
server that left out its total cannot be told and counts as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from harness.judge import metrics
from harness.judge.validity import solo_run
from harness.records import AgentRun, Block, RequestRecord, ServerDurations
from harness.records.session import CONCURRENT

_MS = 1e6


class ServerPhases(NamedTuple):
    """A request's time on the server by phase, in the order in which they come, ns.

    Attributes:
        load: Arrival to the grant of a runner.
        queue: The wait for a slot, and the server's own bookkeeping; negative if the phases exceed the total.
        prefill: Prompt evaluation with the first token's decode.
        decode: Decode of the other tokens.
    """

    load: int
    queue: int
    prefill: int
    decode: int


NO_PHASES = ServerPhases(0, 0, 0, 0)


def server_phases(server: ServerDurations | None) -> ServerPhases:
    """The phases by the server's own fields, ns; all 0 if it gave none."""
    if server is None:
        return NO_PHASES
    queue = metrics.queue_ns(server) if server.total_ns else 0
    return ServerPhases(server.load_ns, queue, server.prompt_eval_ns, server.eval_ns)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where one request's time went, ns; the terms are signed and sum to ``total_ns`` exactly.

    Attributes:
        role: The agent.
        name: Name of the call in its workflow.
        index: The request's position in its agent's run, from 0.
        coordinator_wait_ns: The agent's wait for the coordinator's semaphore, on the first request it asked for; 0 on
            the others.
        connection_ns: Asked to sent, if a connection had to be opened in it; else 0.
        client_ns: Asked to sent, if none had to be.
        queue_ns: The server's total less its load, prompt and eval: the wait for a slot.
        load_ns: Arrival to the grant of a runner, by the server.
        prefill_ns: Prompt evaluation, by the server.
        decode_ns: Decode of the tokens after the first, by the server.
        unattributed_ns: The rest of sent to ended; all of it if the server told nothing, negative if it told of more
            time than passed.
        total_ns: Asked to ended, and the coordinator's wait.
    """

    role: str
    name: str
    index: int
    coordinator_wait_ns: int
    connection_ns: int
    client_ns: int
    queue_ns: int
    load_ns: int
    prefill_ns: int
    decode_ns: int
    unattributed_ns: int
    total_ns: int


@dataclass(frozen=True, slots=True)
class MeanLedger:
    """Mean of each term over n requests, ms; see :class:`Ledger`."""

    coordinator_wait_ms: float
    connection_ms: float
    client_ms: float
    queue_ms: float
    load_ms: float
    prefill_ms: float
    decode_ms: float
    unattributed_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class AgentLedger:
    """One agent's mean ledger alone and together, over the requests of several blocks."""

    role: str
    alone: MeanLedger
    together: MeanLedger


def _ledger(role: str, index: int, request: RequestRecord, wait_ns: int) -> Ledger:
    before_ns, in_flight_ns = request.sent_ns - request.asked_ns, request.ended_ns - request.sent_ns
    phases = server_phases(request.server)
    return Ledger(
        role=role,
        name=request.name,
        index=index,
        coordinator_wait_ns=wait_ns,
        connection_ns=before_ns if request.connected else 0,
        client_ns=0 if request.connected else before_ns,
        queue_ns=phases.queue,
        load_ns=phases.load,
        prefill_ns=phases.prefill,
        decode_ns=phases.decode,
        unattributed_ns=in_flight_ns - sum(phases),
        total_ns=wait_ns + before_ns + in_flight_ns,
    )


def request_ledgers(run: AgentRun) -> tuple[Ledger, ...]:
    """A ledger for each request of an agent's run, in their order.

    What the agent did between its requests is part of none: it is client work (:mod:`harness.judge.loss`).
    """
    if not run.requests:
        return ()
    # Requests are recorded as they end; with several in flight the first to end need not be the first asked for.
    first = min(range(len(run.requests)), key=lambda index: run.requests[index].asked_ns)
    return tuple(
        _ledger(run.role, index, request, run.wait_ns if index == first else 0)
        for index, request in enumerate(run.requests)
    )


def mean_ledger(ledgers: Sequence[Ledger]) -> MeanLedger:
    """Mean of each term over n >= 1 ledgers, ms."""
    names = [field.name.removesuffix("_ms") for field in fields(MeanLedger)]
    sums = {name: sum(getattr(ledger, f"{name}_ns") for ledger in ledgers) for name in names}
    return MeanLedger(**{f"{name}_ms": total / (len(ledgers) * _MS) for name, total in sums.items()})


def _mean_of(runs: Iterable[AgentRun]) -> MeanLedger:
    return mean_ledger([ledger for run in runs for ledger in request_ledgers(run)])


def agent_ledgers(blocks: Sequence[Block]) -> tuple[AgentLedger, ...]:
    """The mean ledger of each agent over n >= 1 valid blocks of one scenario, in its order of agents."""
    concurrent = [run for block in blocks if (run := block.run(CONCURRENT)) is not None]
    return tuple(
        AgentLedger(
            role=runs[0].role,
            alone=_mean_of(solo_run(block, runs[0].role) for block in blocks),
            together=_mean_of(runs),
        )
        for runs in zip(*(run.agents for run in concurrent), strict=True)
    )
