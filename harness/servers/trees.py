"""What a process tree has used so far: CPU time and resident memory, read without disturbing it.

Memory is resident memory (RSS), added up over the tree: a page that two of its processes share (a library, or a model
that both map) counts twice. The proportional share (PSS) would not, but the kernel walks all pages for it under the
lock that the server itself needs to map memory: 1.1 ms for a server of 280 MB here, some 3 ms more a GiB, every time,
where a process's status is 9 us.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

_CHILDREN_TOLD = Path("/proc/thread-self/children").exists()
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if sys.platform == "linux" else 0
_PAGE = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0


@dataclass(frozen=True, slots=True)
class TreeUse:
    """A process tree at one instant.

    Attributes:
        cpu_s: CPU time of its processes and of those that they have waited for, s; it grows, unless one ended that
            nobody waited for.
        rss_bytes: Resident memory, added up over its processes.
        pids: Its processes.
    """

    cpu_s: float
    rss_bytes: int
    pids: tuple[int, ...]


class _Use(NamedTuple):
    """One process: its start, which tells it from a later one of the same number, CPU time, s, and RSS."""

    lives: bool
    born: float
    cpu_s: float
    rss_bytes: int


class ProcessTree:
    """A process and all that it, or what it started, started; one that has lost its parent since stays in it."""

    def __init__(self, root: int) -> None:
        """The tree of ``root``, looked at for the first time by :meth:`use`."""
        self._root = root
        self._born: dict[int, float] = {}

    def use(self) -> TreeUse | None:
        """What it has used so far; None once its root has ended, or if it is kept secret. 10 us a thread on Linux."""
        found: dict[int, _Use] = {}
        for pid in self._born.keys() | tree(self._root):
            use = _use(pid)
            if use is not None and self._born.setdefault(pid, use.born) == use.born:
                found[pid] = use
        self._born = {pid: use.born for pid, use in found.items()}
        root = found.get(self._root)
        if root is None or not root.lives:
            return None
        return TreeUse(
            cpu_s=sum(use.cpu_s for use in found.values()),
            rss_bytes=sum(use.rss_bytes for use in found.values()),
            pids=tuple(sorted(found)),
        )


def tree(root: int) -> frozenset[int]:
    """A process and all that it, or what it started, started; as far as they live. Takes 10 us a thread on Linux."""
    if not _CHILDREN_TOLD:
        return _tree_elsewhere(root)
    found = [root]
    for pid in found:  # grows while it is walked
        found += _children(pid)
    return frozenset(found)


def _children(pid: int) -> Iterator[int]:
    """Linux lists a process's children by the thread that started them."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
    except OSError:  # it, or a thread of it, has ended
        return


def _tree_elsewhere(root: int) -> frozenset[int]:
    try:
        return frozenset({root, *(child.pid for child in psutil.Process(root).children(recursive=True))})
    except psutil.Error:
        return frozenset({root})


def _use(pid: int) -> _Use | None:
    """None if the process has ended (one that nobody has waited for yet keeps its CPU time) or is kept secret."""
    try:
        if sys.platform == "linux":
            with open(f"/proc/{pid}/stat", "rb") as file:
                told = file.read().rpartition(b")")[2].split()
            cpu_s = sum(map(int, told[11:15])) / _TICKS_PER_S
            return _Use(told[0] != b"Z", float(told[19]), cpu_s, int(told[21]) * _PAGE)
        return _use_elsewhere(pid)
    except (psutil.Error, OSError):
        return None


def _use_elsewhere(pid: int) -> _Use:
    process = psutil.Process(pid)
    with process.oneshot():
        times = process.cpu_times()
        cpu_s = times.user + times.system + times.children_user + times.children_system
        lives = process.status() != psutil.STATUS_ZOMBIE
        return _Use(lives, process.create_time(), cpu_s, process.memory_info().rss)
