"""Ollama's own Python client."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ollama

from perf.fidelity.clients import Finish
from perf.fidelity.clients.plain_httpx import LIMITS
from perf.fidelity.clients.reads import request_body
from perf.fidelity.loads import MODEL
from perf.fidelity.observed import Observed


class _Ollama:
    def __init__(self, client: ollama.AsyncClient) -> None:
        self._client = client

    async def ask(self, nonce: str, tokens: int) -> Finish:
        instants: list[int] = []
        prompt = str(request_body(nonce, tokens)["prompt"])
        sent_ns = time.perf_counter_ns()
        parts = await self._client.generate(model=MODEL, prompt=prompt, stream=True, options={"num_predict": tokens})
        async for part in parts:
            instant = time.perf_counter_ns()
            if part.response:
                instants.append(instant)
        seen = Observed(nonce, sent_ns, tuple(instants), len(instants))
        return lambda: seen


@asynccontextmanager
async def connect(url: str, _streams: int) -> AsyncIterator[_Ollama]:
    """Ollama's client; what it hands on to httpx lifts httpx's limit."""
    async with ollama.AsyncClient(host=url, limits=LIMITS) as client:
        yield _Ollama(client)
