"""The kernel's own receive stamps of a socket, and their conversion to the monotonic clock of all measurements.

The kernel notes when a segment arrived, however late this process gets to read it. Its stamps are CLOCK_REALTIME;
the offset to the monotonic clock is sampled before and after each stream. NTP slews both clocks alike, so the offset
only changes when somebody sets the wall clock: then the stream's kernel stamps are given up for user-space ones.

Source: Linux, Documentation/networking/timestamping.rst.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Sequence

ANCILLARY_BYTES = socket.CMSG_SPACE(16) if hasattr(socket, "CMSG_SPACE") else 0
"""Room for one ``struct timespec`` of a 64-bit system."""

_SO_TIMESTAMPNS = 35  # include/uapi/asm-generic/socket.h; Python does not export it
_TIMESPEC = struct.Struct("@qq")
_TRIES = 5
_STEP_NS = 100_000

Ancillary = Sequence[tuple[int, int, bytes]]


def enable(sock: socket.socket) -> bool:
    """Asks the kernel to stamp what ``sock`` receives; False where it cannot (anything but 64-bit Linux)."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


def stamp_of(ancillary: Ancillary) -> int | None:
    """The receive stamp in a read's ancillary data, wall clock, ns; None if it has none.

    Of several segments in one read it is the last one's.
    """
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


def clock_offset() -> int:
    """Monotonic less wall clock now, ns: the middle of the tightest of a few brackets, good to about 0.1 us."""
    width, offset = sys.maxsize, 0
    for _ in range(_TRIES):
        before = time.perf_counter_ns()
        wall = time.time_ns()
        after = time.perf_counter_ns()
        if after - before < width:
            width, offset = after - before, (before + after) // 2 - wall
    return offset


def agree(before: int, after: int) -> bool:
    """True if two offsets, ns, are the same but for the error of reading them: the wall clock was not set between."""
    return abs(after - before) < _STEP_NS
