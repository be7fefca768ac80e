"""The same floor with the kernel's own receive stamps: bare sockets, read when the loop says that they are readable.

It stands apart from our transport's code on purpose: a floor that shared it could not show a fault in it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from perf.fidelity.clients import Finish
from perf.fidelity.clients.floor import LAST_CHUNK
from perf.fidelity.clients.reads import Read, looks_like_token, rendered_request, token_instants
from perf.fidelity.observed import Observed

_SO_TIMESTAMPNS = 35  # include/uapi/asm-generic/socket.h; Python does not export it
_TIMESPEC = struct.Struct("@qq")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
_READ_BYTES = 65536


def _offset_ns() -> int:
    """Monotonic less wall clock, ns."""
    before = time.perf_counter_ns()
    wall = time.time_ns()
    return (before + time.perf_counter_ns()) // 2 - wall


class _Stream:
    """One connection; one answer at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reads: list[Read] = []
        self.over: asyncio.Future[None] | None = None

    def readable(self) -> None:
        data, ancillary, _, _ = self.sock.recvmsg(_READ_BYTES, _ROOM)
        if not data:
            asyncio.get_running_loop().remove_reader(self.sock)
            if self.over is not None and not self.over.done():
                self.over.set_exception(ConnectionResetError("the server closed the connection"))
            return
        seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
        self.reads.append((seconds * 1_000_000_000 + nanoseconds, data))
        if data.endswith(LAST_CHUNK) and self.over is not None:
            self.over.set_result(None)


class _KernelFloor:
    def __init__(self, host: str, idle: list[_Stream]) -> None:
        self._host = host
        self._idle = idle

    async def ask(self, nonce: str, tokens: int) -> Finish:
        message = rendered_request(self._host, nonce, tokens)
        stream = self._idle.pop()
        reads: list[Read] = []
        stream.reads = reads
        stream.over = asyncio.get_running_loop().create_future()
        sent_ns = time.perf_counter_ns()
        stream.sock.send(message)
        await stream.over
        offset = _offset_ns()
        self._idle.append(stream)

        def finish() -> Observed:
            instants = tuple(instant + offset for instant in token_instants(reads, looks_like_token))
            return Observed(nonce, sent_ns, instants, len(instants))

        return finish


@asynccontextmanager
async def connect(url: str, streams: int) -> AsyncIterator[_KernelFloor]:
    """As many open connections as streams. Linux only."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    idle: list[_Stream] = []
    for _ in range(streams):
        sock = socket.create_connection((parts.hostname or "", parts.port or 80))
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        stream = _Stream(sock)
        loop.add_reader(sock, stream.readable)
        idle.append(stream)
    try:
        yield _KernelFloor(parts.netloc, idle)
    finally:
        for stream in idle:
            loop.remove_reader(stream.sock)
            stream.sock.close()
