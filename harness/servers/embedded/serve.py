"""The embedded server as a process: it binds, serves, and ends when it is told to or its parent dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn

from harness.records.errors import ConfigurationError
from harness.servers.embedded import engine
from harness.servers.embedded.app import build_app
from harness.servers.embedded.catalog import read_model
from harness.servers.embedded.model import SHAPES, default_cache_dir, ensure_model
from harness.servers.embedded.options import MAX_PARALLEL, default_parallel
from harness.servers.embedded.runner import Runner
from harness.servers.launch import signal_on_parent_death
from harness.servers.listening import listen

log = logging.getLogger(__name__)

PARENT_POLL_S = 0.5
SHUTDOWN_S = 2.0


def serve(
    host: str,
    port: int,
    *,
    model_path: Path | None = None,
    cache_dir: Path | None = None,
    shape: str = "standard",
    threads: int = 1,
    parallel: int | None = None,
    parent: int | None = None,
) -> NoReturn:
    """Serve until SIGTERM or SIGINT, or until the process ``parent`` is no longer the parent.

    It does not return: the process ends with status 0.

    Prints one line to standard error when it answers. ``threads`` is what a request gets that asks for none.
    ``parallel`` requests are worked on at once; None takes what OLLAMA_NUM_PARALLEL says, or 1.

    Raises:
        PortInUseError: somebody else listens there.
        ConfigurationError: the address, the model, the cache directory or the number of slots cannot be used.
    """
    logging.getLogger("gguf").setLevel(logging.WARNING)
    slots = default_parallel(os.environ) if parallel is None else parallel
    if slots > MAX_PARALLEL:
        raise ConfigurationError(
            f"{slots} requests at once are more than the engine's {MAX_PARALLEL}; "
            "ask for fewer with --parallel or OLLAMA_NUM_PARALLEL"
        )
    _on_stop(_exit_at_once)
    listener = listen(host, port)
    path = model_path or ensure_model(cache_dir or default_cache_dir(), SHAPES[shape])
    engine.prepare()
    model = read_model(path)
    runner = Runner(path, model.number("context_length"), threads, slots)
    config = uvicorn.Config(
        build_app(model, runner),
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        server_header=False,
        timeout_keep_alive=3600,  # Ollama closes no idle connection, and a measured request must not open one
        timeout_graceful_shutdown=int(SHUTDOWN_S),
    )
    _on_stop(_ignore)  # from here on the server handles it, and raises it again when it has ended
    asyncio.run(_Server(config, runner, parent).serve(sockets=[listener]))
    runner.abandon()
    sys.stderr.flush()
    os._exit(0)  # a thread of the engine may still be busy with a long prompt: nobody waits for it


class _Server(uvicorn.Server):
    """uvicorn's server, with a line when it is ready, an eye on the parent, and no wait for streams."""

    def __init__(self, config: uvicorn.Config, runner: Runner, parent: int | None) -> None:
        super().__init__(config)
        self._runner = runner
        self._parent = parent
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._parent is not None:
            self._watch = asyncio.create_task(self._watch_parent(self._parent))
        host, port = (sockets or [])[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(f"embedded server ready on http://{shown}:{port}\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for task in list(self.server_state.tasks):  # requests: a stream ends without its last chunk
            task.cancel()
        await super().shutdown(sockets)

    async def _watch_parent(self, parent: int) -> None:
        """End when the parent does; a signal from the kernel, where there is one, only makes it sooner."""
        changed = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, changed.set)
        signal_on_parent_death(signal.SIGUSR2)
        while os.getppid() == parent:
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), PARENT_POLL_S)
            changed.clear()  # it also comes when only the parent's thread that started us has ended
        log.info("the parent process has ended: ending too")
        self.handle_exit(signal.SIGTERM, None)


def _on_stop(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _exit_at_once(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _ignore(number: int, frame: FrameType | None) -> None:
    pass
