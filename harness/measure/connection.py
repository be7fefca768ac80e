"""One HTTP/1.1 connection of the measured path: its socket is read by us, so that each read can be stamped.

The kernel gives one stamp a read, that of the last segment in it. So what has arrived is looked at first, and taken
line by line if there are several: each has the stamp of the segment that completed it, however late we come.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

import httpx

from harness.measure.board import SEAT
from harness.measure.clock import monotonic_ns
from harness.measure.readiness import Readiness
from harness.measure.stamped import Piece, StampedStream
from harness.servers import kernel_stamps

_READ_BYTES = 65536
_LINE_END = b"}\n"  # a guess is enough: where the pieces end changes their stamps and nothing else
_FRAMING = (b"", b"\r\n")
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux; it lasts for a few segments only


class Connection:
    """A connection to one server; it carries one request at a time."""

    def __init__(
        self,
        sock: socket.socket,
        readiness: Readiness,
        idle: Callable[[Connection], None],
        gone: Callable[[Connection], None],
    ) -> None:
        """Takes a connected socket.

        Args:
            sock: The socket.
            readiness: Tells when there is something to read.
            idle: Gets the connection when it can be used again.
            gone: Gets it when it is closed.
        """
        self._readiness = readiness
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self._sock = sock
        self._idle = idle
        self._gone = gone
        self._stream: StampedStream | None = None
        self._writable: asyncio.Future[None] | None = None
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ancillary_bytes = kernel_stamps.ANCILLARY_BYTES if kernel_stamps.enable(sock) else 0
        self._acknowledge()
        readiness.watch(sock, self._readable)

    async def ask(self, request: httpx.Request, *, connected: bool) -> StampedStream:
        """Sends a request; its answer's head is still to come.

        Raises:
            httpx.WriteError: If the connection does not take it.
        """
        content = await request.aread()
        timeout = request.extensions.get("timeout", {})
        stream = StampedStream(
            self.release,
            method=request.method,
            connected=connected,
            read_s=timeout.get("read"),
            seat=request.extensions.get(SEAT),
        )
        self._stream = stream
        message = _head_of(request) + _framed(request, content)
        try:
            await self._send(stream, message)
        except OSError as error:
            raise httpx.WriteError(f"the connection did not take the request: {error}") from error
        return stream

    async def _send(self, stream: StampedStream, message: bytes) -> None:
        rest = memoryview(message)
        while rest and not self.closed:  # a closed one has told its stream why
            stream.sent_ns = monotonic_ns()
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                self._writable = self._loop.create_future()
                self._loop.add_writer(self._sock.fileno(), _resolve, self._writable)
                try:
                    await self._writable
                finally:
                    if not self.closed:
                        self._loop.remove_writer(self._sock.fileno())

    def _readable(self) -> None:
        try:
            pieces = self._taken()
            instant_ns = monotonic_ns()
            self._acknowledge()
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(httpx.ReadError(f"the connection broke: {error.strerror or error}"))
            return
        stream = self._stream
        if pieces and stream is not None and not stream.over:
            stream.received(pieces, instant_ns)
            return
        if not pieces and stream is not None:
            stream.ended()
        self.close()  # the server's end of it, or bytes that nobody asked for

    def _taken(self) -> Sequence[Piece]:
        """What has arrived, in pieces with a stamp each; nothing at the end of the connection.

        Raises:
            OSError: If there is nothing, or the connection is broken.
        """
        sock, room = self._sock, self._ancillary_bytes
        if not room:
            data = sock.recv(_READ_BYTES)
            return ((data, ()),) if data else ()
        data, ancillary, _flags, _address = sock.recvmsg(_READ_BYTES, room, socket.MSG_PEEK)
        first, *others = data.split(_LINE_END)
        if not others or (len(others) == 1 and others[0] in _FRAMING):
            sock.recv(len(data), socket.MSG_TRUNC)  # drops what was looked at
            return ((data, ancillary),) if data else ()
        sizes = [len(line) + len(_LINE_END) for line in (first, *others[:-1])] + [len(others[-1])]
        return [sock.recvmsg(size, room)[:2] for size in sizes if size]

    def _acknowledge(self) -> None:
        """Acknowledges what was taken at once, and lets the kernel take its time over what comes next.

        A server without TCP_NODELAY would wait 40 ms for a delayed acknowledgement. But segments that were acknowledged
        before we take them are merged by the kernel, and all but the last of them lose their stamps.
        """
        if _QUICK_ACK is not None:
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 0)

    def release(self) -> None:
        """The answer was taken, or given up."""
        stream, self._stream = self._stream, None
        if self.closed:
            return
        if stream is not None and stream.reusable:
            self._idle(self)
        else:
            self.close()

    def close(self, error: httpx.TransportError | None = None) -> None:
        """Closes the socket; an answer under way has failed."""
        if self.closed:
            return
        self.closed = True
        self._readiness.forget(self._sock)
        if self._writable is not None:
            self._loop.remove_writer(self._sock.fileno())
            _resolve(self._writable)
        self._sock.close()
        self._gone(self)
        if self._stream is not None:
            self._stream.failed(error or httpx.ReadError("the connection was closed"))


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _head_of(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


def _framed(request: httpx.Request, content: bytes) -> bytes:
    if "transfer-encoding" not in request.headers:
        return content
    return (b"%x\r\n%s\r\n" % (len(content), content) if content else b"") + b"0\r\n\r\n"
