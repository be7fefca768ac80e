"""The one model in memory: loading, reloading, queueing, cancelling, expiring.

Two waits, as in Ollama. A request first waits until the model is there with its runner options (the *grant*,
``load_duration``), then for one of the engine's *slots*. Both are first come, first served: a request that would
need no reload waits behind one that does (in Ollama it goes first, and may do so for ever).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from harness.servers.embedded.engine import Engine, Outcome, Settings
from harness.servers.embedded.options import DEFAULT_KEEP_ALIVE_S, RunnerOptions, SamplingOptions

log = logging.getLogger(__name__)

_FOREVER_NS = 2**63 - 1  # Go's longest duration, 292 years


@dataclass(slots=True)
class Loaded:
    """A model in memory, and who uses it."""

    engine: Engine
    options: RunnerOptions
    context_length: int
    keep_alive_s: float
    expires_ns: int  # wall clock, ns since the epoch
    users: int = 0
    rests: int = 0  # how often it has fallen idle; tells a timer whether it is still meant
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.TimerHandle | None = None


class Runner:
    """Owns the engine; all methods belong to one event loop, the engine runs on worker threads.

    One of them loads and unloads, and each slot has one that generates.
    """

    def __init__(self, path: Path, trained_context: int, default_threads: int = 1, parallel: int = 1) -> None:
        """A runner of the model at ``path`` with ``parallel`` slots; nothing is loaded yet."""
        self._path = path
        self._trained_context = trained_context
        self._default_threads = default_threads
        self._parallel = parallel
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")
        self._workers = ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="slot")
        self._gate = asyncio.Lock()  # held while somebody loads, unloads, or waits for either
        self._slots = asyncio.Semaphore(parallel)  # one is held while the engine generates for a request
        self._background: set[asyncio.Task[None]] = set()
        self.loaded: Loaded | None = None

    @contextlib.asynccontextmanager
    async def grant(self, options: RunnerOptions, keep_alive_s: float | None) -> AsyncIterator[Loaded]:
        """The model, loaded with ``options`` and kept loaded while the context is open.

        Raises:
            EngineError: it cannot be loaded.
        """
        async with self._gate:
            loaded = self.loaded
            if loaded is not None and not loaded.options.serves(options):
                await self._unload_when_idle(loaded)
                loaded = None
            if loaded is None:
                loaded = await self._load(options)
            _stop_timer(loaded)
            if keep_alive_s is not None:
                loaded.keep_alive_s = keep_alive_s
            loaded.users += 1
            loaded.idle.clear()
        try:
            yield loaded
        finally:
            loaded.users -= 1
            if not loaded.users:
                self._rest(loaded)

    async def generate(
        self, loaded: Loaded, prompt: str | list[int], options: SamplingOptions
    ) -> AsyncGenerator[str | Outcome, None]:
        """Wait for a slot, then yield each token's text and last the outcome.

        Closing or cancelling this generator cancels the generation; the slot is free again when the engine
        has really stopped.

        Raises:
            EngineError: the engine refused.
        """
        loop = asyncio.get_running_loop()
        async with self._slots:
            events: asyncio.Queue[str | None] = asyncio.Queue()
            cancelled = False

            def on_text(text: str) -> bool:  # on the worker thread
                if text and not cancelled:
                    loop.call_soon_threadsafe(events.put_nowait, text)
                return cancelled

            work = loop.run_in_executor(self._workers, partial(loaded.engine.generate, prompt, options, on_text))
            work.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (text := await events.get()) is not None:
                    yield text
            finally:
                cancelled = True
                await asyncio.wait([work])
            outcome = work.result()
            if outcome is not None:
                yield outcome

    async def tokenize(self, loaded: Loaded, text: str) -> list[int]:
        """The tokens of ``text`` as a prompt."""
        return await asyncio.to_thread(loaded.engine.tokenize, text)

    def expire(self) -> None:
        """Unload as soon as nobody uses the model; returns at once."""
        loaded = self.loaded
        if loaded is not None:
            loaded.keep_alive_s = 0.0
            loaded.expires_ns = time.time_ns()
            if not loaded.users:
                self._rest(loaded)

    def abandon(self) -> None:
        """The process is about to end: leave nothing of the engine on the disk, and wait for nobody."""
        if self.loaded is not None:
            self.loaded.engine.forget()

    async def _load(self, options: RunnerOptions) -> Loaded:
        context = min(options.num_ctx, self._trained_context)
        threads = options.num_thread if options.num_thread > 0 else self._default_threads
        started = time.monotonic()
        settings = Settings(context, threads, max(1, options.num_batch), self._parallel)
        work = asyncio.get_running_loop().run_in_executor(self._loader, Engine, self._path, settings)
        try:
            engine = await asyncio.shield(work)
        except asyncio.CancelledError:  # the client has gone: nobody would free what is being loaded
            work.add_done_callback(_close_unwanted)
            raise
        log.info("loaded in %.2f s: %s", time.monotonic() - started, settings)
        self.loaded = Loaded(engine, options, context, DEFAULT_KEEP_ALIVE_S, 0)
        self.loaded.idle.set()
        self.loaded.expires_ns = _expiry_ns(DEFAULT_KEEP_ALIVE_S)
        return self.loaded

    async def _unload_when_idle(self, loaded: Loaded) -> None:
        """Free ``loaded`` once its last user has left; the gate is held."""
        await loaded.idle.wait()
        _stop_timer(loaded)
        if self.loaded is loaded:
            self.loaded = None
            await asyncio.get_running_loop().run_in_executor(self._loader, loaded.engine.close)
            log.info("unloaded")

    def _rest(self, loaded: Loaded) -> None:
        """Nobody uses ``loaded``: start its time to live."""
        loaded.idle.set()
        loaded.rests += 1
        loaded.expires_ns = _expiry_ns(loaded.keep_alive_s)
        _stop_timer(loaded)
        if math.isfinite(loaded.keep_alive_s):
            loop = asyncio.get_running_loop()
            loaded.timer = loop.call_later(max(0.0, loaded.keep_alive_s), self._expired, loaded, loaded.rests)

    def _expired(self, loaded: Loaded, rests: int) -> None:
        task = asyncio.get_running_loop().create_task(self._unload_if_resting(loaded, rests))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _unload_if_resting(self, loaded: Loaded, rests: int) -> None:
        async with self._gate:
            if not loaded.users and loaded.rests == rests:
                await self._unload_when_idle(loaded)


def _close_unwanted(done: asyncio.Future[Engine]) -> None:
    if done.exception() is None:
        done.result().close()


def _stop_timer(loaded: Loaded) -> None:
    if loaded.timer is not None:
        loaded.timer.cancel()
        loaded.timer = None


def _expiry_ns(keep_alive_s: float) -> int:
    nanoseconds = _FOREVER_NS if math.isinf(keep_alive_s) else min(round(keep_alive_s * 1e9), _FOREVER_NS)
    return time.time_ns() + nanoseconds
