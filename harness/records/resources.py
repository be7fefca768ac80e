"""What servers and GPUs used while a run was under way, as a sampler beside the measuring process saw it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerUse:
    """One server's process tree over a run; None where the system does not tell.

    Attributes:
        url: The server; of one that answers at several URLs the first.
        cpu_cores: Cores that it kept busy, mean; None of a run that is too short for the system's counters, too.
        rss_bytes: The most resident memory it had; what two of its processes share counts twice.
        gpu_memory_bytes: The most GPU memory it had, over all GPUs; None if it was not seen on any.
    """

    url: str
    cpu_cores: float | None
    rss_bytes: int | None
    gpu_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class GpuUse:
    """One GPU over a run, all its processes together; None where its driver does not tell.

    Attributes:
        uuid: The GPU.
        name: Its product name.
        utilization_pct: Share of the time in which a kernel ran, mean, %.
        memory_bytes: The most memory in use.
        sm_clock_mhz: Clock of its multiprocessors, mean, MHz.
        power_w: Power of the board, mean, W: its energy over the run's length.
        energy_j: Energy of the board over the run, J, idle or not: by its own counter, or else the integral of its
            power.
        throttle: Why its clock was held down at some time, in words.
        servers: URLs of the servers that were seen on it; empty in a container, where the driver's process ids are
            the host's.
    """

    uuid: str
    name: str
    utilization_pct: float | None
    memory_bytes: int | None
    sm_clock_mhz: float | None
    power_w: float | None
    energy_j: float | None
    throttle: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    """What was used over a run.

    Attributes:
        samples: Instants at which it was looked: just before the run, at an interval during it, and just after it.
        servers: One each that runs on this host.
        gpus: One each that the driver tells of.
    """

    samples: int
    servers: tuple[ServerUse, ...]
    gpus: tuple[GpuUse, ...] = ()
