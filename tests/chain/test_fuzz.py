"""Any bytes from a server, over a real socket: through transport, agent, block and journal to the judgement.

A few hundred streams in the ordinary suite; ``--hypothesis-profile=deep`` makes it 10,000 for each property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import assume, event, example, given, settings
from hypothesis import strategies as st

from harness.judge import invalid_reasons, judge_scenario
from harness.measure.requests import open_connection
from harness.protocol import fold_stream
from harness.records import Chunk, RequestRecord
from harness.records.errors import HarnessError, ServerError
from harness.scenarios import Limit, Terms
from harness.testing import build_block, done_line, stream_lines, text_line
from tests.chain.wire import ARMS, CLOSE, ENDS, GOOD, OPEN, Answer, Bench, block_with, open_bench, pieces, request_of
from tests.measure.servers import HEAD, http_chunk
from tests.strategies import STREAMS

MANY = settings(max_examples=max(200, settings().max_examples))
Framing = Callable[[bytes, list[int]], tuple[bytes, str]]
PLACES = st.lists(st.integers(0, 10_000), max_size=12)
FIGURES = st.builds(
    lambda figures: text_line("Hel") + text_line("lo") + done_line(**figures),
    st.dictionaries(
        st.sampled_from(["total_duration", "load_duration", "prompt_eval_duration", "eval_count", "eval_duration"]),
        st.integers(-1, 10) | st.integers(-(2**70), 2**70) | st.just(10**400),
    ),
)
"""Streams whose last line tells what no server can mean."""

TERMS = Terms((Limit("measured_speedup", 0.1),))
NEIGHBOURS = [build_block(index=index, tokens=2) for index in (1, 3, 4)]
WITHOUT = judge_scenario("pair", NEIGHBOURS, TERMS)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One client and one journal for all examples; at the end every block is still in it."""
    with open_bench(tmp_path_factory.mktemp("fuzz")) as bench:
        yield bench
        bench.assert_nothing_is_lost()


def is_good(record: RequestRecord) -> bool:
    """True if it is the answer ``GOOD``, all of it and nothing else."""
    return (record.error, record.text, len(record.token_ns), record.done_reason) == (None, "Hello", 2, "length")


def length_framed(data: bytes, _places: list[int]) -> tuple[bytes, str]:
    """With its length told."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data), OPEN


def chunked(data: bytes, places: list[int]) -> tuple[bytes, str]:
    """In HTTP chunks that know nothing of lines."""
    return HEAD + b"".join(map(http_chunk, pieces(data, places))) + http_chunk(b""), OPEN


def until_closed(data: bytes, _places: list[int]) -> tuple[bytes, str]:
    """Without a length, as long as the connection lives."""
    return b"HTTP/1.1 200 OK\r\n\r\n" + data, CLOSE


@MANY
@given(
    STREAMS | st.binary(max_size=60) | st.lists(st.text(max_size=40)).map(stream_lines).map(b"".join) | FIGURES,
    st.sampled_from([chunked, length_framed, until_closed]),
    PLACES,
    PLACES,
    st.sampled_from(ARMS),
)
def test_any_stream_cut_anywhere_gives_the_same_request(
    bench: Bench, data: bytes, framed: Framing, chunks: list[int], segments: list[int], arm: str
) -> None:
    """However the server frames it and TCP cuts it: texts, figures and error are those of the stream as a whole."""
    wire, end = framed(data, chunks)
    run = bench.ask(Answer(pieces(wire, segments), end))
    record, whole = request_of(run), fold_stream([Chunk(0, 0, data)])
    assert (record.error, record.done_reason, record.server) == (whole.error, whole.done_reason, whole.server)
    assert (record.text, len(record.token_ns)) == ("".join(e.text for e in whole.events), len(whole.events))
    assert list(record.token_chunk) == sorted(record.token_chunk)
    assert list(record.token_ns) == sorted(record.token_ns)
    assert_no_average_knows(bench, record, arm, survived=False)
    following = request_of(bench.ask())
    assert is_good(following)
    assert following.connected == (end == CLOSE)


DICTIONARY = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\0", b"\xff", b":", b"0\r\n\r\n", b"5\r\n", b"ffffffffffffffffff\r\n", b"-1\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Content-Length: 5\r\n"),
        *(b"Content-Length: 99999999999999999999\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n"),
        *(b"Set-Cookie: a=b; expires=\xff; path=/\r\n", b"Location: http://[::\r\n", b"Upgrade: x\r\n"),
        *(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 X\r\n", b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 000 X\r\n"),
        *(b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/2.0 204 \r\n", text_line("stray"), done_line(), b'{"error": "\\ud800"}\n'),
    ]
)
BASES = st.sampled_from(
    [
        b"".join(GOOD.writes),
        length_framed(b"".join(stream_lines()), [])[0],
        until_closed(b"".join(stream_lines()), [])[0],
        b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 16\r\n\r\n{"error":"busy"}',
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
        b"",
    ]
)
EDITS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 40), DICTIONARY | st.binary(max_size=8)), min_size=1, max_size=6
)


def edited(base: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """With something cut out and something put in at each place."""
    for place, gone, new in edits:
        first = place % (len(base) + 1)
        base = base[:first] + new + base[first + gone :]
    return base


COOKIE = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=\xf8\r\nContent-Length: 0\r\n\r\n"  # httpx cannot send it back
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: x: y /z\r\nContent-Length: 0\r\n\r\n"  # an InvalidURL, no HTTPError
ANSWERS = st.binary(max_size=80) | st.builds(edited, BASES, EDITS)


def assert_no_average_knows(bench: Bench, record: RequestRecord, arm: str, survived: bool) -> None:
    """A block with a failed request is INVALID, and the scenario's figures are those of the other blocks."""
    template = next(run for run in build_block(tokens=2).runs if run.arm == arm).agents[0]
    error = f"request 'only' failed: {record.error}" if record.error and not survived else None
    block = block_with(replace(template, requests=(record,), error=error), arm)
    bench.keep(block)
    reasons = invalid_reasons(block)
    event("failed" if record.error else "answered")
    if record.error:
        assert reasons == (f"A in {arm}: request 'only' failed: {record.error}",)
    summary = judge_scenario("pair", [*NEIGHBOURS[:1], block, *NEIGHBOURS[1:]], TERMS)
    if reasons:
        assert summary == replace(WITHOUT, invalid={2: reasons})
    else:
        assert [figures.index for figures in summary.blocks] == [1, 2, 3, 4]


@MANY
@given(ANSWERS, PLACES, st.sampled_from(ENDS[1:]), st.sampled_from(ARMS), st.booleans())
@example(COOKIE, [], CLOSE, ARMS[0], False)
def test_any_bytes_make_a_request_that_failed_or_one_that_was_answered(
    bench: Bench, wire: bytes, segments: list[int], end: str, arm: str, survived: bool
) -> None:
    """Nothing crashes and nothing hangs; a failure is in no average, and the next request is served as ever."""
    record = request_of(bench.ask(Answer(pieces(wire, segments), end)))
    assert record.error or b'"done":true' in wire
    assert_no_average_knows(bench, record, arm, survived)
    assert is_good(request_of(bench.ask()))


@MANY
@given(st.binary(max_size=40) | DICTIONARY | ANSWERS, st.integers(1, 1000), st.sampled_from(ENDS))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 38, OPEN)
def test_bytes_after_a_whole_answer_are_nobodys(bench: Bench, stray: bytes, early: int, end: str) -> None:
    """What follows an answer, the first of it in its last segment, is neither part of it nor of the next one."""
    assume(stray[:early].strip(b"\r\n"))  # a parser may pass over line ends
    assert is_good(request_of(bench.ask(Answer((b"".join(GOOD.writes) + stray[:early],), end, stray[early:]))))
    assert is_good(request_of(bench.ask()))


@MANY
@given(ANSWERS, PLACES)
@example(COOKIE, [])
@example(REDIRECT, [])
def test_any_bytes_to_the_questions_around_a_block_are_an_error_with_a_name(
    bench: Bench, wire: bytes, segments: list[int]
) -> None:
    """Opening a connection, and Ollama's administration over plain httpx: only errors of ours leave."""

    async def version_and_load() -> None:
        await bench.api.version()
        await bench.api.load("m", {})

    answer = Answer(pieces(wire, segments), CLOSE)
    for act, error in ((lambda: open_connection(bench.client), ServerError), (version_and_load, HarnessError)):
        with suppress(error):
            bench.run(act, answer)
    assert is_good(request_of(bench.ask()))
