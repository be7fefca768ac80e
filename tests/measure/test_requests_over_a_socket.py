"""One measured request over a real socket, by our transport and by stock httpx: stamps, reads and failures."""

from __future__ import annotations

import sys
from collections.abc import Callable

import httpx
import pytest

from harness.measure import measure_request, measuring_client
from harness.protocol import generate_body
from harness.records import RequestRecord
from harness.testing import done_line, text_line
from tests.measure.servers import HEAD, SocketServer, Write, http_chunk, within

A, B, DONE = text_line("a"), text_line("b"), done_line()
BODY = generate_body("m", "12345678 hello", {"num_ctx": 512, "seed": 3})
END = http_chunk(DONE) + http_chunk(b"")

ClientOf = Callable[[str], httpx.AsyncClient]


def stock_client(url: str) -> httpx.AsyncClient:
    """Stock httpx: what a user's own transport, or HTTPS, comes down to."""
    return httpx.AsyncClient(base_url=url, trust_env=False)


every_client = pytest.mark.parametrize("client_of", [measuring_client, stock_client])


async def _records(client_of: ClientOf, *writes: Write, requests: int = 2) -> list[RequestRecord]:
    sink: list[RequestRecord] = []
    async with SocketServer(*writes) as server, client_of(server.url) as client:
        for _ in range(requests):
            await within(measure_request(client, name="ask", nonce="1", body=BODY, sink=sink))
    return sink


@every_client
@pytest.mark.asyncio
async def test_the_sending_is_stamped_by_the_transport(client_of: ClientOf) -> None:
    """The instant of sending lies after the asking and before the first token; connecting is told apart."""
    first, second = await _records(client_of, HEAD + http_chunk(A), http_chunk(B), END)
    for record in (first, second):
        assert record.error is None
        assert record.text == "ab"
        assert record.asked_ns < record.sent_ns < record.token_ns[0] <= record.token_ns[1] <= record.ended_ns
    assert (first.connected, second.connected) == (True, False)


@every_client
@pytest.mark.asyncio
async def test_tokens_of_one_write_share_index_and_instant(client_of: ClientOf) -> None:
    """Two lines that the server wrote as one HTTP chunk are one read here."""
    for record in await _records(client_of, HEAD + http_chunk(A + B), END):
        assert record.text == "ab"
        assert record.token_chunk[0] == record.token_chunk[1]
        assert record.token_ns[0] == record.token_ns[1]


@pytest.mark.asyncio
async def test_http_chunks_of_one_write_share_index_and_instant() -> None:
    """Two HTTP chunks that came in one read are coalesced, not an inter-token latency of microseconds."""
    for record in await _records(measuring_client, HEAD + http_chunk(A) + http_chunk(B), END):
        assert record.token_chunk[0] == record.token_chunk[1]
        assert record.token_ns[0] == record.token_ns[1]


@pytest.mark.asyncio
async def test_a_servers_path_prefix_is_kept() -> None:
    """A server behind a proxy at some path is asked there."""
    async with (
        SocketServer(HEAD + http_chunk(A), END) as server,
        httpx.AsyncClient(base_url=f"{server.url}/ollama", trust_env=False) as client,
    ):
        await within(measure_request(client, name="ask", nonce="1", body=BODY, sink=[]))
        assert server.requests[0].startswith(b"POST /ollama/api/generate HTTP/1.1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what it receives")
@pytest.mark.usefixtures("truth_server")  # the kernel begins to stamp a moment after the first socket asks for it
@pytest.mark.asyncio
async def test_the_record_says_that_the_kernel_stamped_it() -> None:
    """On Linux the reads of our transport carry the kernel's stamps, which are never after the reading."""
    for record in await _records(measuring_client, HEAD + http_chunk(A), END):
        assert record.stamped_by == "kernel"
        assert record.read_lag_max_ns is not None
        assert record.read_lag_max_ns > 0


@pytest.mark.asyncio
async def test_the_record_says_that_stock_httpx_was_stamped_in_user_space() -> None:
    """Whatever brought the bytes, the record tells whose the instants are."""
    for record in await _records(stock_client, HEAD + http_chunk(A), END):
        assert record.stamped_by == "user"
        assert record.read_lag_max_ns is None


@every_client
@pytest.mark.asyncio
async def test_a_server_that_dies_in_mid_stream_fails_the_request(client_of: ClientOf) -> None:
    """A connection closed before the last chunk is a failed record with the tokens so far."""
    (record,) = await _records(client_of, HEAD + http_chunk(A), None, requests=1)
    assert record.error is not None
    assert record.error.startswith(("RemoteProtocolError", "ReadError"))
    assert record.server is None
    assert record.text == "a"


@every_client
@pytest.mark.asyncio
async def test_a_refusal_is_a_failed_request_with_the_servers_reason(client_of: ClientOf) -> None:
    """A status of 503 with Ollama's JSON fails the record and keeps the server's words."""
    reason = b'{"error":"server busy"}'
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n" % len(reason)
    for record in await _records(client_of, head + reason):
        assert record.error == "HTTP 503, the server reported: server busy"
