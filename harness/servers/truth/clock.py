"""The clock of the server, and when a request arrived by it."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time

from harness.servers import kernel_stamps

monotonic_ns = time.perf_counter_ns
"""Now, ns; on Linux CLOCK_MONOTONIC, which other processes share."""

_PR_SET_TIMERSLACK = 29


def sharpen_timers() -> None:
    """Asks Linux not to defer this thread's timers; its habit is 50 us."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without prctl
            ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def arrival_ns(ancillary: kernel_stamps.Ancillary, read_ns: int, offset_ns: int) -> int:
    """When data arrived, on the monotonic clock, ns: its receive stamp, or ``read_ns`` if there is no sound one.

    ``offset_ns`` turns the wall clock into the monotonic one.
    """
    stamp = kernel_stamps.stamp_of(ancillary)
    return read_ns if stamp is None else min(stamp + offset_ns, read_ns)
