"""Who keeps this host busy: its CPUs' idle time, the CPU time of process trees, and who sits on its GPUs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from harness.records.stream import encodable
from harness.servers.fleet import Server
from harness.servers.host import is_local, usable_cpus

_NVIDIA_SMI_S = 5.0
_QUERY = "--query-compute-apps=gpu_uuid,pid,used_memory,process_name"
_GPU_ROW = re.compile(r"\s*(?P<gpu>[^,]+), *(?P<pid>\d+), *(?P<mib>[^,]*), *(?P<name>.*?)\s*")
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - where somebody else listens, not we
_LOOPBACKS = {"127.0.0.1", "::1"}
_FORWARDERS = {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "ssh", "socat", "kubectl"}
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 0


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that runs on this host.

    Attributes:
        url: Its base URL.
        pid: Its process; what that started belongs to it. None if the system does not tell.
        cpus: CPUs it may use.
    """

    url: str
    pid: int | None
    cpus: frozenset[int]


def local_servers(servers: Collection[Server]) -> tuple[LocalServer, ...]:
    """Those of a session's servers that run on this host, with their processes.

    One that we only connected to is the process that listens on its port. Another user's process is not told to
    everyone, and a forwarder (``docker-proxy``, ``ssh``) is not the server: then it has no pid.
    """
    found = []
    for server in servers:
        if server.process is None and not is_here(server.url):
            continue
        pid = listener(server.url) if server.process is None else server.process.pid
        found.append(LocalServer(server.url, pid, usable_cpus() if pid is None else allowed_cpus(pid)))
    return tuple(found)


def is_here(url: str) -> bool:
    """True if a URL's host is an address of this machine, or its name; nobody is asked to resolve another name."""
    host = urlsplit(url).hostname or ""
    own = {address.address.lower() for addresses in psutil.net_if_addrs().values() for address in addresses}
    return is_local(url) or host in own or host in {platform.node().lower(), *_ANYWHERE}


def listener(url: str) -> int | None:
    """The process that listens where a URL of this host points to; None if the system does not tell, or it forwards."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    hosts = _LOOPBACKS if parts.hostname == "localhost" else {parts.hostname}
    try:
        found = [
            (each.laddr.ip, each.pid)
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
        ]
        pids = {pid for ip, pid in found if ip in hosts} or {pid for ip, pid in found if ip in _ANYWHERE}
        pid = pids.pop() if len(pids) == 1 else None
        return None if pid is None or psutil.Process(pid).name() in _FORWARDERS else pid
    except (psutil.Error, OSError):
        return None


def allowed_cpus(pid: int) -> frozenset[int]:
    """CPUs that a process may use; all that this one may where that cannot be asked."""
    try:
        return frozenset(psutil.Process(pid).cpu_affinity())  # type: ignore[attr-defined, unused-ignore]
    except (psutil.Error, OSError, AttributeError):  # macOS pins nothing
        return usable_cpus()


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process and of those children that it has waited for, s; None if it is gone or kept secret."""
    try:
        if sys.platform == "linux":
            with open(f"/proc/{pid}/stat", "rb") as file:
                return sum(map(int, file.read().rpartition(b")")[2].split()[11:15])) / _TICKS_PER_S
        return _cpu_seconds_elsewhere(pid)
    except (psutil.Error, OSError):
        return None


def _cpu_seconds_elsewhere(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """What some CPUs have done since the host was started.

    Attributes:
        idle_s: They stood idle, s.
        told_s: All that is accounted for, idle or not, s; it does not move where the system accounts for nothing.
    """

    idle_s: float
    told_s: float


def cpu_times(cpus: Collection[int]) -> CpuTimes | None:
    """Times of these CPUs; None if the system does not tell them apart."""
    if sys.platform != "linux":
        return _cpu_times_elsewhere(cpus)
    idle = told = 0
    seen = set()
    with open("/proc/stat", "rb") as file:
        for line in file.read().split(b"\n"):
            name, *times = line.split()[:9]  # what guests use is in the user's share already
            if not name.startswith(b"cpu"):
                break
            if name[3:] and int(name[3:]) in cpus:
                ticks = [*map(int, times)]
                seen.add(int(name[3:]))
                idle += ticks[3] + ticks[4]  # one that waits for a disk is free
                told += sum(ticks)
    return CpuTimes(idle / _TICKS_PER_S, told / _TICKS_PER_S) if seen == set(cpus) else None


def _cpu_times_elsewhere(cpus: Collection[int]) -> CpuTimes | None:
    every = psutil.cpu_times(percpu=True)
    if max(cpus) >= len(every):
        return None
    return CpuTimes(sum(every[cpu].idle for cpu in cpus), sum(sum(every[cpu]) for cpu in cpus))


def gpu_strangers(ours: Collection[int]) -> tuple[str, ...]:
    """Processes that compute on the same GPUs as ours do, as ``name (pid 123, 2048 MiB)``.

    Empty too if it cannot be told: without ``nvidia-smi``, or where none of ours is seen on a GPU, as in a container,
    where the driver's process ids are the host's. Takes up to a second where the driver is not kept loaded.
    """
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, _QUERY, "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_NVIDIA_SMI_S, check=True).stdout
    except (OSError, subprocess.SubprocessError, ValueError):  # the last: it did not answer in text
        return ()
    rows = [_GPU_ROW.fullmatch(line) for line in answer.splitlines()]
    seen = [(row["gpu"], int(row["pid"]), row["mib"], row["name"]) for row in rows if row is not None]
    shared = {gpu for gpu, pid, _, _ in seen if pid in ours}
    return tuple(
        encodable(f"{name} (pid {pid}, {mib} MiB)" if mib.isdigit() else f"{name} (pid {pid})")
        for gpu, pid, mib, name in seen
        if gpu in shared and pid not in ours and psutil.pid_exists(pid)
    )
