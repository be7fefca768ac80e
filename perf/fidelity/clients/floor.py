"""The floor without an HTTP library: an ``asyncio.Protocol`` that stamps and keeps what it gets.

It knows just enough to tell where an answer of the ground-truth server ends. It is no client that anybody could use.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import urlsplit

from perf.fidelity.clients import Finish
from perf.fidelity.clients.reads import Read, looks_like_token, rendered_request, token_instants
from perf.fidelity.observed import Observed

LAST_CHUNK = b"0\r\n\r\n"


class _Stream(asyncio.Protocol):
    """One connection; one answer at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.reads: list[Read] = []
        self.over: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.reads.append((time.perf_counter_ns(), data))
        if data.endswith(LAST_CHUNK) and self.over is not None and not self.over.done():
            self.over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.over is not None and not self.over.done():
            self.over.set_exception(exc or ConnectionResetError("the server closed the connection"))


class _Floor:
    def __init__(self, host: str, idle: list[_Stream]) -> None:
        self._host = host
        self._idle = idle

    async def ask(self, nonce: str, tokens: int) -> Finish:
        message = rendered_request(self._host, nonce, tokens)
        stream = self._idle.pop()
        assert stream.transport is not None
        reads: list[Read] = []
        stream.reads = reads
        stream.over = asyncio.get_running_loop().create_future()
        sent_ns = time.perf_counter_ns()
        stream.transport.write(message)
        await stream.over
        self._idle.append(stream)

        def finish() -> Observed:
            instants = token_instants(reads, looks_like_token)
            return Observed(nonce, sent_ns, instants, len(instants))

        return finish


@asynccontextmanager
async def connect(url: str, streams: int) -> AsyncIterator[_Floor]:
    """As many open connections as streams."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 80
    idle = [(await loop.create_connection(_Stream, host, port))[1] for _ in range(streams)]
    try:
        yield _Floor(parts.netloc, idle)
    finally:
        for stream in idle:
            if stream.transport is not None:
                stream.transport.abort()
