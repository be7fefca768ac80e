"""Servers of these tests, behind httpx's transport seam: each answers as its test needs, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
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
