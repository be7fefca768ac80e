"""Plain httpx, read in the two usual ways."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from perf.fidelity.clients import Finish
from perf.fidelity.clients.reads import json_token, request_body, token_instants
from perf.fidelity.observed import Observed

_PATH = "/api/generate"


LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""Room for every stream, where the default of 100 connections would queue the others.

Kept-alive connections stay at the default of 20, because more of them do harm: for every request httpcore 1.0.9 counts
all connections once for each idle one. With 128 kept alive a token cost 6 times as much and the median TTFT error of
``aiter_lines`` was 577 ms, not 117; with 1000 a burst did not end within minutes.
"""


class _Lines:
    """Reads line by line and parses each line when it comes."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, nonce: str, tokens: int) -> Finish:
        instants: list[int] = []
        body = request_body(nonce, tokens)
        sent_ns = time.perf_counter_ns()
        async with self._client.stream("POST", _PATH, json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                instant = time.perf_counter_ns()
                if json_token(line):
                    instants.append(instant)
        seen = Observed(nonce, sent_ns, tuple(instants), len(instants))
        return lambda: seen


class _Raw:
    """Reads the chunks that httpx hands out and parses them after the burst; httpx's trace tells when it has sent."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, nonce: str, tokens: int) -> Finish:
        sent_ns = 0

        async def trace(event: str, _info: Mapping[str, object]) -> None:
            nonlocal sent_ns
            if event == "http11.send_request_body.complete":
                sent_ns = time.perf_counter_ns()

        body, extensions = request_body(nonce, tokens), {"trace": trace}
        async with self._client.stream("POST", _PATH, json=body, extensions=extensions) as response:
            response.raise_for_status()
            reads = [(time.perf_counter_ns(), data) async for data in response.aiter_raw()]

        def finish() -> Observed:
            instants = token_instants(reads, json_token)
            return Observed(nonce, sent_ns, instants, len(instants))

        return finish


@asynccontextmanager
async def connect_lines(url: str, _streams: int) -> AsyncIterator[_Lines]:
    """Plain httpx with ``aiter_lines``."""
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=LIMITS) as client:  # noqa: S113 - a stream may be silent for as long as it likes
        yield _Lines(client)


@asynccontextmanager
async def connect_raw(url: str, _streams: int) -> AsyncIterator[_Raw]:
    """Plain httpx with ``aiter_raw``."""
    async with httpx.AsyncClient(base_url=url, timeout=None, limits=LIMITS) as client:  # noqa: S113 - likewise
        yield _Raw(client)
