"""What a round of ``harness watch`` saw: servers before and after it, its probes, and the GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.records.session import HostLoad
from harness.records.stream import RequestRecord


@dataclass(frozen=True, slots=True)
class HeldModel:
    """A model in a server's memory, as ``/api/ps`` told.

    Attributes:
        name: Its name.
        digest: Its digest.
        size: Bytes of it.
        size_vram: Bytes of it in GPU memory.
        context_length: Its context, tokens.
        expires_at: When it is to go, as the server wrote it; it moves with every request.
        expires_ns: The same on the wall clock, ns; None if it cannot be read.
    """

    name: str
    digest: str = ""
    size: int = 0
    size_vram: int = 0
    context_length: int = 0
    expires_at: str = ""
    expires_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TreeLook:
    """A server's processes at one instant.

    Attributes:
        cpu_s: CPU time that they have used so far, s.
        rss_bytes: Their resident memory; what two of them share counts twice.
        pids: They; the first one it was started as, and what that started.
        gpu_bytes: GPU memory that the driver says they hold; None if it tells of none.
        born_unix_ns: When the first of them was started, on the wall clock, ns; None if that is not told.
    """

    cpu_s: float
    rss_bytes: int
    pids: tuple[int, ...]
    gpu_bytes: int | None = None
    born_unix_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ServerLook:
    """A server at one instant.

    Attributes:
        url: Its base URL.
        at_ns: When it was asked, ns.
        trouble: Why it could not be asked, or None; then the version and the models are empty.
        version: Its version.
        models: The models in its memory.
        tree: Its processes; None if they are on another host, or cannot be seen.
    """

    url: str
    at_ns: int
    trouble: str | None = None
    version: str = ""
    models: tuple[HeldModel, ...] = ()
    tree: TreeLook | None = None

    def held(self, name: str) -> HeldModel | None:
        """The model of this name, as the server lists it; None if it is not loaded."""
        return next((model for model in self.models if model.name == name), None)


@dataclass(frozen=True, slots=True)
class GpuLook:
    """A GPU of this host at one instant; None where its driver does not tell.

    Attributes:
        uuid: Its identity.
        name: Its product name.
        total: Bytes of its memory.
        used: Bytes of it in use.
        utilization_pct: Share of the driver's last sampling period in which a kernel ran, %.
        power_w: Power of the board, W.
    """

    uuid: str
    name: str
    total: int | None = None
    used: int | None = None
    utilization_pct: int | None = None
    power_w: float | None = None


class Probed(NamedTuple):
    """What a probe asked. Probes of different ones are never compared."""

    url: str
    model: str
    digest: str
    context_length: int
    size_vram: int


@dataclass(frozen=True, slots=True)
class Probe:
    """One short request.

    Attributes:
        target: What it asked.
        alone: No other server was asked meanwhile.
        record: The request.
        late: It was cut off at its deadline: what it took is known from below.
    """

    target: Probed
    alone: bool
    record: RequestRecord
    late: bool = False


@dataclass(frozen=True, slots=True)
class WatchRound:
    """One round: a look, probes of each server alone and of all together in shuffled order, and a second look.

    Attributes:
        index: From 1.
        started_ns: Its start, ns.
        ended_ns: Its end, ns.
        unix_ns: Its start on the wall clock, ns.
        before: Each server before the probes, in the order of the command line.
        after: Each server after the probes; () if there were none.
        probes: In the order of their start.
        probing_ns: Time in which a probe was under way, ns.
        unprobed: By URL, why a server was not probed.
        used: URLs of servers that somebody else has used since the round before: their models' expiry moved.
        gpus: The GPUs of this host before the probes.
        host: How busy this host's CPUs were since the round before; None if no server runs here, or it is not told.
    """

    index: int
    started_ns: int
    ended_ns: int
    unix_ns: int
    before: tuple[ServerLook, ...]
    after: tuple[ServerLook, ...] = ()
    probes: tuple[Probe, ...] = ()
    probing_ns: int = 0
    unprobed: Mapping[str, str] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    gpus: tuple[GpuLook, ...] = ()
    host: HostLoad | None = None
