"""Folds the stamped reads of a finished stream into token events and the server's last line.

Nothing here runs while a stream is measured: bytes are collected first and folded afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec

from harness.records.errors import ProtocolError
from harness.records.stream import Chunk, ServerDurations, TokenEvent

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON of somebody else can raise: not JSON, not the shape, not UTF-8, nested without end."""

_EXCERPT = 120
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]  # Go's int; no float can hold just any number


class _Message(msgspec.Struct):
    content: str = ""
    thinking: str = ""


class _Line(msgspec.Struct):
    response: str = ""
    thinking: str = ""
    message: _Message | None = None
    done: bool = False
    done_reason: str = ""
    total_duration: _Count = 0
    load_duration: _Count = 0
    prompt_eval_duration: _Count = 0
    eval_duration: _Count = 0
    prompt_eval_count: _Count = 0
    eval_count: _Count = 0
    error: str | None = None


_NO_MESSAGE = _Message()
_DECODER = msgspec.json.Decoder(_Line)


@dataclass(frozen=True, slots=True)
class FoldedStream:
    """A stream's content.

    Attributes:
        events: Non-empty pieces of text (thinking counts as text), in order.
        done_reason: From the last line, or None if there was no last line.
        server: The server's own figures, or None if there was no last line.
        error: Why the stream is a failed one, or None; what came before the error is kept.
    """

    events: tuple[TokenEvent, ...]
    done_reason: str | None
    server: ServerDurations | None
    error: str | None


def split_lines(chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, bytes]]:
    """Yields each line with the chunk that completed it; a rest without a newline comes with the last chunk."""
    rest: list[bytes] = []
    last: Chunk | None = None
    for chunk in chunks:
        last = chunk
        if not rest and chunk.data.endswith(b"\n") and chunk.data.count(b"\n") == 1:  # nearly always
            yield chunk, chunk.data[:-1]
            continue
        *whole, tail = chunk.data.split(b"\n")
        for line in whole:
            yield chunk, b"".join([*rest, line])
            rest.clear()
        if tail:
            rest.append(tail)
    if last is not None and rest:
        yield last, b"".join(rest)


def decode_line(line: bytes) -> _Line:
    """Decodes one line of a stream.

    Raises:
        ProtocolError: If the line is not a JSON object of Ollama's shape.
    """
    try:
        return _DECODER.decode(line)
    except UNDECODABLE as error:
        excerpt = line[:_EXCERPT].decode("utf-8", "backslashreplace")
        raise ProtocolError(f"the server sent a line that is not Ollama's JSON ({error}): {excerpt!r}") from error


def fold_stream(chunks: Iterable[Chunk]) -> FoldedStream:
    """Folds the reads of one ``/api/generate`` or ``/api/chat`` stream; never raises on what a server sent."""
    events: list[TokenEvent] = []

    def failed(reason: str) -> FoldedStream:
        return FoldedStream(tuple(events), None, None, reason)

    for chunk, line in split_lines(chunks):
        if not line or line.isspace():
            continue
        try:
            item = decode_line(line)
        except ProtocolError as error:
            return failed(str(error))
        if item.error is not None:
            return failed(f"the server reported: {item.error}")
        message = item.message or _NO_MESSAGE
        text = item.thinking + item.response + message.thinking + message.content
        if text:
            events.append(TokenEvent(chunk.position, chunk.received_ns, text))
        if item.done:
            durations = ServerDurations(
                total_ns=item.total_duration,
                load_ns=item.load_duration,
                prompt_eval_ns=item.prompt_eval_duration,
                eval_ns=item.eval_duration,
                prompt_eval_count=item.prompt_eval_count,
                eval_count=item.eval_count,
            )
            return FoldedStream(tuple(events), item.done_reason or None, durations, None)
    return failed("the stream ended without its last line (`done: true`): the server died or gave up")
