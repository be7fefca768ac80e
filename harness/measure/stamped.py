"""The body of a response on the measured path: every read stamped, framed by httptools, decoded by nobody yet.

Nobody is woken before the stream is over, unless somebody iterates over the body while it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import httptools
import httpx

from harness.measure.board import Seat
from harness.measure.clock import monotonic_ns
from harness.records import Chunk
from harness.records.stream import StampedBy
from harness.servers import kernel_stamps

Piece = tuple[bytes, kernel_stamps.Ancillary]
"""Bytes, and the kernel's ancillary data with the stamp of the last of them."""

_INFORMATIONAL = range(100, 200)
_FRAMING = (b"transfer-encoding", b"content-length")


class StampedStream(httpx.AsyncByteStream):
    """The body of one response, each read of it stamped by the kernel and in user space.

    Attributes:
        sent_ns: Just before the write of the request's last byte, ns.
        connected: True if a connection was opened for the request.
        status: HTTP status; 0 until the head is there.
        headers: The response's headers as they came.
    """

    def __init__(
        self,
        release: Callable[[], None],
        *,
        method: str,
        connected: bool,
        read_s: float | None,
        seat: Seat | None = None,
    ) -> None:
        """Waits for an answer to ``method``.

        Args:
            release: Called when nobody wants more of it.
            method: The request's HTTP method.
            connected: A connection was opened for the request.
            read_s: httpx's read timeout, the longest silence, s; None is no limit.
            seat: Where it is noted what has come; None if nobody looks.
        """
        self.sent_ns = 0
        self.connected = connected
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._loop = asyncio.get_running_loop()
        self._release = release
        self._bodiless = method == "HEAD"
        self._read_s = read_s
        self._seat = seat
        self._silence: asyncio.TimerHandle | None = None
        self._offset_before = self._offset_after = kernel_stamps.clock_offset()
        self._reads: list[tuple[int, kernel_stamps.Ancillary]] = []
        self._bodies: list[tuple[int, bytes]] = []
        self._parser = httptools.HttpResponseParser(self)
        self._reusable = False
        self._complete = False
        self._error: httpx.TransportError | None = None
        self._head: asyncio.Future[None] = self._loop.create_future()
        self._end: asyncio.Future[None] | None = None
        self._news: asyncio.Event | None = None

    @property
    def over(self) -> bool:
        """True if no more of it will come."""
        return self._complete or self._error is not None

    @property
    def reusable(self) -> bool:
        """True if the connection can carry another request."""
        return self._complete and self._reusable

    async def head(self) -> None:
        """Waits for the status line and the headers.

        Raises:
            httpx.TransportError: If they do not come.
        """
        self._watch_silence()
        await self._head

    async def finished(self) -> None:
        """Waits for the end of the body without being woken by its parts.

        Raises:
            httpx.TransportError: If it ends early, is not HTTP, or is silent for longer than the read timeout.
        """
        if not self.over:
            self._end = self._loop.create_future()
            await self._end
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        self._news = asyncio.Event()
        position = 0
        while True:
            while position < len(self._bodies):
                yield self._bodies[position][1]
                position += 1
            if self._error is not None:
                raise self._error
            if self._complete:
                return
            self._news.clear()
            await self._news.wait()

    async def aclose(self) -> None:
        """Gives the connection back; one whose body was not read to its end is closed."""
        if self._silence is not None:
            self._silence.cancel()
        self._release()

    def stamped(self) -> tuple[list[Chunk], StampedBy, int | None]:
        """The body so far, a chunk a read; whose stamps they are; and the longest read lag, ns.

        That is how long a read's bytes lay in the kernel before this process took them; None without its stamps.
        """
        users = [instant for instant, _ in self._reads]
        kernels = [kernel_stamps.stamp_of(ancillary) for _, ancillary in self._reads]
        if None in kernels or not kernel_stamps.agree(self._offset_before, self._offset_after):
            return self._chunks(users), "user", None
        offset = self._offset_before
        instants = [stamp + offset for stamp in kernels if stamp is not None]
        lag = max((user - kernel for user, kernel in zip(users, instants, strict=True)), default=None)
        return self._chunks(instants), "kernel", lag

    def _chunks(self, instants: Sequence[int]) -> list[Chunk]:
        """Joins what has one instant: one segment of the kernel's, or one wake-up of this process."""
        parts: dict[int, tuple[int, list[bytes]]] = {}
        for read, data in self._bodies:
            parts.setdefault(instants[read], (read, []))[1].append(data)
        return [Chunk(read, instant, b"".join(pieces)) for instant, (read, pieces) in parts.items()]

    # What the connection tells.

    def received(self, pieces: Sequence[Piece], instant_ns: int) -> None:
        """What was read at an instant, in pieces."""
        try:
            for data, ancillary in pieces:
                self._reads.append((instant_ns, ancillary))
                self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._reusable = False  # also where the answer was whole, and nobody knows what came after it
            self.failed(httpx.RemoteProtocolError(f"the answer is not HTTP/1.1: {error}"))
        if self._seat is not None and self._bodies:
            self._seat.heard(self.sent_ns, len(self._bodies), instant_ns)
        if self._news is not None:
            self._news.set()

    def ended(self) -> None:
        """The server closed the connection: that is the end of a body that came without a length."""
        if self.over:
            return
        if self.status and not self._framed():
            self._completed()
        elif self.status:
            self.failed(httpx.RemoteProtocolError("the server closed the connection in the middle of its answer"))
        else:
            self.failed(httpx.RemoteProtocolError("the server closed the connection without an answer"))

    def failed(self, error: httpx.TransportError) -> None:
        """Nothing more will come."""
        if self.over:
            return
        self._error = error
        self._offset_after = kernel_stamps.clock_offset()
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # nobody may be waiting for it
        self._wake()

    # What the parser tells (the names are httptools').

    def on_message_begin(self) -> None:
        """An answer; a second one is none of ours."""
        if self.over:
            raise ValueError("bytes after the answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        status = self._parser.get_status_code()
        if status in _INFORMATIONAL:
            return
        if not status:
            self.failed(httpx.RemoteProtocolError("the answer is not HTTP/1.1: its status is 0"))
            return
        self.status = status
        if not self._head.done():
            self._head.set_result(None)
        if self._bodiless:  # the parser does not know that no body follows what a HEAD request announces
            self._reusable = self._parser.should_keep_alive()
            self._completed()

    def on_body(self, body: bytes) -> None:
        """A part of the body, without its framing."""
        self._bodies.append((len(self._reads) - 1, body))

    def on_message_complete(self) -> None:
        """The whole body is there; or an informational answer, and the real one follows."""
        if not self.status:
            self.headers.clear()
        elif not self.over:
            self._reusable = self._parser.should_keep_alive()
            self._completed()

    def _completed(self) -> None:
        self._complete = True
        self._offset_after = kernel_stamps.clock_offset()
        self._wake()

    def _wake(self) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(None)
        if self._news is not None:
            self._news.set()

    def _framed(self) -> bool:
        return any(name.lower() in _FRAMING for name, _ in self.headers)

    def _watch_silence(self) -> None:
        """One timer for the whole stream: when it fires it looks how long ago the last read was."""
        if self._read_s is None or self.over:
            return
        last_ns = self._reads[-1][0] if self._reads else self.sent_ns
        left_s = self._read_s - (monotonic_ns() - last_ns) / 1e9
        if left_s > 0:
            self._silence = self._loop.call_later(left_s, self._watch_silence)
        else:
            self.failed(httpx.ReadTimeout(f"no byte for {self._read_s:g} s"))
