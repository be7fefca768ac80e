"""The HTTP application: Ollama's paths over the one runner.

A token costs the event loop one wake-up, one small encoding and one write: the engine may share its core
with this loop, and what the loop takes the engine does not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from harness.servers.embedded import catalog, wire
from harness.servers.embedded.engine import EngineError, Outcome
from harness.servers.embedded.names import NAME, require_model
from harness.servers.embedded.options import RequestError
from harness.servers.embedded.runner import Loaded, Runner
from harness.servers.embedded.template import TEMPLATE, parse_template

log = logging.getLogger(__name__)

VERSION = "0.24.0"  # the Ollama whose behaviour this is
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
TOO_LONG = "the input length exceeds the context length"
_UNSUPPORTED = {
    "/api/pull": ["POST"],
    "/api/push": ["POST"],
    "/api/create": ["POST"],
    "/api/copy": ["POST"],
    "/api/delete": ["DELETE"],
    "/api/embed": ["POST"],
    "/api/embeddings": ["POST"],
    "/api/blobs/{digest}": ["POST", "HEAD"],
    "/v1/{rest:path}": ["GET", "POST"],
}


def build_app(model: catalog.Model, runner: Runner) -> Starlette:
    """The application that serves ``model`` through ``runner``."""

    async def tags(_: Request) -> Response:
        return _json(catalog.tags_body(model))

    async def running(_: Request) -> Response:
        loaded = runner.loaded
        entries = []
        if loaded is not None:
            slots = loaded.engine.settings.parallel
            entries.append(catalog.ps_entry(model, loaded.context_length, slots, loaded.expires_ns))
        return _json({"models": entries})

    async def show(request: Request) -> Response:
        name = wire.read_show(await request.body())
        require_model(name)
        return _json(catalog.show_body(model))

    async def generate(request: Request) -> Response:
        return await answer(request, wire.read_generate)

    async def chat(request: Request) -> Response:
        return await answer(request, wire.read_chat)

    async def answer(request: Request, read: Callable[[bytes], wire.Inference]) -> Response:
        arrived_ns = time.monotonic_ns()
        asked = read(await request.body())
        if asked.chat and not asked.model.strip():
            raise RequestError(400, "model is required")
        require_model(asked.model)
        if asked.empty and asked.keep_alive_s == 0:
            runner.expire()
            return _json(wire.last(asked, "", "unload"))
        return _Answer(runner, asked, arrived_ns)

    routes = [
        Route("/", _alive),
        Route("/api/version", _version),
        Route("/api/tags", tags),
        Route("/api/ps", running),
        Route("/api/show", show, methods=["POST"]),
        Route("/api/generate", generate, methods=["POST"]),
        Route("/api/chat", chat, methods=["POST"]),
        *(Route(path, _refuse, methods=methods) for path, methods in _UNSUPPORTED.items()),
    ]
    handlers: Mapping[Any, Any] = {
        RequestError: _request_error,
        EngineError: _engine_error,
        HTTPException: _http_error,
        ClientDisconnect: _gone,
        Exception: _bug,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


class _Answer(Response):
    """The answer to one request to generate; a client that leaves ends it, wherever it is."""

    def __init__(self, runner: Runner, asked: wire.Inference, arrived_ns: int) -> None:
        super().__init__()
        self._runner = runner
        self._asked = asked
        self._arrived_ns = arrived_ns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.ensure_future(self._work(send))
        left = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            work.cancel()  # does nothing to finished work
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def _work(self, send: Send) -> None:
        asked = self._asked
        async with self._runner.grant(asked.runner, asked.keep_alive_s) as loaded:
            load_ns = time.monotonic_ns() - self._arrived_ns
            if asked.empty:
                await _send_whole(send, wire.last(asked, "", "load"))
                return
            prompt = await self._prompt(loaded)
            events = self._runner.generate(loaded, prompt, asked.sampling)
            async with contextlib.aclosing(events):
                await (self._stream if asked.stream else self._whole)(send, events, load_ns)

    async def _stream(self, send: Send, events: AsyncIterator[str | Outcome], load_ns: int) -> None:
        started = False
        try:
            async for event in events:
                if not started:
                    await _send_head(send, NDJSON)
                    started = True
                if isinstance(event, Outcome):
                    total_ns = time.monotonic_ns() - self._arrived_ns
                    body = wire.last(self._asked, "", event.reason, total_ns, load_ns, event)
                else:
                    body = wire.part(self._asked, event)
                await _send_line(send, body)
        except EngineError as error:
            if not started:
                raise
            await _send_line(send, {"error": str(error)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _whole(self, send: Send, events: AsyncIterator[str | Outcome], load_ns: int) -> None:
        texts: list[str] = []
        async for event in events:
            if isinstance(event, Outcome):
                total_ns = time.monotonic_ns() - self._arrived_ns
                body = wire.last(self._asked, "".join(texts), event.reason, total_ns, load_ns, event)
                await _send_whole(send, body)
            else:
                texts.append(event)

    async def _prompt(self, loaded: Loaded) -> str | list[int]:
        """The prompt as text, or as tokens where it had to be cut to fit the context."""
        asked, limit = self._asked, loaded.context_length
        messages = asked.messages
        if messages is None:
            return await self._cut(loaded, asked.prompt, limit)
        template = parse_template(asked.template or TEMPLATE)
        text = template.render(messages)
        while asked.truncate and len(messages) > 1 and not await self._fits(loaded, text, limit):
            oldest = next((i for i, m in enumerate(messages[:-1]) if m.role != "system"), None)
            if oldest is None:
                break
            messages = messages[:oldest] + messages[oldest + 1 :]
            text = template.render(messages)
        return await self._cut(loaded, text, limit)

    async def _fits(self, loaded: Loaded, text: str, limit: int) -> bool:
        return _surely_fits(text, limit) or len(await self._runner.tokenize(loaded, text)) <= limit

    async def _cut(self, loaded: Loaded, text: str, limit: int) -> str | list[int]:
        """``text``, or its tokens without the middle that does not fit."""
        if _surely_fits(text, limit):
            return text
        tokens = await self._runner.tokenize(loaded, text)
        if len(tokens) <= limit:
            return text
        if not self._asked.truncate:
            raise RequestError(400, TOO_LONG)
        keep = self._asked.sampling.num_keep
        keep = min((len(tokens) if keep < 0 else keep) + 1, limit - 1)
        return tokens[:keep] + tokens[len(tokens) - (limit - keep) :]


def _surely_fits(text: str, limit: int) -> bool:
    """Whether ``text`` fits without counting: a token is at least a byte; one more begins the sequence."""
    return len(text.encode(errors="replace")) + 3 <= limit


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_head(send: Send, content_type: str, length: int | None = None) -> None:
    headers = [(b"content-type", content_type.encode())]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_line(send: Send, body: Mapping[str, Any]) -> None:
    await send({"type": "http.response.body", "body": wire.encode(body) + b"\n", "more_body": True})


async def _send_whole(send: Send, body: Mapping[str, Any]) -> None:
    data = wire.encode(body)
    await _send_head(send, JSON, len(data))
    await send({"type": "http.response.body", "body": data, "more_body": False})


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(wire.encode(body), status, {"content-type": JSON})


async def _alive(_: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def _version(_: Request) -> Response:
    return _json({"version": VERSION})


async def _refuse(request: Request) -> Response:
    message = f"the embedded server does not do {request.url.path}; it serves the one model {NAME!r}"
    return _json({"error": message}, 501)


async def _request_error(_: Request, error: RequestError) -> Response:
    return _json({"error": str(error)}, error.status)


async def _engine_error(_: Request, error: EngineError) -> Response:
    log.error("%s", error)
    return _json({"error": str(error)}, 500)


async def _http_error(_: Request, error: HTTPException) -> Response:
    words = {404: "404 page not found", 405: "405 method not allowed"}
    headers = dict(error.headers or {}) | {"content-type": "text/plain"}
    return Response(words.get(error.status_code, error.detail), error.status_code, headers)


async def _gone(_: Request, __: Exception) -> Response:
    return _json({"error": "request canceled"}, 499)


async def _bug(request: Request, error: Exception) -> Response:
    log.error("%s failed", request.url.path, exc_info=error)
    return _json({"error": f"{type(error).__name__}: {error}"}, 500)
