"""One measured request: stamps, failures, cancellation; over httpx's transport seam."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise

import httpx
import pytest

from harness.measure import measure_request, nonces
from harness.measure.requests import open_connection
from harness.protocol import generate_body
from harness.records import RequestRecord
from harness.records.errors import ServerError
from harness.testing import FakeClock, done_line, text_line
from tests.measure.servers import FakeServer, Piece, answer, within

A, B, DONE = text_line("a"), text_line("b"), done_line()
BODY = generate_body("m", "12345678 hello", {"num_ctx": 512, "seed": 3})


async def _measured(client: httpx.AsyncClient, clock: FakeClock | None = None) -> RequestRecord:
    sink: list[RequestRecord] = []
    record = await within(
        measure_request(client, name="ask", nonce="12345678", body=BODY, sink=sink, clock=clock or FakeClock(step_ns=1))
    )
    assert sink == [record]
    return record


async def _record_of(pieces: Sequence[Piece], status: int = 200) -> RequestRecord:
    async def generate(_request: httpx.Request) -> httpx.Response:
        return answer(*pieces, status=status)

    async with FakeServer(generate).client() as client:
        return await _measured(client)


@pytest.mark.asyncio
async def test_the_body_is_sent_as_it_was_given() -> None:
    """What the server reads is the body of the protocol room, as JSON."""
    seen: list[httpx.Request] = []

    async def generate(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer()

    async with FakeServer(generate).client() as client:
        await _measured(client)
    assert json.loads(seen[0].content) == BODY
    assert seen[0].headers["content-type"] == "application/json"


@pytest.mark.asyncio
async def test_stamps_are_those_of_the_reads() -> None:
    """Each token has the clock's reading when its bytes came; the request ends with its last read."""
    clock = FakeClock(now_ns=1000)

    def after(duration_ns: int) -> Piece:
        async def advance() -> None:
            clock.advance(duration_ns)

        return advance

    async def generate(_request: httpx.Request) -> httpx.Response:
        return answer(after(100), A, after(30), B + DONE, after(7))

    async with FakeServer(generate).client() as client:
        record = await _measured(client, clock)
    assert (record.asked_ns, record.token_ns, record.ended_ns) == (1000, (1100, 1130), 1130)
    assert record.sent_ns == record.asked_ns  # a mock transport does not tell when it sent


@pytest.mark.parametrize(
    ("pieces", "chunks"),
    [
        ((A, B, DONE), (0, 1)),
        ((A + B + DONE,), (0, 0)),
        ((A[:5], A[5:] + B[:3], B[3:] + DONE), (1, 2)),
        ((text_line(""), A, B, DONE), (1, 2)),
        ((A, B + DONE[:-1], b"\n"), (0, 1)),
        ((b"\n", A, b"\n", B, DONE), (1, 3)),
    ],
    ids=["a line a read", "packed", "split", "empty first text", "last byte alone", "blank lines"],
)
@pytest.mark.asyncio
async def test_the_shape_of_the_stream_changes_only_the_indices(
    pieces: Sequence[Piece], chunks: tuple[int, ...]
) -> None:
    """Packed and split lines give the same record of the same text."""
    record = await _record_of(pieces)
    assert record.error is None
    assert (record.text, record.token_chunk, record.done_reason) == ("ab", chunks, "length")
    assert record.server is not None
    assert record.server.eval_count == 2


@pytest.mark.parametrize(
    ("pieces", "status", "words"),
    [
        ((A, B), 200, "ended without its last line"),
        ((A, B, b'{"error": "out of memory"}\n'), 200, "the server reported: out of memory"),
        ((A, B, b"oops\n", DONE), 200, "not Ollama's JSON"),
        ((A, B, b'{"response": "\xff\xfe"}\n', DONE), 200, "not Ollama's JSON"),
        ((A, B, httpx.ReadError("reset by peer")), 200, "ReadError: reset by peer"),
        ((A, B, httpx.RemoteProtocolError("incomplete chunked read")), 200, "incomplete chunked read"),
        ((A, B, httpx.ReadTimeout("")), 200, "ReadTimeout"),
    ],
    ids=["no done", "error line", "bad JSON", "bad UTF-8", "reset", "cut", "timeout"],
)
@pytest.mark.asyncio
async def test_a_stream_that_fails_keeps_what_came_and_says_why(
    pieces: Sequence[Piece], status: int, words: str
) -> None:
    """A failed request is a record with a reason, never an exception and never a good one."""
    record = await _record_of(pieces, status)
    assert record.error is not None
    assert words in record.error
    assert record.text == "ab"
    assert record.server is None
    assert record.ended_ns >= record.token_ns[-1]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b'{"error":"model \'m\' not found"}', "HTTP 404, the server reported: model 'm' not found"),
        (500, b'{"error":"llama runner died"}\n', "HTTP 500, the server reported: llama runner died"),
        (503, b"busy", "HTTP 503"),
        (502, b"<html>\xff</html>", "HTTP 502"),
        (500, b"", "HTTP 500"),
        (302, b"", "HTTP 302"),
        (500, A + DONE, "HTTP 500"),
    ],
)
@pytest.mark.asyncio
async def test_an_http_error_is_a_failed_request_with_the_servers_words(status: int, body: bytes, error: str) -> None:
    """The status comes first, then Ollama's own reason if it gave one."""
    assert (await _record_of((body,), status)).error == error


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.WriteError("broken pipe")])
@pytest.mark.asyncio
async def test_a_request_that_never_got_through_is_a_record_too(failure: httpx.HTTPError) -> None:
    """Without a response there are no tokens, and the reason names what happened."""

    async def generate(_request: httpx.Request) -> httpx.Response:
        raise failure

    async with FakeServer(generate).client() as client:
        record = await _measured(client)
    assert record.error == f"{type(failure).__name__}: {failure}"
    assert (record.token_ns, record.text, record.done_reason) == ((), "", None)


@pytest.mark.asyncio
async def test_cancelled_in_mid_stream_the_partial_record_is_kept() -> None:
    """The cancellation passes through, and the tokens that had come are in the record."""
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    async def generate(_request: httpx.Request) -> httpx.Response:
        return answer(A, hang)

    sink: list[RequestRecord] = []
    async with FakeServer(generate).client() as client:
        task = asyncio.create_task(
            measure_request(client, name="ask", nonce="1", body=BODY, sink=sink, clock=FakeClock(step_ns=1))
        )
        await within(reached.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
    (record,) = sink
    assert (record.text, len(record.token_ns), record.server) == ("a", 1, None)
    assert record.error is not None
    assert "cancelled" in record.error


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ConnectTimeout("")])
@pytest.mark.asyncio
async def test_a_connection_that_cannot_be_opened_is_a_server_error(failure: httpx.HTTPError) -> None:
    """Before a block nothing of httpx's leaves this room."""
    async with FakeServer(version=failure).client() as client:
        with pytest.raises(ServerError, match=rf"server\.test:11434.* does not answer: {type(failure).__name__}"):
            await open_connection(client)


def test_nonces_have_one_length_and_never_repeat() -> None:
    """Equal length costs every arm the same; repetition would let a prompt cache answer."""
    draw = nonces()
    drawn = [draw() for _ in range(5000)]
    assert {len(nonce) for nonce in drawn} == {8}
    assert all(nonce.isdecimal() for nonce in drawn)
    assert len(set(drawn)) == len(drawn)


def test_neighbouring_nonces_share_no_long_prefix() -> None:
    """A counter's texts would share seven digits, and with them a cached prefix."""
    draw = nonces()
    drawn = [draw() for _ in range(200)]
    assert all(a[:4] != b[:4] for a, b in pairwise(drawn))
