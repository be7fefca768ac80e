"""The one clock of all measurements: monotonic, integer nanoseconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.records import ClockAnchor

Clock = Callable[[], int]
"""Gives the present instant, ns; only differences have a meaning."""

monotonic_ns: Clock = time.perf_counter_ns


def anchor() -> ClockAnchor:
    """One instant on the monotonic and on the wall clock."""
    return ClockAnchor(monotonic_ns(), time.time_ns())
