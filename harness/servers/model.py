"""The model on the servers of a session: in place while it is needed; on foreign servers left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx

from harness.records import ServerInfo
from harness.records.errors import ModelError, ServerError
from harness.servers.api import LOAD_S
from harness.servers.embedded.model import default_cache_dir, ensure_model
from harness.servers.fleet import Say, Server
from harness.servers.kinds import EMBEDDED_MODEL, is_embedded_model
from harness.servers.selection import Selection

FOREVER = -1
_TEN_YEARS_S = 10 * 365 * 86400
_OLLAMAS_DEFAULT_S = 300


@asynccontextmanager
async def model_in_place(
    servers: tuple[Server, ...], selection: Selection, say: Say, deadline_s: float = LOAD_S
) -> AsyncIterator[None]:
    """Makes sure that every server has the model; on exit foreign servers hold it as they held it before.

    A model that such a server did not hold is unloaded; one that it held is given back its time to live, and the
    server's default options (the ones it had cannot be asked for). A load may take ``deadline_s``.

    Raises:
        ModelError: If it is missing and may not, or could not, be pulled or created.
    """
    model = selection.model
    found: list[tuple[Server, int]] = []
    try:
        for server in servers:
            await _ensure_model(server, selection, say)
            if server.kind == "connect":
                held = await server.api.find_loaded(model)
                found.append((server, time_to_live_s(held.expires_at, datetime.now(UTC)) if held else 0))
        yield
    finally:  # all at once: a server that does not answer keeps nobody else waiting
        await asyncio.gather(*(_give_back(server, model, time_s, deadline_s) for server, time_s in found))


def time_to_live_s(expires_at: str, now: datetime) -> int:
    """Whole seconds from ``now`` to an ``expires_at`` of ``/api/ps``, at least 1; ``FOREVER`` for years ahead.

    What cannot be read is Ollama's default of five minutes.
    """
    try:
        seconds = (datetime.fromisoformat(expires_at) - now).total_seconds()
    except (ValueError, TypeError):
        return _OLLAMAS_DEFAULT_S
    return FOREVER if seconds > _TEN_YEARS_S else max(1, round(seconds))


async def _give_back(server: Server, model: str, keep_alive_s: int, deadline_s: float) -> None:
    with contextlib.suppress(ServerError, ModelError):  # what ended the session is what a person must see
        if keep_alive_s:
            await server.api.load(model, {}, keep_alive=keep_alive_s, deadline_s=deadline_s)
        else:
            await server.api.unload(model)


async def _ensure_model(server: Server, selection: Selection, say: Say) -> None:
    model = selection.model
    if await server.api.find(model) is not None:
        return
    if is_embedded_model(model):
        say(f"{server.url}: creating the model `{EMBEDDED_MODEL}` there")
        await server.api.create(model, await asyncio.to_thread(ensure_model, default_cache_dir()))
    elif selection.pull:
        await server.api.pull(model, say)
    else:
        host = httpx.URL(server.url).netloc.decode()
        pull = f"`OLLAMA_HOST={host} ollama pull {model}`" if server.process is None else f"`ollama pull {model}`"
        raise ModelError(
            f"model {model!r} is not on {server.url}: run {pull}, or pass --pull, or name another one with --model"
        )


async def describe(server: Server, model: str) -> ServerInfo:
    """The server with the model loaded: version, digest, and where the model's memory is."""
    listed = await server.api.find(model)
    loaded = await server.api.find_loaded(model)
    return ServerInfo(
        url=server.url,
        kind=server.kind,
        version=await server.api.version(),
        model_digest=listed.digest if listed else "",
        size=loaded.size if loaded else 0,
        size_vram=loaded.size_vram if loaded else 0,
        cpus=server.cpus,
    )
