"""Streams with a fault in their lines or in their writes; what ends a connection is in ``answer``."""

from __future__ import annotations

from functools import partial

from harness.servers.truth.clock import monotonic_ns
from harness.servers.truth.connection import Connection
from harness.servers.truth.exchange import Request
from harness.servers.truth.formats import Figures, Format
from harness.servers.truth.log import Entry
from harness.servers.truth.loop import Timers
from harness.servers.truth.spec import SHAPES, Fault
from harness.servers.truth.stream import Stream

_HALVES_APART_NS = 300_000
_LONG_LINE_BYTES = 10_000_000


class Faulty(Stream):
    """A stream with a fault."""

    def __init__(
        self, connection: Connection, request: Request, lines: Format, entry: Entry, timers: Timers, after: int
    ) -> None:
        """The fault strikes after so many tokens, if that has a meaning."""
        super().__init__(connection, request, lines, entry)
        self._timers = timers
        self._after = after


class PackedLines(Faulty):
    """Two lines in one write and one chunk."""

    _held: tuple[bytes, ...] = ()

    def token(self, last: bool) -> int:
        """Every other token waits for the next."""
        self._held += (self.next_line(),)
        if len(self._held) == 1 and not last:
            return monotonic_ns()
        held, self._held = self._held, ()
        return self.write(self.pack(held), len(held))

    def pack(self, lines: tuple[bytes, ...]) -> bytes:
        """The lines as one write."""
        return self.chunk(b"".join(lines))


class MergedChunks(PackedLines):
    """Two chunks in one write."""

    def pack(self, lines: tuple[bytes, ...]) -> bytes:
        """The lines as one write."""
        return b"".join(map(self.chunk, lines))


class SplitLines(Faulty):
    """Each line in two writes (and chunks), cut in its middle."""

    _rest: bytes = b""
    _figures: Figures | None = None

    def token(self, last: bool) -> int:
        """The first half now, the second soon."""
        self._second_half()
        line = self.next_line()
        middle = len(line) // 2
        self._rest = self.chunk(line[middle:])
        now_ns = self.write(self.chunk(line[:middle]))
        self._timers.call_at(now_ns + _HALVES_APART_NS, partial(self._due, self.count))
        return now_ns

    def end(self, figures: Figures) -> None:
        """Not before the last half."""
        self._figures = figures
        if not self._rest:
            super().end(figures)

    def _due(self, count: int, at_ns: int) -> None:
        if self._rest and count == self.count:
            self._second_half()
            if self._figures is not None:
                super().end(self._figures)

    def _second_half(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self.write(rest, 1)


class EmptyFirst(Faulty):
    """The first line has no text, and comes when the prefill begins."""

    def granted(self) -> None:
        """Nothing to read yet, but a line."""
        self.write(self.chunk(self._lines.token(b"")))


class EarlyHeaders(Faulty):
    """The head comes at once, not with the first token."""

    def arrived(self) -> None:
        """The head alone."""
        super().arrived()
        self.write(b"")


class LastWithDone(Faulty):
    """The last token's line and the done line in one write."""

    _held: bytes = b""

    def token(self, last: bool) -> int:
        """The last one waits for the end."""
        if not last:
            return super().token(last)
        self._held = self.chunk(self.next_line())
        return monotonic_ns()

    def end(self, figures: Figures) -> None:
        """Both."""
        self.close(self._held + self.chunk(self._lines.end(figures)), 1 if self._held else 0)


class NoDone(Faulty):
    """The stream ends properly, but without a done line."""

    def end(self, figures: Figures) -> None:
        """Nothing but the end."""
        self.struck = True
        self.close(b"")


class LongLine(Faulty):
    """One token's text is ten megabytes long."""

    def token(self, last: bool) -> int:
        """That one."""
        if self.struck or (self.count < self._after and not last):
            return super().token(last)
        self.struck = True
        return self.write(self.chunk(self.next_line(b"x" * _LONG_LINE_BYTES)), 1)


class BrokenJson(Faulty):
    """A line that is cut off, between two good ones."""

    def token(self, last: bool) -> int:
        """After the bad line, if it is time for it."""
        self._strike(self.count >= self._after)
        return super().token(last)

    def end(self, figures: Figures) -> None:
        """Not without the bad line."""
        self._strike(True)
        super().end(figures)

    def bad_line(self) -> bytes:
        """The line that is wrong."""
        line = self._lines.token(b" broken")
        return line[: len(line) // 2] + b"\n"

    def _strike(self, due: bool) -> None:
        if due and not self.struck:
            self.struck = True
            self.write(self.chunk(self.bad_line()))


class BrokenUtf8(BrokenJson):
    """A line that is no UTF-8, between two good ones."""

    def bad_line(self) -> bytes:
        """The line that is wrong."""
        return self._lines.token(b" \xff\xfe")


_KINDS: dict[str, type[Faulty]] = {
    "packed_lines": PackedLines,
    "split_lines": SplitLines,
    "merged_chunks": MergedChunks,
    "empty_first": EmptyFirst,
    "early_headers": EarlyHeaders,
    "last_with_done": LastWithDone,
    "no_done": NoDone,
    "broken_json": BrokenJson,
    "broken_utf8": BrokenUtf8,
    "long_line": LongLine,
}


def make_stream(
    connection: Connection, request: Request, lines: Format, entry: Entry, timers: Timers, fault: Fault | None
) -> Stream:
    """The stream of an answer with this fault; a plain one if the fault is not one of streams."""
    kind = _KINDS.get(fault.kind) if fault is not None else None
    if kind is None or fault is None:
        return Stream(connection, request, lines, entry)
    stream = kind(connection, request, lines, entry, timers, fault.after)
    stream.shaped = fault.kind in SHAPES
    return stream
