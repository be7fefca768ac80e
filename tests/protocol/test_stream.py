"""Folding: bytes in, events out, whatever the shape of the reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.protocol import FoldedStream, fold_stream
from harness.records import Chunk, ServerDurations, TokenEvent
from harness.testing import done_line, stream_lines, text_line
from tests.strategies import STREAMS, cut

PLACES = st.lists(st.integers(0, 10_000), max_size=12)


def _fold(*reads: bytes) -> FoldedStream:
    return fold_stream(Chunk(index, 100 * index, data) for index, data in enumerate(reads))


def _texts(folded: FoldedStream) -> list[str]:
    return [event.text for event in folded.events]


def _content(folded: FoldedStream) -> tuple[object, ...]:
    return _texts(folded), folded.done_reason, folded.server, folded.error


def test_a_line_a_read() -> None:
    """Each piece of text has the index and the instant of its read, and the last line gives the server's figures."""
    folded = _fold(*stream_lines(["Hel", "lo"]))
    assert folded.events == (TokenEvent(0, 0, "Hel"), TokenEvent(1, 100, "lo"))
    assert folded.done_reason == "length"
    assert folded.server == ServerDurations(40, 10, 10, 20, 5, 2)
    assert folded.error is None


def test_packed_lines_share_instant_and_index() -> None:
    """Tokens that came in one read are seen as coalesced, not as a gap of zero between reads."""
    folded = _fold(text_line("a") + text_line("b"), text_line("c") + done_line())
    assert [(event.chunk, event.received_ns) for event in folded.events] == [(0, 0), (0, 0), (1, 100)]


def test_a_split_line_belongs_to_the_read_that_completed_it() -> None:
    """A token exists when its line is whole, not when its first byte comes."""
    line = text_line("ab")
    folded = _fold(line[:7], line[7:9], line[9:] + done_line())
    assert folded.events == (TokenEvent(2, 200, "ab"),)


def test_an_empty_first_text_is_no_token() -> None:
    """A first line without text must not set the time to first token."""
    folded = _fold(text_line(""), text_line("a"), done_line())
    assert folded.events == (TokenEvent(1, 100, "a"),)


def test_text_in_the_last_line_counts() -> None:
    """A server may put the last token into the line that says done."""
    assert _texts(_fold(done_line(response="z"))) == ["z"]


def test_a_last_line_without_a_newline_counts() -> None:
    """A stream may end without a newline."""
    assert _fold(done_line().rstrip()).error is None


@pytest.mark.parametrize(
    "line",
    [
        b'{"thinking": "hm"}\n',
        b'{"message": {"content": "hm"}}\n',
        b'{"message": {"role": "assistant", "thinking": "hm"}}\n',
    ],
)
def test_thinking_and_chat_messages_are_text(line: bytes) -> None:
    """Whatever the server generated took time, so it is a token."""
    assert _texts(_fold(line, done_line())) == ["hm"]


@pytest.mark.parametrize(
    ("reads", "reason"),
    [
        ((text_line("a"),), "ended without its last line"),
        ((), "ended without its last line"),
        ((text_line("a"), b'{"error": "out of memory"}'), "the server reported: out of memory"),
        ((text_line("a"), b"<html>"), "not Ollama's JSON"),
        ((text_line("a"), b'{"response": "b'), "not Ollama's JSON"),
        ((text_line("a"), b'{"response": "\xff"}\n'), "not Ollama's JSON"),
        ((text_line("a"), b"\xff\xfe\n"), "not Ollama's JSON"),
        ((text_line("a"), b'["a"]\n'), "not Ollama's JSON"),
        ((text_line("a"), b'{"response": 1}\n'), "not Ollama's JSON"),
        ((text_line("a"), b'{"x": ' + b"[" * 100_000 + b"\n"), "not Ollama's JSON"),
    ],
    ids=["no done", "nothing", "error line", "html", "cut", "utf-8 in text", "utf-8", "list", "type", "deep"],
)
def test_a_bad_stream_is_a_failed_one_that_keeps_what_came(reads: tuple[bytes, ...], reason: str) -> None:
    """A failure has its reason and no server figures; the tokens before it stay."""
    folded = _fold(*reads)
    assert folded.error is not None
    assert reason in folded.error
    assert (folded.done_reason, folded.server) == (None, None)
    assert _texts(folded) == (["a"] if reads else [])


def test_the_excerpt_of_a_bad_line_is_short() -> None:
    """A server that sends a megabyte of something else does not fill the terminal."""
    error = _fold(b"x" * 1_000_000).error
    assert error is not None
    assert len(error) < 400


def test_nothing_after_the_last_line_counts() -> None:
    """What a server sends after `done` is not part of the answer."""
    folded = _fold(done_line() + text_line("late"), b"rubbish")
    assert (_texts(folded), folded.error) == ([], None)


@given(STREAMS, PLACES)
def test_the_shape_of_the_reads_changes_nothing_but_the_stamps(data: bytes, places: list[int]) -> None:
    """Any stream cut anywhere gives the same texts, figures and error."""
    assert _content(fold_stream(cut(data, places))) == _content(fold_stream([Chunk(0, 0, data)]))


@given(st.lists(st.text(min_size=1, max_size=5), max_size=6), PLACES)
def test_stamps_are_those_of_reads_and_never_go_back(texts: list[str], places: list[int]) -> None:
    """Each token's instant is its read's, and later tokens never come from earlier reads."""
    folded = fold_stream(cut(b"".join(stream_lines(texts)), places))
    assert _texts(folded) == texts
    indices = [event.chunk for event in folded.events]
    assert indices == sorted(indices)
    assert all(event.received_ns == 10 * event.chunk for event in folded.events)


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_no_bytes_crash_the_folding(reads: list[bytes]) -> None:
    """Arbitrary bytes give a result with a reason, never an exception."""
    folded = _fold(*reads)
    assert folded.error is not None or folded.server is not None
