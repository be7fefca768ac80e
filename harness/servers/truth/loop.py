"""The event loop: sockets, and instants kept to the microsecond.

asyncio's timers (and uvloop's) are rounded to a millisecond, because ``epoll_wait`` takes no less. ``select`` takes
microseconds, and an epoll's descriptor can itself be selected.
"""

from __future__ import annotations

import heapq
import itertools
import math
import select
import selectors
import socket
import sys
from collections.abc import Callable
from typing import Protocol

from harness.servers.truth.clock import monotonic_ns

Ready = Callable[[int], None]
"""Called when a socket is ready, with a mask of EVENT_READ and EVENT_WRITE."""

SPIN_NS = 50_000
_BATCH = 256
_LONGEST_S = 3600.0


class Schedule(Protocol):
    """Things that fall due."""

    def next_ns(self) -> float:
        """When the next does, ns; infinite if none."""

    def run_next(self) -> None:
        """Does it."""


class Timers:
    """Calls at instants, in order; each is told the instant, ns."""

    def __init__(self) -> None:
        """None yet."""
        self._heap: list[tuple[int, int, Callable[[int], None]]] = []
        self._order = itertools.count()

    def call_at(self, due_ns: int, callback: Callable[[int], None]) -> None:
        """Calls once, not before ``due_ns``. Who no longer wants it must see for himself when it comes."""
        heapq.heappush(self._heap, (due_ns, next(self._order), callback))

    def next_ns(self) -> float:
        """When the next falls due, ns; infinite if none."""
        return self._heap[0][0] if self._heap else math.inf

    def run_next(self) -> None:
        """Calls the next."""
        due_ns, _, callback = heapq.heappop(self._heap)
        callback(due_ns)


class Loop:
    """Runs what falls due, and the sockets, on one thread."""

    def __init__(self, *schedules: Schedule) -> None:
        """A loop over these schedules."""
        self._schedules = schedules
        self._selector = selectors.DefaultSelector()
        epoll = sys.platform == "linux" and isinstance(self._selector, selectors.EpollSelector)
        self._epoll = self._selector.fileno() if epoll else None
        self._running = True
        self._busy = False

    def watch(self, sock: socket.socket, ready: Ready) -> None:
        """Calls ``ready`` when there is something to read."""
        self._selector.register(sock, selectors.EVENT_READ, ready)

    def watch_writes(self, sock: socket.socket, ready: Ready, wanted: bool) -> None:
        """Calls ``ready`` also when a watched socket takes data, or no longer does."""
        self._selector.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if wanted else 0), ready)

    def forget(self, sock: socket.socket) -> None:
        """No longer watches a socket; call it before closing it."""
        self._selector.unregister(sock)

    def stop(self) -> None:
        """Ends :meth:`run`."""
        self._running = False

    def catch_up(self, now_ns: int) -> float:
        """Runs what falls due until ``now_ns``, in order; gives the next instant, ns, past if there was too much."""
        due_ns = float(now_ns)
        if self._busy:
            return due_ns
        self._busy = True
        for _ in range(_BATCH):
            due_ns = math.inf
            for schedule in self._schedules:
                next_ns = schedule.next_ns()
                if next_ns < due_ns:
                    first, due_ns = schedule, next_ns
            if due_ns > now_ns:
                break
            first.run_next()
        self._busy = False
        return due_ns

    def run(self) -> None:
        """Runs until :meth:`stop`."""
        while self._running:
            self._wait(self.catch_up(monotonic_ns()))
            for key, mask in self._selector.select(0):
                key.data(mask)
                self.catch_up(monotonic_ns())
        self._selector.close()

    def _wait(self, due_ns: float) -> None:
        """Waits for an instant, or for a socket; the last microseconds awake, because waking up takes as long."""
        rest_ns = due_ns - monotonic_ns()
        if rest_ns > SPIN_NS:
            timeout_s = min((rest_ns - SPIN_NS) / 1e9, _LONGEST_S)
            if self._sleep(timeout_s):
                return
            rest_ns = due_ns - monotonic_ns()
        if rest_ns <= SPIN_NS:
            while monotonic_ns() < due_ns:
                pass

    def _sleep(self, timeout_s: float) -> bool:
        """Sleeps; True as soon as a socket is ready."""
        if self._epoll is None:
            return bool(self._selector.select(timeout_s))
        return bool(select.select([self._epoll], [], [], timeout_s)[0])
