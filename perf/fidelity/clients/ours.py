"""Our own measuring client, as a block of ``pytest perf`` uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from harness.measure import measure_request, measuring_client
from perf.fidelity.clients import Finish
from perf.fidelity.clients.reads import request_body
from perf.fidelity.observed import Observed


class _Ours:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, nonce: str, tokens: int) -> Finish:
        """One measured request; it is parsed when its stream is over, while others may still run."""
        body = request_body(nonce, tokens)
        record = await measure_request(self._client, name="fidelity", nonce=nonce, body=body, sink=[])
        seen = Observed(nonce, record.sent_ns, record.token_ns, len(record.token_ns), record.error)
        return lambda: seen


@asynccontextmanager
async def connect(url: str, _streams: int) -> AsyncIterator[_Ours]:
    """The measuring client of a server."""
    async with measuring_client(url) as client:
        yield _Ours(client)
