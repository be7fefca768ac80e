"""Real servers as processes of their own, and what is asked of them, for tests of the shell commands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.servers.api import ListedModel, OllamaApi
from harness.servers.embedded.model import SHAPES, default_cache_dir, ensure_model
from harness.servers.fleet import wait_ready
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry


@contextmanager
def started(folder: Path, *command: str, **environment: str) -> Iterator[ServerProcess]:
    """A server of this command on the port that stands in it, ready."""
    port = next(part for part in (*command, *environment.values()) if part.rpartition(":")[2].isdecimal())
    url = f"http://127.0.0.1:{port.rpartition(':')[2]}"
    spec = ProcessSpec(url, url, command, {**os.environ, **environment}, folder / f"{port.rpartition(':')[2]}.log")
    process = ServerProcess.start(spec, Registry(folder / "registry"))
    try:
        asyncio.run(_ready(process))
        yield process
    finally:
        process.stop()


async def _ready(process: ServerProcess) -> None:
    api = OllamaApi(process.spec.url)
    await wait_ready(api, process)
    await api.close()


async def load(url: str, model: str, options: dict[str, float], keep_alive: int = -1) -> None:
    """Loads a model as somebody else would."""
    api = OllamaApi(url)
    await api.load(model, options, keep_alive=keep_alive)
    await api.close()


async def loaded(url: str) -> tuple[ListedModel, ...]:
    """The models in its memory."""
    api = OllamaApi(url)
    try:
        return await api.loaded()
    finally:
        await api.close()


async def create(url: str) -> None:
    """Makes the light model there."""
    api = OllamaApi(url)
    await api.create("embedded", ensure_model(default_cache_dir(), SHAPES["light"]))
    await api.close()
