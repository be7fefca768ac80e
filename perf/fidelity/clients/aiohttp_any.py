"""aiohttp, reading whatever has come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp

from perf.fidelity.clients import Finish
from perf.fidelity.clients.reads import json_token, request_body, token_instants
from perf.fidelity.observed import Observed


@dataclass(slots=True)
class _Sent:
    """When a request's body went to the socket, ns."""

    at_ns: int = 0


async def _body_sent(_: object, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.at_ns = time.perf_counter_ns()


class _Any:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, nonce: str, tokens: int) -> Finish:
        body, sent = request_body(nonce, tokens), _Sent()
        async with self._session.post("/api/generate", json=body, trace_request_ctx=sent) as response:
            response.raise_for_status()
            reads = [(time.perf_counter_ns(), data) async for data in response.content.iter_any()]

        def finish() -> Observed:
            instants = token_instants(reads, json_token)
            return Observed(nonce, sent.at_ns, instants, len(instants))

        return finish


@asynccontextmanager
async def connect(url: str, _streams: int) -> AsyncIterator[_Any]:
    """aiohttp without a limit of connections, as its documentation says for many requests at a time."""
    timeout = aiohttp.ClientTimeout(total=None)
    connector = aiohttp.TCPConnector(limit=0)
    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(_body_sent)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout, trace_configs=[trace]) as session:
        yield _Any(session)
