"""Whose stamps a stream has: the kernel's, and user space's where the kernel has none or the wall clock was set."""

from __future__ import annotations

import sys

import pytest

from harness.measure import measure_request, measuring_client
from harness.records import RequestRecord
from harness.servers import kernel_stamps
from harness.testing import done_line, text_line
from tests.measure.servers import HEAD, SocketServer, http_chunk, within


async def _measured() -> RequestRecord:
    writes = (HEAD + http_chunk(text_line("a")), http_chunk(done_line()) + http_chunk(b""))
    async with SocketServer(*writes) as server, measuring_client(server.url) as client:
        return await within(measure_request(client, name="ask", nonce="1", body={}, sink=[]))


@pytest.mark.asyncio
async def test_without_kernel_stamps_the_record_says_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform without them is measured all the same, and the record tells."""
    monkeypatch.setattr(kernel_stamps, "enable", lambda _sock: False)
    record = await _measured()
    assert (record.stamped_by, record.read_lag_max_ns) == ("user", None)
    assert record.sent_ns < record.token_ns[0] <= record.ended_ns


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what it receives")
@pytest.mark.asyncio
async def test_a_wall_clock_set_during_a_stream_costs_it_the_kernel_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The offset differs before and after: the stream keeps its user-space stamps, which are right."""
    real = kernel_stamps.clock_offset
    steps = iter(range(0, 10**12, 10**9))
    monkeypatch.setattr(kernel_stamps, "clock_offset", lambda: real() + next(steps))
    record = await _measured()
    assert record.stamped_by == "user"
    assert record.sent_ns < record.token_ns[0] <= record.ended_ns
