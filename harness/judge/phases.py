"""What an agent was doing at each instant of a run: the phase of its requests as a function of time.

One request, from the client's instants, which bound everything, and the server's durations, which split what lies
before the first token:

    sent ............................................ first token ............................. ended
         loading | queue              | prefill                   | decode

* *Loading* is the server's load duration from the moment of sending, if it is at least 50 ms. Ollama tells of 3-10 ms
  on a warm server, never of 0: that is reading the request and finding the runner. Nothing is loaded then and the
  accelerator has nothing to do, so it counts as queue: the request is there, and no work is done for it.
* *Prefill* is the server's prompt evaluation, which ends with the first token. A server that does not tell it makes
  all of sent to first token prefill, its load apart.
* *Queue* is what is left between them: the wait for a slot, and the server's own bookkeeping.
* *Decode* goes on after the last token until the stream ends: a token that makes no text (the end of the answer, or
  a request that was cut off while the next one was made) is work for the server too.
* *Idle* is everything outside requests: before the start, between them, and after the end.

An agent with several requests in flight does the most demanding of what they do: prefill, then decode, loading, queue.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from harness.records import AgentRun, RequestRecord

Phase = Literal["idle", "loading", "queue", "prefill", "decode"]
PHASES: tuple[Phase, ...] = ("idle", "loading", "queue", "prefill", "decode")
"""In the order of a request."""
LOADING_FROM_NS = 50_000_000
"""A load duration from which something was loaded, ns; below it is a warm server's bookkeeping."""
_DEMANDING: tuple[Phase, ...] = ("prefill", "decode", "loading", "queue")


class Interval(NamedTuple):
    """A time in which an agent was in one phase: from ``start_ns``, and before ``end_ns``."""

    phase: Phase
    start_ns: int
    end_ns: int


def prefill_start_ns(request: RequestRecord, first_ns: int, *, told: bool = True) -> int:
    """The instant at which a request's prefill began, ns, between its sending and its first token.

    Args:
        request: The request.
        first_ns: Its first token, or its end if it had none.
        told: False does not look at the server's durations: the prefill then begins with the sending.
    """
    server = request.server if told else None
    earliest = request.sent_ns + _load_ns(request, first_ns) if server else request.sent_ns
    if server is None or server.prompt_eval_ns <= 0:
        return earliest
    return max(earliest, first_ns - server.prompt_eval_ns)


def _load_ns(request: RequestRecord, first_ns: int) -> int:
    """The part of sent to first token in which the server loaded something, ns."""
    load = request.server.load_ns if request.server else 0
    return max(0, min(load, first_ns - request.sent_ns)) if load >= LOADING_FROM_NS else 0


def request_phases(request: RequestRecord) -> tuple[Interval, ...]:
    """One request's phases from its sending to its end, in order; those without length are left out.

    Without tokens all of it comes before the first one. Instants out of order give fewer phases, and never an error.
    """
    sent, ended = request.sent_ns, request.ended_ns
    first = min(ended, max(sent, request.token_ns[0])) if request.token_ns else ended
    loaded = sent + _load_ns(request, first)
    prefill = prefill_start_ns(request, first)
    marks = (("loading", sent, loaded), ("queue", loaded, prefill), ("prefill", prefill, first))
    named: tuple[tuple[Phase, int, int], ...] = (*marks, ("decode", first, ended))  # type: ignore[assignment]
    return tuple(Interval(*each) for each in named if each[1] < each[2])


def agent_phases(agents: AgentRun | Sequence[AgentRun], started_ns: int, finished_ns: int) -> tuple[Interval, ...]:
    """The phase of an agent, or of several seen as one, over a run from ``started_ns`` to ``finished_ns``.

    The intervals follow each other without a gap and cover the run; neighbours differ in phase. What lies outside the
    run is cut off, and a run without length has none.
    """
    runs = (agents,) if isinstance(agents, AgentRun) else agents
    pieces = [piece for run in runs for request in run.requests for piece in request_phases(request)]
    return tuple(_merged(_tiles(pieces, started_ns, finished_ns)))


def _tiles(pieces: Iterable[Interval], started_ns: int, finished_ns: int) -> Iterator[Interval]:
    """The run between any two neighbouring instants at which something begins or ends."""
    cut = [
        Interval(phase, max(start, started_ns), min(end, finished_ns))
        for phase, start, end in pieces
        if max(start, started_ns) < min(end, finished_ns)
    ]
    bounds = sorted({started_ns, finished_ns, *(each.start_ns for each in cut), *(each.end_ns for each in cut)})
    starts = {phase: sorted(each.start_ns for each in cut if each.phase == phase) for phase in _DEMANDING}
    ends = {phase: sorted(each.end_ns for each in cut if each.phase == phase) for phase in _DEMANDING}
    if started_ns >= finished_ns:
        return
    for start, end in pairwise(bounds):
        going_on = (p for p in _DEMANDING if bisect_right(starts[p], start) > bisect_right(ends[p], start))
        yield Interval(next(going_on, "idle"), start, end)


def _merged(tiles: Iterable[Interval]) -> Iterator[Interval]:
    """Neighbours of one phase as one interval."""
    last: Interval | None = None
    for each in tiles:
        if last is not None and last.phase == each.phase:
            last = Interval(last.phase, last.start_ns, each.end_ns)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
