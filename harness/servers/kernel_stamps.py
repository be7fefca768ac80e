"""The kernel's own stamps of what a socket receives and sends, and their conversion to the monotonic clock.

The kernel notes when a segment arrived, however late this process gets to read it, and when one left. Its stamps are
CLOCK_REALTIME; the offset to the monotonic clock is sampled before and after each stream. NTP slews both clocks alike,
so the offset only changes when somebody sets the wall clock: then the stream's kernel stamps are given up for
user-space ones.

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
_SO_TIMESTAMPING = 37  # likewise
_SENT_FLAGS = 1 << 1 | 1 << 4 | 1 << 7 | 1 << 11  # TX_SOFTWARE, SOFTWARE, OPT_ID, OPT_TSONLY of linux/net_tstamp.h
_SENT_BYTES = 512
_RECVERR = ((0, 11), (41, 25))  # IP_RECVERR, IPV6_RECVERR
_NUMBER = struct.Struct("@12xI")  # ee_data of struct sock_extended_err: with OPT_ID the number of the last byte
_NUMBERS = 2**32
_TIMESPEC = struct.Struct("@qq")
_TRIES = 5
_STEP_NS = 100_000

Ancillary = Sequence[tuple[int, int, bytes]]


def enable(sock: socket.socket) -> bool:
    """Asks the kernel to stamp what ``sock`` receives; False where it cannot (anything but 64-bit Linux)."""
    return _set(sock, _SO_TIMESTAMPNS, 1)


def stamp_of(ancillary: Ancillary) -> int | None:
    """The receive stamp in a read's ancillary data, wall clock, ns; None if it has none.

    Of several segments in one read it is the last one's.
    """
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            return _nanoseconds(data)
    return None


def enable_sent(sock: socket.socket) -> bool:
    """Asks the kernel to stamp what ``sock`` sends from now on; False where it cannot.

    Who asks must fetch the stamps with :func:`sent_stamp`: those that wait make the socket ready with an error, which
    uvloop, for one, does not survive.
    """
    return _set(sock, _SO_TIMESTAMPING, _SENT_FLAGS)


def sent_stamp(sock: socket.socket, sent_bytes: int) -> int | None:
    """When the last of so many bytes left, wall clock, ns; None if that is not known (yet). Drops older stamps.

    On the loopback interface it is known as soon as ``send`` returns, unless the receiver's window was full.
    """
    found = None
    while True:
        try:
            _data, ancillary, _flags, _address = sock.recvmsg(0, _SENT_BYTES, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except OSError:
            return found
        stamp, number = None, None
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING:
                stamp = _nanoseconds(data)
            elif (level, kind) in _RECVERR:
                (number,) = _NUMBER.unpack_from(data)
        if number == (sent_bytes - 1) % _NUMBERS:
            found = stamp


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


def _set(sock: socket.socket, option: int, value: int) -> bool:
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, option, value)
    except OSError:
        return False
    return True


def _nanoseconds(data: bytes) -> int:
    """Of the timespec that ``data`` begins with."""
    seconds, nanoseconds = _TIMESPEC.unpack_from(data)
    return int(seconds * 1_000_000_000 + nanoseconds)
