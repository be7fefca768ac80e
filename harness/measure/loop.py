"""The event loop that measures: uvloop where it exists; and the watch of its lag."""

from __future__ import annotations

import asyncio
import importlib
import math
from collections.abc import Callable
from types import TracebackType

from harness.measure.clock import Clock, monotonic_ns
from harness.records import LoopLag

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
_INTERVAL_S = 0.01
_RESOLUTION_NS = 1_000_000


def measuring_loops() -> dict[str, LoopFactory]:
    """The factory of the event loop to measure with, by its name: ``uvloop``, or ``asyncio`` where there is none.

    It is what pytest-asyncio's hook ``pytest_asyncio_loop_factories`` returns.
    """
    try:
        factory: LoopFactory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return {"asyncio": asyncio.new_event_loop}
    return {"uvloop": factory}


def loop_name() -> str:
    """Name of the running loop's library: ``uvloop`` or ``asyncio``."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


class LagWatch:
    """Watches a running loop: a timer is due every 10 ms, and how late it comes is the loop's lag.

    Loops wake with a resolution of 1 ms, so a lag of up to that is none. A timer that is late by several intervals
    counts once for each of them, as that many callbacks would have waited.
    """

    def __init__(self, clock: Clock = monotonic_ns) -> None:
        """Starts with the context."""
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lags_ns: list[int] = []
        self._due_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> LagWatch:
        """Itself, watching."""
        self._due_ns = self._clock()
        self._schedule()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the watch; a timer that is due by now counts with its lag so far."""
        if self._timer is not None:
            self._timer.cancel()
        self._note()

    def lag(self) -> LoopLag:
        """What was seen so far."""
        lags = sorted(self._lags_ns)
        if not lags:
            return LoopLag(0, 0, 0)
        return LoopLag(len(lags), lags[math.ceil(0.99 * len(lags)) - 1], lags[-1])

    def _schedule(self) -> None:
        self._due_ns += round(_INTERVAL_S * 1e9)
        self._timer = self._loop.call_later(max(0.0, (self._due_ns - self._clock()) / 1e9), self._fire)

    def _fire(self) -> None:
        self._note()
        self._schedule()

    def _note(self) -> None:
        """Counts every instant that is due by now; loops may call up to their resolution too early."""
        now_ns, step_ns = self._clock(), round(_INTERVAL_S * 1e9)
        while now_ns + _RESOLUTION_NS >= self._due_ns:
            self._lags_ns.append(max(0, now_ns - self._due_ns))
            self._due_ns += step_ns
        self._due_ns -= step_ns
