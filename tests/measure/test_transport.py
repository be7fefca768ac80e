"""The measuring transport is an httpx transport like any other: framing, reuse, time-outs, failures, cancellation."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from harness.measure import MeasuringTransport, measuring_client
from harness.measure.transport import stamped_stream
from tests.measure.servers import HEAD, SocketServer, http_chunk, within

TWO = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def _get(*writes: bytes | None, method: str = "GET") -> httpx.Response:
    async with SocketServer(*writes) as server, measuring_client(server.url) as client:
        return await within(client.request(method, "/x"))


@pytest.mark.asyncio
async def test_a_body_with_a_length_is_read() -> None:
    """Status, headers and body come as the server sent them."""
    response = await _get(b"HTTP/1.1 201 Created\r\nX-Y: z\r\nContent-Length: 2\r\n\r\no", b"k")
    assert (response.status_code, response.headers["x-y"], response.text) == (201, "z", "ok")
    assert response.http_version == "HTTP/1.1"


@pytest.mark.asyncio
async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    """An HTTP/1.0 style answer is whole when the server closes."""
    assert (await _get(b"HTTP/1.1 200 OK\r\n\r\no", b"k", None)).text == "ok"


@pytest.mark.asyncio
async def test_an_answer_to_head_has_no_body() -> None:
    """HEAD announces a length that never comes; the next request reuses the connection."""
    async with (
        SocketServer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") as server,
        measuring_client(server.url) as client,
    ):
        for _ in range(2):
            assert (await within(client.head("/x"))).status_code == 200
        assert server.connections == 1


@pytest.mark.asyncio
async def test_an_informational_answer_is_passed_over() -> None:
    """100 Continue and its headers come before the real answer and are not it."""
    response = await _get(b"HTTP/1.1 100 Continue\r\nX-Y: z\r\n\r\n", TWO)
    assert (response.status_code, response.text) == (200, "ok")
    assert "x-y" not in response.headers


@pytest.mark.asyncio
async def test_an_answer_in_single_bytes_is_the_same_answer() -> None:
    """However the bytes are cut, the response is the same."""
    answer = HEAD + http_chunk(b"some") + http_chunk(b"thing") + http_chunk(b"")
    assert (await _get(*(bytes([byte]) for byte in answer))).text == "something"


@pytest.mark.asyncio
async def test_httpx_decodes_what_the_transport_brings() -> None:
    """Content encodings stay httpx's business."""
    body = gzip.compress(b"something")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert (await _get(head + body)).text == "something"


@pytest.mark.asyncio
async def test_a_body_can_be_iterated_while_it_comes() -> None:
    """The first part is there before the server has written the second."""
    seen = asyncio.Event()
    writes = (HEAD + http_chunk(b"one"), seen.wait, http_chunk(b"two") + http_chunk(b""))
    parts = []
    async with (
        asyncio.timeout(10),
        SocketServer(*writes) as server,
        measuring_client(server.url) as client,
        client.stream("GET", "/x") as response,
    ):
        async for part in response.aiter_raw():
            parts.append(part)
            seen.set()
    assert parts == [b"one", b"two"]


@pytest.mark.asyncio
async def test_requests_one_after_the_other_share_a_connection() -> None:
    """A connection is kept and reused; the stream tells whether one was opened for it."""
    opened = []
    async with SocketServer(TWO) as server, measuring_client(server.url) as client:
        for _ in range(3):
            stream = stamped_stream(await within(client.get("/x")))
            assert stream is not None
            opened.append(stream.connected)
        assert server.connections == 1
    assert opened == [True, False, False]


@pytest.mark.asyncio
async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    """Nothing waits for a connection; what was opened is reused."""
    everybody = asyncio.Barrier(5)
    async with SocketServer(everybody.wait, TWO) as server, measuring_client(server.url) as client:
        for _ in range(2):
            await within(asyncio.gather(*(client.get("/x") for _ in range(5))))
        assert server.connections == 5


@pytest.mark.parametrize("last", [b"Connection: close\r\n", b""], ids=["told", "not told"])
@pytest.mark.asyncio
async def test_a_connection_that_the_server_closed_is_not_used_again(last: bytes) -> None:
    """The next request opens a new one, whether the server told before or not."""
    answer = b"HTTP/1.1 200 OK\r\n" + last + b"Content-Length: 2\r\n\r\nok"
    async with SocketServer(answer, None) as server, measuring_client(server.url) as client:
        for _ in range(2):
            assert (await within(client.get("/x"))).text == "ok"
            await within(_closed(client))
        assert server.connections == 2


async def _closed(client: httpx.AsyncClient) -> None:
    transport = client._transport
    assert isinstance(transport, MeasuringTransport)
    while transport.open_connections:  # noqa: ASYNC110 - the transport has nobody to tell
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_body_that_is_not_wanted_any_more_closes_its_connection() -> None:
    """Leaving a stream early is what makes a server stop generating."""
    async with SocketServer(HEAD + http_chunk(b"one")) as server, measuring_client(server.url) as client:
        async with client.stream("GET", "/x") as response:
            assert response.status_code == 200
        await within(_closed(client))


@pytest.mark.asyncio
async def test_a_cancelled_request_closes_its_connection() -> None:
    """A deadline while the head is awaited leaves no connection behind."""
    async with SocketServer() as server, measuring_client(server.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get("/x")
        await within(_closed(client))


@pytest.mark.parametrize(
    ("writes", "words"),
    [
        ((None,), "without an answer"),
        ((HEAD + http_chunk(b"one"), None), "in the middle"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", None), "in the middle"),
        ((b"SSH-2.0-OpenSSH\r\n",), "not HTTP"),
        ((HEAD + b"zz\r\n",), "not HTTP"),
        ((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nrest",), "not HTTP"),
    ],
)
@pytest.mark.asyncio
async def test_an_answer_that_is_none_is_a_protocol_error(writes: tuple[bytes | None, ...], words: str) -> None:
    """A server that ends early or speaks something else fails the request with httpx's own error."""
    with pytest.raises(httpx.RemoteProtocolError, match=words):
        await _get(*writes)


@pytest.mark.asyncio
async def test_nobody_there_is_a_connect_error() -> None:
    """A refused connection is httpx's ConnectError and names the address."""
    async with SocketServer() as server:
        url = server.url
    async with measuring_client(url) as client:
        with pytest.raises(httpx.ConnectError, match=url.removeprefix("http://")):
            await client.get("/x")


@pytest.mark.parametrize("writes", [(), (HEAD + http_chunk(b"one"),)], ids=["no head", "no end"])
@pytest.mark.asyncio
async def test_silence_longer_than_the_read_timeout_fails_the_request(writes: tuple[bytes, ...]) -> None:
    """httpx's read timeout holds between any two reads."""
    async with SocketServer(*writes) as server, measuring_client(server.url) as client:
        with pytest.raises(httpx.ReadTimeout):
            await within(client.get("/x", timeout=0.05))


@pytest.mark.asyncio
async def test_a_stream_that_goes_on_outlives_its_read_timeout() -> None:
    """The timeout is about silence, not about the whole stream."""
    parts = [http_chunk(b"x")] * 8

    async def pause() -> None:
        await asyncio.sleep(0.05)

    writes = [HEAD, *(write for part in parts for write in (pause, part)), http_chunk(b"")]
    async with SocketServer(*writes) as server, measuring_client(server.url) as client:
        assert (await within(client.get("/x", timeout=0.3))).text == "x" * 8


@pytest.mark.asyncio
async def test_a_long_request_is_written_in_several_parts() -> None:
    """A body larger than the socket's buffer arrives whole."""
    body = bytes(range(256)) * 40_000
    async with SocketServer(TWO) as server, measuring_client(server.url) as client:
        assert (await within(client.post("/x", content=body))).text == "ok"
        assert server.requests[0].endswith(body)


@pytest.mark.asyncio
async def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    """httpx's asynchronous bodies work; the server sees chunked transfer encoding."""

    async def body() -> AsyncIterator[bytes]:
        yield b"some"
        yield b"thing"

    async with SocketServer(TWO) as server, measuring_client(server.url) as client:
        await within(client.post("/x", content=body()))
        assert b"transfer-encoding: chunked" in server.requests[0].lower()


@pytest.mark.asyncio
async def test_auth_and_redirects_work_through_it() -> None:
    """What httpx does above the transport is untouched."""
    async with SocketServer(TWO) as server, measuring_client(server.url) as client:
        await within(client.get("/x", auth=("user", "word")))
        assert b"authorization: basic" in server.requests[0].lower()
        head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s/y\r\n\r\n" % server.url.encode()
        async with SocketServer(head) as first:
            response = await within(client.get(f"{first.url}/x", follow_redirects=True))
    assert response.text == "ok"


@pytest.mark.asyncio
async def test_respx_mocks_a_client_of_ours() -> None:
    """With `using="httpx"` respx mocks a client whatever its transport is; a response without stamps says so."""
    async with measuring_client("http://server.test") as client:
        with respx.mock(base_url="http://server.test", using="httpx") as router:
            router.get("/x").respond(200, text="mocked")
            response = await client.get("/x")
    assert response.text == "mocked"
    assert stamped_stream(response) is None


@pytest.mark.asyncio
async def test_https_goes_through_stock_httpx() -> None:
    """TLS is not ours: respx's mock of stock httpx is reached by https, and by nothing else."""
    async with measuring_client("https://server.test") as client:
        with respx.mock(base_url="https://server.test") as router:
            router.get("/x").respond(200, text="mocked")
            response = await client.get("/x")
    assert response.text == "mocked"
    assert stamped_stream(response) is None
