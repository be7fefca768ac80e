"""Receive stamps, brought over to the monotonic clock."""

from __future__ import annotations

import socket
import struct
import sys
import time

import pytest

from harness.servers import kernel_stamps
from harness.servers.kernel_stamps import clock_offset
from harness.servers.truth import TruthServer
from harness.servers.truth.clock import arrival_ns, monotonic_ns
from tests.servers.truth.client import connected, generate, logged, read_pieces

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel stamps on Linux")


def _stamp(ns: int) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, 35, struct.pack("@qq", ns // 10**9, ns % 10**9)


def test_a_stamp_becomes_the_instant_of_arrival() -> None:
    """One that was made a second ago is a second before now."""
    read_ns = monotonic_ns()
    arrived_ns = arrival_ns([_stamp(time.time_ns() - 10**9)], read_ns, clock_offset())
    assert arrived_ns == pytest.approx(read_ns - 10**9, abs=50_000_000)


@pytest.mark.parametrize(
    "ancillary", [[], [(socket.SOL_SOCKET, 99, b"x" * 16)], [(socket.SOL_SOCKET, 35, b"short")], [(0, 35, b"x" * 16)]]
)
def test_without_a_stamp_the_read_counts(ancillary: list[tuple[int, int, bytes]]) -> None:
    """What is no stamp is not taken for one."""
    assert arrival_ns(ancillary, 5, 0) == 5


def test_a_stamp_of_the_future_is_not_believed() -> None:
    """The wall clock was set between the arrival and the read."""
    read_ns = monotonic_ns()
    assert arrival_ns([_stamp(time.time_ns() + 10**9)], read_ns, clock_offset()) == read_ns


@LINUX
@pytest.mark.usefixtures("truth_server")  # the kernel begins to stamp a moment after the first socket asks for it
def test_a_connection_that_is_accepted_late_has_the_stamp_of_its_first_request() -> None:
    """What the listener asks for holds for what has arrived before the accept."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kernel_stamps.enable(listener)
        with socket.create_connection(listener.getsockname()) as client:
            before = monotonic_ns()
            client.sendall(b"x")
            between = monotonic_ns()
            time.sleep(0.02)
            accepted, _ = listener.accept()
            with accepted:
                _, ancillary, _, _ = accepted.recvmsg(10, kernel_stamps.ANCILLARY_BYTES)
                arrived_ns = arrival_ns(ancillary, monotonic_ns(), clock_offset())
                assert before - 100_000 <= arrived_ns <= between + 10_000_000


@LINUX
def test_the_first_request_of_a_connection_is_stamped_by_the_kernel(truth_server: TruthServer) -> None:
    """After the client's own instant before its send, and before the server's read."""
    with connected(truth_server.urls[0]) as sock:
        before = time.perf_counter_ns()
        sock.sendall(generate(options={"num_predict": 1}))
        read_pieces(sock)
    (request,) = logged(truth_server)
    assert before - 100_000 <= request.arrived_ns < request.read_ns
