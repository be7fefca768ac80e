"""What this host lets its servers use."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus() -> frozenset[int]:
    """Numbers of the CPUs that this process may run on."""
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


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
