"""Looks at servers and at the machine they run on, and changes nothing: what a checklist is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import psutil

from harness.records.errors import HarnessError
from harness.servers.api import ListedModel
from harness.servers.fleet import Server
from harness.servers.nvml import Gpu, read_gpus
from harness.servers.occupancy import LocalServer, gpu_strangers, local_servers
from harness.servers.trees import ProcessTree, TreeUse

_SLOTS = "OLLAMA_NUM_PARALLEL"


@dataclass(frozen=True, slots=True)
class SeenServer:
    """A server as it answered.

    Attributes:
        server: The server.
        trouble: Why it could not be asked, or None; then the rest but ``local`` is empty.
        version: Its version.
        listed: The model, if it has it.
        loaded: The model in its memory, if it is there.
        info: The model's metadata; {} if they are not told.
        local: Its place on this host; None if it runs on another one.
        sample: What its processes use; None if that cannot be seen.
    """

    server: Server
    trouble: str | None = None
    version: str = ""
    listed: ListedModel | None = None
    loaded: ListedModel | None = None
    info: Mapping[str, object] | None = None
    local: LocalServer | None = None
    sample: TreeUse | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return self.server.url

    @property
    def slots(self) -> int | None:
        """Requests that it works on at once; None if it was started by others: Ollama does not tell."""
        if self.server.parallel is not None or self.server.kind not in ("ollama", "connect"):
            return self.server.parallel or 1
        process = self.server.process
        told = process.spec.environment.get(_SLOTS, "") if process is not None else ""
        return int(told) if told.isdecimal() and int(told) > 0 else None


@dataclass(frozen=True, slots=True)
class Machine:
    """This host.

    Attributes:
        available_bytes: Memory that new processes can have without swapping.
        gpus: Its GPUs as NVML tells of them; () without NVML.
        strangers: Foreign processes on the GPUs on which the servers are seen, in words.
    """

    available_bytes: int
    gpus: tuple[Gpu, ...] = ()
    strangers: tuple[str, ...] = ()


async def survey(servers: Sequence[Server], model: str) -> tuple[SeenServer, ...]:
    """Asks all servers at once about themselves and a model; one that does not answer is no error."""
    places = {place.url: place for place in await asyncio.to_thread(local_servers, servers)}
    return tuple(await asyncio.gather(*(_look(server, model, places.get(server.url)) for server in servers)))


async def _look(server: Server, model: str, local: LocalServer | None) -> SeenServer:
    sample = None if local is None or local.pid is None else await asyncio.to_thread(ProcessTree(local.pid).use)
    try:
        server.ensure_alive()
        version = await server.api.version()
        listed, loaded = await server.api.find(model), await server.api.find_loaded(model)
        info = (await server.api.show(model)).model_info if listed is not None else {}
    except HarnessError as error:
        return SeenServer(server, str(error).partition("\n")[0], local=local, sample=sample)
    return SeenServer(server, None, version, listed, loaded, info, local, sample)


def look_around(ours: Collection[int]) -> Machine:
    """This host's free memory and GPUs, and who is on them besides our processes. Takes up to a second."""
    gpus = read_gpus()
    return Machine(int(psutil.virtual_memory().available), gpus, gpu_strangers(ours) if gpus else ())
