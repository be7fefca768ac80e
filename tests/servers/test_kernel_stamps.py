"""Kernel stamps: switched on, read, converted to the monotonic clock."""

from __future__ import annotations

import select
import socket
import struct
import sys
import time

import pytest

from harness.servers import kernel_stamps

needs_kernel_stamps = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what it receives")


def test_the_offset_turns_the_wall_clock_into_the_monotonic_one() -> None:
    """A wall-clock reading plus the offset lies between two monotonic readings around it."""
    offset = kernel_stamps.clock_offset()
    before = time.perf_counter_ns()
    wall = time.time_ns()
    after = time.perf_counter_ns()
    assert before - 50_000 <= wall + offset <= after + 50_000


@pytest.mark.usefixtures("truth_server")  # the kernel begins to stamp a moment after the first socket asks for it
@needs_kernel_stamps
def test_a_stamp_is_of_the_arrival_and_not_of_the_reading() -> None:
    """Bytes that were sent before an instant and read after it carry a stamp from before."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        assert kernel_stamps.enable(client)
        sending = time.perf_counter_ns()
        accepted.sendall(b"x")
        client.recv(1, socket.MSG_PEEK)
        arrived_before = time.perf_counter_ns()
        _data, ancillary, _flags, _address = client.recvmsg(1, kernel_stamps.ANCILLARY_BYTES)
    stamp = kernel_stamps.stamp_of(ancillary)
    assert stamp is not None
    assert sending - 50_000 <= stamp + kernel_stamps.clock_offset() <= arrived_before + 50_000


@pytest.mark.parametrize("ancillary", [[], [(socket.SOL_SOCKET, 1, b"x")], [(socket.SOL_SOCKET, 35, b"short")]])
def test_other_ancillary_data_is_no_stamp(ancillary: kernel_stamps.Ancillary) -> None:
    """Nothing, something else and something cut short are told apart from a stamp."""
    assert kernel_stamps.stamp_of(ancillary) is None
    assert kernel_stamps.stamp_of([*ancillary, (socket.SOL_SOCKET, 35, struct.pack("@qq", 2, 3))]) == 2_000_000_003


def test_other_platforms_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not stamp, asking for it says so and harms nothing."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with socket.socket() as sock:
        assert not kernel_stamps.enable(sock)
        assert not kernel_stamps.enable_sent(sock)


@pytest.mark.usefixtures("truth_server")  # the kernel begins to stamp a moment after the first socket asks for it
@needs_kernel_stamps
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_sent_stamp_is_of_the_last_byte_that_left(host: str) -> None:
    """Between the instants around its own send, also when the stamps of sends before were never fetched."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as server,
        socket.create_connection(server.getsockname()[:2]) as client,
    ):
        assert kernel_stamps.enable_sent(client)
        client.sendall(b"one")
        client.sendall(b"two")
        before = time.perf_counter_ns()
        client.sendall(b"three")
        after = time.perf_counter_ns()
        stamp = kernel_stamps.sent_stamp(client, 11)
        assert stamp is not None
        assert before - 50_000 <= stamp + kernel_stamps.clock_offset() <= after + 50_000
        assert kernel_stamps.sent_stamp(client, 11) is None


@needs_kernel_stamps
def test_fetching_a_sent_stamp_leaves_no_error_on_the_socket() -> None:
    """A stamp that waits makes a socket ready with an error; one that was fetched does not."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        select.epoll() as epoll,
    ):
        kernel_stamps.enable_sent(client)
        epoll.register(client, select.EPOLLIN)
        client.sendall(b"x")
        assert epoll.poll(0)
        kernel_stamps.sent_stamp(client, 0)
        assert not epoll.poll(0)
