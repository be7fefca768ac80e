"""One HTTP/1.1 connection of the measured path: its socket is read by us, so that each read can be stamped.

A read costs one callback of the event loop, one ``recvmsg`` and httptools' framing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable

import httpx

from harness.measure.clock import monotonic_ns
from harness.measure.stamped import StampedStream
from harness.servers import kernel_stamps

_READ_BYTES = 65536
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)  # Linux; it lasts for a few segments only


class Connection:
    """A connection to one server; it carries one request at a time."""

    def __init__(
        self, sock: socket.socket, idle: Callable[[Connection], None], gone: Callable[[Connection], None]
    ) -> None:
        """``sock`` is connected; ``idle`` gets the connection when it can be used again, ``gone`` when it is closed."""
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self._sock = sock
        self._idle = idle
        self._gone = gone
        self._stream: StampedStream | None = None
        self._writable: asyncio.Future[None] | None = None
        self._broken = 0  # the errno that a reset left behind
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ancillary_bytes = kernel_stamps.ANCILLARY_BYTES if kernel_stamps.enable(sock) else 0
        self._loop.add_reader(sock.fileno(), self._readable)

    async def ask(self, request: httpx.Request, *, connected: bool) -> StampedStream:
        """Sends a request; its answer's head is still to come.

        Raises:
            httpx.WriteError: If the connection does not take it.
        """
        content = await request.aread()
        timeout = request.extensions.get("timeout", {})
        stream = StampedStream(self.release, method=request.method, connected=connected, read_s=timeout.get("read"))
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
            data, ancillary, _flags, _address = self._sock.recvmsg(_READ_BYTES, self._ancillary_bytes)
            instant_ns = monotonic_ns()
            if _QUICK_ACK is not None:  # or a server without TCP_NODELAY waits 40 ms for our delayed acknowledgement
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.close(_broken(self._broken or error.errno or errno.EIO))
            return
        stream = self._stream
        if data and stream is not None and not stream.over:
            stream.received(data, ancillary, instant_ns)
            self._look_for_reset(stream)
            return
        if not data and stream is not None and not self._broken:
            stream.ended()
        self.close(_broken(self._broken) if self._broken else None)  # or its end, or bytes that nobody asked for

    def _look_for_reset(self, stream: StampedStream) -> None:
        """A reset behind bytes: uvloop calls for the two together once and never again."""
        self._broken = self._broken or self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self._broken and stream.over:
            self.close()
        elif self._broken:
            self._loop.call_soon(self._readable)

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
        self._loop.remove_reader(self._sock.fileno())
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


def _broken(number: int) -> httpx.ReadError:
    return httpx.ReadError(f"the connection broke: {os.strerror(number)}")


def _head_of(request: httpx.Request) -> bytes:
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    return b"\r\n".join([*lines, b"", b""])


def _framed(request: httpx.Request, content: bytes) -> bytes:
    if "transfer-encoding" not in request.headers:
        return content
    return (b"%x\r\n%s\r\n" % (len(content), content) if content else b"") + b"0\r\n\r\n"
