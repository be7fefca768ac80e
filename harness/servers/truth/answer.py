"""One request to generate: from its arrival, through the port and the device, to its entry in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.servers.truth.asked import Asked
from harness.servers.truth.clock import monotonic_ns
from harness.servers.truth.connection import Connection
from harness.servers.truth.device import Device, Job
from harness.servers.truth.exchange import Reply, Request
from harness.servers.truth.formats import Figures
from harness.servers.truth.log import Entry, TrueLog
from harness.servers.truth.port import Port, Visit
from harness.servers.truth.spec import MIN_GAP_MS, NS_PER_MS, SLOW_LOAD, Fault
from harness.servers.truth.stream import Stream

_ENDINGS = ("error_line", "stall", "reset", "silent_death")
_MIN_GAP_NS = MIN_GAP_MS * NS_PER_MS
_ERROR = "an error was encountered while running the model: unexpected EOF"


@dataclass(frozen=True, slots=True)
class Work:
    """What an answer costs, ns when alone.

    Attributes:
        prompt_words: What the server reports as the prompt's tokens.
        prefill_ns: To the first token.
        gaps_ns: To each further one.
        tokens: How many.
        tok_s: The rate it wants of the pool in decode.
    """

    prompt_words: int
    prefill_ns: float
    gaps_ns: Iterator[float]
    tokens: int
    tok_s: float


class Generation:
    """An answer with tokens: prefill, then a token after each piece of decode work."""

    def __init__(
        self,
        connection: Connection,
        stream: Stream,
        entry: Entry,
        work: Work,
        fault: Fault | None,
        port: Port,
        visit: Visit,
        device: Device,
        log: TrueLog,
    ) -> None:
        """Something that :meth:`begin` sets going."""
        self._connection = connection
        self._stream = stream
        self._entry = entry
        self._work = work
        self._fault = fault
        self._device = device
        self._log = log
        self._job = Job(self._finished, tok_s=work.tok_s)
        self._port = port
        self._visit = visit
        self._over = False
        self._first_ns = 0
        self._last_ns = 0

    def begin(self, at_ns: int) -> None:
        """The request enters its port."""
        self._visit.granted = self._granted
        self._connection.answer = self
        self._stream.arrived()
        if not self._over:
            self._port.submit(self._visit, at_ns)

    def _granted(self, at_ns: int) -> None:
        """The model is there and the slot is free: the prefill begins."""
        self._entry.granted_ns = at_ns
        if self._visit.loaded is not None:
            self._job.slowdown = self._visit.loaded.slowdown(self._device.spec.spill_slowdown)
        self._device.enter(self._job, "prefill", self._work.prefill_ns, at_ns)
        self._stream.granted()

    def flushed(self) -> None:
        """The client has been sent everything."""
        self._record("done", shaped=True)

    def left(self, at_ns: int) -> None:
        """The client has left: everything it held is free at once."""
        self._leave(at_ns)
        self._entry.ended_ns = at_ns
        self._record("cancelled", shaped=False)

    def _finished(self, at_ns: int) -> None:
        """The prefill, or the work of a further token, is done."""
        stream, tokens = self._stream, self._work.tokens
        if self._ends_here():
            self._end_badly(at_ns)
            return
        if stream.count < tokens:
            first, last = not stream.count, stream.count + 1 == tokens
            self._last_ns = stream.token(last)
            if first:
                self._first_ns = self._last_ns
            if self._over:  # the client has left
                return
            if not last:
                gap_ns = max(_MIN_GAP_NS, next(self._work.gaps_ns))
                if first:
                    self._device.enter(self._job, "decode", gap_ns, at_ns)
                else:
                    self._device.go_on(self._job, gap_ns)
                return
            if self._ends_here():
                self._end_badly(at_ns)
                return
        stream.end(self._figures())
        self._leave(at_ns)

    def _ends_here(self) -> bool:
        fault = self._fault
        if fault is None or fault.kind not in _ENDINGS:
            return False
        return self._stream.count in (fault.after, self._work.tokens)

    def _end_badly(self, at_ns: int) -> None:
        kind = self._fault.kind if self._fault is not None else ""
        self._stream.struck = True
        self._entry.ended_ns = monotonic_ns()
        if kind == "stall":
            self._device.leave(self._job, at_ns)  # it keeps its slot until the client leaves
            return
        if kind == "error_line":
            self._stream.fail(_ERROR)
        elif kind == "reset":
            self._connection.reset()
        else:
            self._connection.close()
        self._leave(at_ns)
        if kind != "error_line":
            self._record(kind, shaped=False)

    def _leave(self, at_ns: int) -> None:
        if not self._over:
            self._over = True
            self._device.leave(self._job, at_ns)
            self._port.leave(self._visit, at_ns)

    def _record(self, outcome: str, shaped: bool) -> None:
        if self._fault is not None:
            kind = self._fault.kind
            slow = self._visit.slow and self._visit.cold
            if self._stream.struck or (shaped and (slow or self._stream.shaped)):
                outcome = kind
        self._entry.outcome = outcome
        self._log.add(self._entry)
        self._job.finished = self._visit.granted = _nothing  # the collector is off: leave it no cycles

    def _figures(self) -> Figures:
        """What the done line tells: true, as far as the tokens are not held back by a fault or by the client."""
        entry, count = self._entry, self._stream.count
        first_ns, last_ns = (self._first_ns, self._last_ns) if count else (monotonic_ns(),) * 2
        return Figures(
            reason="length",
            total_ns=last_ns - entry.arrived_ns,
            load_ns=self._visit.loaded_ns - entry.arrived_ns,
            prompt_count=self._work.prompt_words,
            prompt_ns=first_ns - entry.granted_ns,
            eval_count=count,
            eval_ns=last_ns - first_ns,
        )


def _nothing(at_ns: int) -> None:
    """Nobody waits any more."""


class Loading:
    """An answer without tokens: it says that the model is there."""

    def __init__(
        self,
        connection: Connection,
        request: Request,
        asked: Asked,
        entry: Entry,
        port: Port,
        visit: Visit,
        log: TrueLog,
    ) -> None:
        """Something that :meth:`begin` sets going."""
        self._connection = connection
        self._request = request
        self._asked = asked
        self._entry = entry
        self._port = port
        self._visit = visit
        self._log = log

    def begin(self, at_ns: int) -> None:
        """The request enters its port."""
        self._visit.granted = self._granted
        self._connection.answer = self
        self._port.submit(self._visit, at_ns)

    def flushed(self) -> None:
        """The client has been told."""
        self._record(SLOW_LOAD if self._visit.slow and self._visit.cold else "done")

    def left(self, at_ns: int) -> None:
        """The client has left: a load that it waited for is given up."""
        self._port.leave(self._visit, at_ns)
        self._entry.ended_ns = at_ns
        self._record("cancelled")

    def _granted(self, at_ns: int) -> None:
        self._entry.granted_ns = at_ns
        reply = Reply(self._asked.format.whole("", Figures("load")))
        self._connection.send(reply.encode(self._request), self._entry)
        self._connection.end()
        self._port.leave(self._visit, at_ns)

    def _record(self, outcome: str) -> None:
        self._entry.outcome = outcome
        self._log.add(self._entry)
        self._visit.granted = _nothing
