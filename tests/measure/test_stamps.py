"""Kernel stamps: switched on, read, converted, and given up when the wall clock was set."""

from __future__ import annotations

import socket
import struct
import sys
import time

import pytest

from harness.measure import measure_request, measuring_client, stamps
from harness.records import RequestRecord
from harness.testing import done_line, text_line
from tests.measure.servers import HEAD, SocketServer, http_chunk, within

needs_kernel_stamps = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what it receives")


def test_the_offset_turns_the_wall_clock_into_the_monotonic_one() -> None:
    """A wall-clock reading plus the offset lies between two monotonic readings around it."""
    offset = stamps.clock_offset()
    before = time.perf_counter_ns()
    wall = time.time_ns()
    after = time.perf_counter_ns()
    assert before - 50_000 <= wall + offset <= after + 50_000


@needs_kernel_stamps
def test_a_stamp_is_of_the_arrival_and_not_of_the_reading() -> None:
    """Bytes that were sent before an instant and read after it carry a stamp from before."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        assert stamps.enable(client)
        sending = time.perf_counter_ns()
        accepted.sendall(b"x")
        client.recv(1, socket.MSG_PEEK)
        arrived_before = time.perf_counter_ns()
        _data, ancillary, _flags, _address = client.recvmsg(1, stamps.ANCILLARY_BYTES)
    stamp = stamps.stamp_of(ancillary)
    assert stamp is not None
    assert sending - 50_000 <= stamp + stamps.clock_offset() <= arrived_before + 50_000


@pytest.mark.parametrize("ancillary", [[], [(socket.SOL_SOCKET, 1, b"x")], [(socket.SOL_SOCKET, 35, b"short")]])
def test_other_ancillary_data_is_no_stamp(ancillary: stamps.Ancillary) -> None:
    """Nothing, something else and something cut short are told apart from a stamp."""
    assert stamps.stamp_of(ancillary) is None
    assert stamps.stamp_of([*ancillary, (socket.SOL_SOCKET, 35, struct.pack("@qq", 2, 3))]) == 2_000_000_003


def test_other_platforms_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel does not stamp, asking for it says so and harms nothing."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with socket.socket() as sock:
        assert not stamps.enable(sock)


async def _measured() -> RequestRecord:
    writes = (HEAD + http_chunk(text_line("a")), http_chunk(done_line()) + http_chunk(b""))
    async with SocketServer(*writes) as server, measuring_client(server.url) as client:
        return await within(measure_request(client, name="ask", nonce="1", body={}, sink=[]))


@pytest.mark.asyncio
async def test_without_kernel_stamps_the_record_says_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform without them is measured all the same, and the record tells."""
    monkeypatch.setattr(stamps, "enable", lambda _sock: False)
    record = await _measured()
    assert (record.stamped_by, record.read_lag_max_ns) == ("user", None)
    assert record.sent_ns < record.token_ns[0] <= record.ended_ns


@needs_kernel_stamps
@pytest.mark.asyncio
async def test_a_wall_clock_set_during_a_stream_costs_it_the_kernel_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offset differs before and after: the stream keeps its user-space stamps, which are right."""
    real = stamps.clock_offset
    steps = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(stamps, "clock_offset", lambda: real() + next(steps))
    record = await _measured()
    assert record.stamped_by == "user"
    assert record.sent_ns < record.token_ns[0] <= record.ended_ns
