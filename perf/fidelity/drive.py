"""Drives a library through its bursts: warm-up, collector, start instants, CPU clock."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass

from perf.fidelity.clients import Asking, Finish, Library
from perf.fidelity.loads import Load
from perf.fidelity.observed import ClientReport, Observed

_WARM_UP_TOKENS = 2
_MS = 1e3


def nonces_of(load: Load) -> list[str]:
    """One word for each of the load's requests, all of the same length."""
    return [f"{number:08d}" for number in range(load.requests)]


@dataclass(slots=True)
class _Failed:
    """A request that raised instead of giving an observation."""

    seen: Observed

    def __call__(self) -> Observed:
        return self.seen


async def _ask(client: Asking, nonce: str, load: Load, delay_ms: float) -> Finish:
    if delay_ms:
        await asyncio.sleep(delay_ms / _MS)
    try:
        return await client.ask(nonce, load.tokens)
    except Exception as error:  # a library's own errors are no reason to lose the others' figures
        return _Failed(Observed(nonce, 0, (), 0, f"{type(error).__name__}: {error}"))


async def _burst(client: Asking, nonces: Sequence[str], load: Load) -> list[Finish]:
    step_ms = load.spread_ms / load.streams
    return await asyncio.gather(*(_ask(client, nonce, load, i * step_ms) for i, nonce in enumerate(nonces)))


async def drive(library: Library, url: str, load: Load) -> ClientReport:
    """Measures all bursts of a load; every connection is opened by a warm-up burst before."""
    async with library.connect()(url, load.streams) as client:
        await asyncio.gather(*(client.ask("warm-up", _WARM_UP_TOKENS) for _ in range(load.streams)))
        gc.collect()
        if library.frozen:
            gc.freeze()
            gc.disable()
        nonces = nonces_of(load)
        seen: list[Observed] = []
        cpu_s, preempted = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
        for first in range(0, load.requests, load.streams):
            began_s = time.process_time()
            finishes = await _burst(client, nonces[first : first + load.streams], load)
            seen.extend(finish() for finish in finishes)
            cpu_s += time.process_time() - began_s
        preempted = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - preempted
    return ClientReport(library.name, library.version(), library.settings, cpu_s, preempted, seen)


def run(library: Library, url: str, load: Load) -> ClientReport:
    """The same on an event loop of the library's kind."""
    if library.uvloop:
        import uvloop  # noqa: PLC0415 - only what runs on it needs it

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(drive(library, url, load))
    return asyncio.run(drive(library, url, load))
