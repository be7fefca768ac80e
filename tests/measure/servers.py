"""Servers of these tests, behind httpx's transport seam: each answers as its test needs, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import respx

from harness.testing import stream_lines

URL = "http://server.test:11434"
T = TypeVar("T")
Piece = bytes | Exception | Callable[[], Awaitable[None]]


class Stream(httpx.AsyncByteStream):
    """A body in the given pieces: bytes are a read, an exception ends it, a callable is awaited in between."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        """Keeps the pieces."""
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The reads."""
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await piece()


def answer(*pieces: Piece, status: int = 200) -> httpx.Response:
    """A streamed response in these pieces; a whole good stream without any."""
    return httpx.Response(status, stream=Stream(pieces or stream_lines()))


Generate = Callable[[httpx.Request], Awaitable[httpx.Response]]


async def good(_request: httpx.Request) -> httpx.Response:
    """Answers with a whole good stream."""
    return answer()


@dataclass
class FakeServer:
    """Ollama's two endpoints that a measurement uses.

    Attributes:
        generate: Answers ``/api/generate``.
        version: Answers ``/api/version``, or raises.
    """

    generate: Generate = good
    version: httpx.Response | Exception = field(default_factory=lambda: httpx.Response(200, json={"version": "0.0.0"}))

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that reaches this server only."""
        router = respx.MockRouter(base_url=URL, assert_all_called=False)
        router.get("/api/version").mock(
            side_effect=self.version if isinstance(self.version, Exception) else None,
            return_value=None if isinstance(self.version, Exception) else self.version,
        )
        router.post("/api/generate").mock(side_effect=self._generate)
        transport = httpx.MockTransport(router.async_handler)
        async with httpx.AsyncClient(base_url=URL, transport=transport) as client:
            yield client

    async def _generate(self, request: httpx.Request) -> httpx.Response:
        return await self.generate(request)


async def within(awaitable: Awaitable[T], seconds: float = 10.0) -> T:
    """Awaits with a generous limit, so that a deadlock is a failure and not a hang."""
    async with asyncio.timeout(seconds):
        return await awaitable


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Write = bytes | None | Callable[[], Awaitable[object]]


def http_chunk(data: bytes) -> bytes:
    """An HTTP chunk of ``Transfer-Encoding: chunked``; of nothing: the last one."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class SocketServer:
    """An HTTP server on a real socket that answers every request with the same writes, whatever they are.

    Attributes:
        requests: The requests as they came, head and body.
        connections: How many connections there were.
    """

    def __init__(self, *writes: Write) -> None:
        """Bytes are written as they are and flushed, None closes the connection, a callable is awaited in between."""
        self.requests: list[bytes] = []
        self.connections = 0
        self._writes = writes
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> SocketServer:
        """Starts it."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    @property
    def url(self) -> str:
        """Its URL."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        """Stops it and its connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await within(asyncio.gather(*self._tasks, return_exceptions=True))
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._answered(reader, writer):
                    pass
        finally:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        self.requests.append(head + await reader.readexactly(length))
        for write in self._writes:
            if write is None:
                return False
            if isinstance(write, bytes):
                writer.write(write)
                await writer.drain()
            else:
                await write()
        return True
