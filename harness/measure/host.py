"""What goes on around a measurement: who else keeps the CPUs busy during a run, where the models are after a block."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from harness.measure.clock import monotonic_ns
from harness.measure.plan import AgentPlan
from harness.records import HostLoad, ModelMemory
from harness.records.errors import HarnessError
from harness.servers.fleet import Server
from harness.servers.host import usable_cpus
from harness.servers.occupancy import CpuTimes, LocalServer, cpu_seconds, cpu_times, gpu_strangers, local_servers
from harness.servers.trees import tree

SHORTEST_S = 0.5
"""Below this nothing is said of the CPUs: the system counts in steps of 10 ms, 0.02 cores in half a second."""
_LOOK_S = 5.0


@dataclass(frozen=True, slots=True)
class _Watched:
    """The CPUs of a run, the servers that may use them (None: process not known), and whether this process may."""

    cpus: tuple[int, ...]
    roots: tuple[int | None, ...]
    us: bool


@dataclass(frozen=True, slots=True)
class _Reading:
    """The counters at one instant; ``ours_s`` is None if a server's share is not told."""

    at_ns: int
    times: CpuTimes | None
    pids: frozenset[int]
    ours_s: float | None


def _read(watched: _Watched, known: frozenset[int]) -> _Reading:
    """Reads the counters; ``known`` are processes of ours that may have lost their parent since."""
    roots = {root for root in watched.roots if root is not None}
    pids = known.union(*map(tree, roots))
    seconds = {pid: cpu_seconds(pid) for pid in pids}
    told = None not in watched.roots and all(seconds[root] is not None for root in roots)
    # One that has ended is skipped: its parent has waited for it, and its time is in the parent's now.
    ours = sum(each for each in seconds.values() if each is not None) + (time.process_time() if watched.us else 0.0)
    return _Reading(monotonic_ns(), cpu_times(watched.cpus), pids, ours if told else None)


class HostSpan:
    """A run under way, as the host sees it."""

    def __init__(self, watched: _Watched) -> None:
        """Reads the counters at its start."""
        self._watched = watched
        self._before = _read(watched, frozenset())

    def load(self) -> HostLoad | None:
        """How busy the CPUs have been since; None if it was too short, or the system does not tell."""
        cpus, before = self._watched.cpus, self._before
        after = _read(self._watched, before.pids)
        wall_s = (after.at_ns - before.at_ns) / 1e9
        if wall_s < SHORTEST_S or before.times is None or after.times is None:
            return None
        if after.times.told_s - before.times.told_s < len(cpus) * wall_s / 2:  # a sandbox that counts nothing
            return None
        idle = (after.times.idle_s - before.times.idle_s) / wall_s
        if before.ours_s is None or after.ours_s is None or after.ours_s < before.ours_s:  # nobody waited for an orphan
            return HostLoad(cpus, None, idle)
        return HostLoad(cpus, len(cpus) - idle - (after.ours_s - before.ours_s) / wall_s, idle)


@dataclass(frozen=True, slots=True)
class HostWatch:
    """Tells what we keep busy on this host from what others do.

    Attributes:
        servers: The session's servers that run on this host.
    """

    servers: tuple[LocalServer, ...] = ()

    @classmethod
    def of(cls, servers: Collection[Server]) -> HostWatch:
        """The watch over all servers of a session, those on other hosts too. Takes some ms."""
        return cls(local_servers(servers))

    @property
    def untold(self) -> tuple[str, ...]:
        """URLs of servers on this host whose process is not known, so that others cannot be told from them."""
        return tuple(server.url for server in self.servers if server.pid is None)

    def start(self, urls: Collection[str]) -> HostSpan:
        """Reads the counters just before a run on these servers; takes a fraction of a ms.

        It is about the CPUs that these servers may use, or this process if none of them runs here: a stranger beside a
        pinned server must not hide behind CPUs that stand idle elsewhere. Ours is what this process uses, and every
        server of the session that may use one of these CPUs.
        """
        asked = [server.cpus for server in self.servers if server.url in urls]
        cpus = frozenset[int]().union(*asked) or usable_cpus()
        ours = os.getpid()
        roots = tuple(server.pid for server in self.servers if server.cpus & cpus and server.pid != ours)
        return HostSpan(_Watched(tuple(sorted(cpus)), roots, bool(usable_cpus() & cpus)))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was seen after a block.

    Attributes:
        memory: Where the servers hold the models; of those that answered.
        gpu_strangers: Foreign processes on the GPUs.
    """

    memory: tuple[ModelMemory, ...] = ()
    gpu_strangers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lookout:
    """Looks around after a block.

    Attributes:
        servers: The session's servers.
        watch: Knows which of them run on this host.
    """

    servers: tuple[Server, ...]
    watch: HostWatch

    async def look(self, agents: Sequence[AgentPlan]) -> Surroundings:
        """Asks each agent's server where its model is, and the driver who else uses the GPUs. Never fails."""
        asked = dict.fromkeys((agent.url, agent.model) for agent in agents)
        found = await asyncio.gather(*(self._memory(url, model) for url, model in asked))
        memory = tuple(each for each in found if each is not None)
        local = {server.url for server in self.watch.servers}
        if self.watch.untold or not any(each.size_vram for each in memory if each.url in local):
            return Surroundings(memory)
        return Surroundings(memory, await asyncio.to_thread(self._strangers))

    async def _memory(self, url: str, model: str) -> ModelMemory | None:
        api = next(server.api for server in self.servers if server.url == url)
        try:
            async with asyncio.timeout(_LOOK_S):
                held = await api.find_loaded(model)
        except (HarnessError, TimeoutError):  # a server that is in trouble shows it in the requests
            return None
        return ModelMemory(url, model, held.size if held else 0, held.size_vram if held else 0)

    def _strangers(self) -> tuple[str, ...]:
        roots = [server.pid for server in self.watch.servers if server.pid is not None]
        return gpu_strangers(frozenset({os.getpid()}).union(*map(tree, roots)))
