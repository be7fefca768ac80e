"""A session as a trace that Perfetto, ``chrome://tracing`` and speedscope open: the Chrome trace event format, JSON.

Four processes, whose threads are the tracks: the session (blocks and their arms), the agents (each with its wait, its
requests, their phases and every token), the servers (what each told of its requests, from their sending on) and the
sampler (a slice for each sampled run, and counters that hold the run's mean or peak until the next run). A track whose
slices overlap has further lanes. An arrow leads from each request to what its server told of it.

Times are microseconds since the first instant of the session, to an eighth: ``otherData`` has that instant as a date.

Source: Trace Event Format, https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil
from typing import TypeVar

import msgspec

from harness.records import Session
from harness.report.exports.lanes import GRID_NS, Slice, flattened, in_lanes, steps_of
from harness.report.exports.seen import seen_agents, seen_requests, unix_ns
from harness.report.exports.tracks import agent_slices, block_slices, readings, server_slices, told
from harness.report.judged import JudgedSession
from harness.report.text import printable

T = TypeVar("T")

MOST_TOKENS = 250_000
"""Tokens that are told one by one; of more, every second, third ... of each request is."""
_SESSION, _AGENTS, _SERVERS, _SAMPLER = 1, 2, 3, 4
_PROCESSES = {_SESSION: "session", _AGENTS: "agents", _SERVERS: "servers by their own durations", _SAMPLER: "sampler"}
_STEPS_IN_US = 1_000 // GRID_NS
_MOST_STEPS = 2**53
"""As far as a double is exact, 35 years: instants beyond are damaged."""


class _Trace:
    """Events as they are made; tracks are numbered as they come."""

    def __init__(self, first_ns: int) -> None:
        """``first_ns`` is the instant that becomes 0."""
        self.events: list[dict[str, object]] = []
        self._first = steps_of(first_ns)
        self._tracks = 0
        for pid, name in _PROCESSES.items():
            self._add("M", pid, 0, "process_name", args={"name": name})
            self._add("M", pid, 0, "process_sort_index", args={"sort_index": pid})

    def _add(self, phase: str, pid: int, tid: int, name: str, **others: object) -> None:
        self.events.append({"ph": phase, "pid": pid, "tid": tid, "name": name, **others})

    def _us(self, steps: int) -> float:
        return min(steps - self._first, _MOST_STEPS) / _STEPS_IN_US

    def track(self, pid: int, name: str, slices: Iterable[Slice]) -> None:
        """A track with its lanes."""
        for lane, held in enumerate(in_lanes(slices)):
            self._tracks += 1
            tid, title = self._tracks, name if lane == 0 else f"{name} ({lane + 1})"
            self._add("M", pid, tid, "thread_name", args={"name": title})
            self._add("M", pid, tid, "thread_sort_index", args={"sort_index": tid})
            for each in flattened(held):
                self._slice(pid, tid, each)

    def _slice(self, pid: int, tid: int, each: Slice) -> None:
        ts, args = self._us(each.start), {"args": each.args} if each.args else {}
        self._add("X", pid, tid, each.name, cat=_PROCESSES[pid], ts=ts, dur=self._us(each.end) - ts, **args)
        for instant, count in each.marks:
            several = {"args": {"tokens": count}} if count > 1 else {}
            self._add("i", pid, tid, "token", ts=self._us(instant), s="t", **several)
        if each.arrow:
            ending = {"bp": "e"} if each.arrow < 0 else {}
            self._add("sf"[each.arrow < 0], pid, tid, "told", cat="told", id=abs(each.arrow), ts=ts, **ending)

    def counters(self, pid: int, at: int, found: Iterable[tuple[str, object]]) -> None:
        """A value of each counter, at a step of the grid."""
        for name, series in found:
            self._add("C", pid, 0, name, cat=_PROCESSES[pid], ts=self._us(at), args=series)


def trace_json(judged: JudgedSession) -> bytes:
    """The trace of a session, one line of JSON."""
    session = judged.session
    tokens = sum(len(seen.request.token_ns) for seen in seen_requests(session))
    every = ceil(tokens / MOST_TOKENS) or 1
    first_ns = min(_instants(session), default=session.environment.anchor.monotonic_ns)
    trace = _Trace(first_ns)
    trace.track(_SESSION, "blocks", block_slices(judged))
    for role, found in _by_name(agent_slices(session, every)).items():
        trace.track(_AGENTS, role, [each for slices in found for each in slices])
    for url, each_told in _by_name(server_slices(session)).items():
        trace.track(_SERVERS, url, each_told)
    sampled = list(readings(session))
    trace.track(_SAMPLER, "sampled runs", (reading.whole for reading in sampled))
    for reading in sampled:
        trace.counters(_SAMPLER, reading.whole.start, reading.counters.items())
    document = {
        "traceEvents": trace.events,
        "displayTimeUnit": "ms",
        "otherData": told(
            journal=judged.journal,
            model=session.model,
            profile=session.profile,
            seed=session.seed,
            host=session.environment.host,
            first_instant_unix_ns=unix_ns(session, first_ns),
            tokens=f"{tokens}, every one" if every == 1 else f"{tokens}, one in {every} of each request",
        ),
    }
    return msgspec.json.encode(document) + b"\n"


def _by_name(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for name, each in pairs:
        found.setdefault(printable(name), []).append(each)
    return found


def _instants(session: Session) -> Iterator[int]:
    """Every instant that a slice may start at, ns."""
    for block in session.blocks:
        yield from (run.started_ns for run in block.runs)
    for at in seen_agents(session):
        yield at.agent.queued_ns
        for request in at.agent.requests:
            yield request.sent_ns
            yield from request.token_ns
