"""Looks at running servers, and at their processes and GPUs where those are on this host. Changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psutil

from harness.measure.clock import Clock, monotonic_ns
from harness.measure.host import HostSpan, HostWatch
from harness.records import HostLoad
from harness.records.errors import HarnessError
from harness.records.watch import GpuLook, HeldModel, ServerLook, TreeLook
from harness.servers.api import ListedModel
from harness.servers.fleet import Server
from harness.servers.nvml import Gpu, Nvml
from harness.servers.occupancy import LocalServer, local_servers
from harness.servers.trees import ProcessTree

ANSWER_S = 10.0
"""A server that does not tell of itself within this does not answer, s."""
_GOING_NS = 500_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Looker:
    """Looks at the same servers again and again."""

    def __init__(self, servers: Sequence[Server], nvml: Nvml | None = None, clock: Clock = monotonic_ns) -> None:
        """Looks at nothing yet.

        Args:
            servers: The servers.
            nvml: Tells of this host's GPUs.
            clock: The clock.
        """
        self._servers = tuple(servers)
        self._nvml = nvml
        self._clock = clock
        self._trees: dict[str, tuple[ProcessTree, int | None]] = {}
        self._places: dict[str, LocalServer] = {}
        self._span: HostSpan | None = None
        self._sought: set[str] = set()

    async def look(self) -> tuple[ServerLook, ...]:
        """Each server as it is now, in their order, all asked at once; one that does not answer is no error."""
        gpus = self._read()
        return tuple(await asyncio.gather(*(self._look(server, gpus) for server in self._servers)))

    def gpus(self) -> tuple[GpuLook, ...]:
        """The GPUs of this host as they are now."""
        return tuple(
            GpuLook(gpu.uuid, gpu.name, gpu.total, gpu.used, gpu.utilization_pct, gpu.power_w) for gpu in self._read()
        )

    def host(self) -> HostLoad | None:
        """How busy the CPUs were since this was asked last that servers here may use; None if it cannot be told yet."""
        load = self._span.load() if self._span is not None else None
        here = tuple(self._places.values())
        self._span = HostWatch(here).start([place.url for place in here]) if here else None
        return load

    def _read(self) -> tuple[Gpu, ...]:
        return self._nvml.gpus() if self._nvml is not None else ()

    async def _look(self, server: Server, gpus: Sequence[Gpu]) -> ServerLook:
        at_ns = self._clock()
        try:
            async with asyncio.timeout(ANSWER_S):
                version = await server.api.version()
                models = await held_models(server)
        except TimeoutError:
            trouble = f"{server.url} does not answer within {ANSWER_S:g} s"
        except HarnessError as error:
            trouble = str(error).partition("\n")[0]
        else:
            return ServerLook(server.url, at_ns, None, version, models, await self._tree(server, gpus))
        self._forget(server.url)  # the next one there is another process
        return ServerLook(server.url, at_ns, trouble)

    def _forget(self, url: str) -> None:
        self._trees.pop(url, None)
        self._places.pop(url, None)
        self._sought.discard(url)

    async def _tree(self, server: Server, gpus: Sequence[Gpu]) -> TreeLook | None:
        """Its processes; they are sought once, and again after it has been down."""
        if server.url not in self._sought:
            self._sought.add(server.url)
            for place in await asyncio.to_thread(local_servers, [server]):
                self._places[server.url] = place
                if place.pid is not None:
                    self._trees[server.url] = (ProcessTree(place.pid), _born_unix_ns(place.pid))
        tree, born = self._trees.get(server.url, (None, None))
        use = None if tree is None else tree.use()
        if use is None:
            if tree is not None:  # restarted between two looks
                self._forget(server.url)
            return None
        held = [each.memory for gpu in gpus for each in gpu.processes if each.pid in use.pids]
        told = [each for each in held if each is not None]
        return TreeLook(use.cpu_s, use.rss_bytes, use.pids, sum(told) if told else None, born)


async def held_models(server: Server) -> tuple[HeldModel, ...]:
    """The models in a server's memory.

    Raises:
        HarnessError: If it does not tell.
    """
    return tuple(_held(each) for each in await server.api.loaded())


async def train_context(server: Server, model: str) -> int | None:
    """The context length that a model was trained with, tokens; None if that is not told.

    Raises:
        HarnessError: If the server does not answer.
    """
    info = (await server.api.show(model)).model_info
    return next(
        (value for name, value in info.items() if name.endswith(".context_length") and isinstance(value, int)), None
    )


async def still_held(server: Server, model: HeldModel) -> bool:
    """True if the server holds a model as it did, is not about to let it go, and tells so in time.

    One that is listed though its time is over, or nearly, is being unloaded: a request would load it again.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            now = await held_models(server)
    except (HarnessError, TimeoutError):
        return False
    same = [each for each in now if (each.name, each.context_length) == (model.name, model.context_length)]
    return any(each.expires_ns is None or each.expires_ns - time.time_ns() > _GOING_NS for each in same)


def _born_unix_ns(pid: int) -> int | None:
    try:
        return round(psutil.Process(pid).create_time() * 1e9)
    except psutil.Error:
        return None


def _held(listed: ListedModel) -> HeldModel:
    return HeldModel(
        name=listed.name,
        digest=listed.digest,
        size=listed.size,
        size_vram=listed.size_vram,
        context_length=listed.context_length,
        expires_at=listed.expires_at,
        expires_ns=unix_ns(listed.expires_at),
    )


def unix_ns(text: str) -> int | None:
    """A date of Ollama's on the wall clock, ns, to the microsecond; None if it is none."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND * 1000
    except (ValueError, TypeError, OverflowError):
        return None
