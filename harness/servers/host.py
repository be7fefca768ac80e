"""What this host lets its servers use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from harness.records.errors import ConfigurationError

_OTHER_FILES = 200
_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus() -> frozenset[int]:
    """Numbers of the CPUs that this process may run on."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


@contextmanager
def apart() -> Iterator[tuple[int, ...] | None]:
    """Keeps this process off one of its CPUs, and gives that one to a server; gives None where there is only one."""
    cpus = sorted(usable_cpus())
    if sys.platform != "linux" or len(cpus) == 1:
        yield None
        return
    os.sched_setaffinity(0, cpus[:-1])
    try:
        yield (cpus[-1],)
    finally:
        os.sched_setaffinity(0, cpus)


def allow_open_files(wanted: int) -> None:
    """Lets this process and what it starts have so many sockets and files open, and some more.

    Raises:
        ConfigurationError: If the system's hard limit is below that.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on every platform

    wanted += _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigurationError(f"{wanted} open files are needed, the hard limit is {hard}: raise it (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def quota_cores(text: str) -> int | None:
    """Whole cores of a cgroup's ``cpu.max`` (``200000 100000`` is 2), or None without a limit."""
    quota, _, period = text.partition(" ")
    if not quota.isdigit() or not period.strip().isdigit():
        return None
    return max(1, int(quota) // int(period))


def usable_cores() -> int:
    """Cores that this process may keep busy: its affinity, less a container's quota."""
    cores = len(usable_cpus())
    try:
        quota = quota_cores(_CGROUP_QUOTA.read_text("ascii"))
    except OSError:
        quota = None
    return min(cores, quota) if quota else cores


def threads_per_server(servers: int, cores: int, pins: Sequence[Sequence[int]] = ()) -> tuple[int, ...]:
    """Threads for each server on CPUs, so that together they do not exceed the cores.

    Two servers with their default threads on the same cores spin against each other: 50 times slower, not 2.
    A pinned server's share is its CPUs over the servers that are pinned to any of them.
    """
    if not pins:
        return (max(1, cores // servers),) * servers
    sets = [set(pin) for pin in pins]
    return tuple(max(1, len(mine) // sum(1 for other in sets if mine & other)) for mine in sets)


def is_local(url: str) -> bool:
    """True if a URL's host is this machine's loopback."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
