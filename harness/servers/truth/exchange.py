"""HTTP's two halves: a request as it came out of the parser, and the bytes of an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

import msgspec

JSON = b"application/json; charset=utf-8"
TEXT = b"text/plain"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request.

    Attributes:
        method: As sent, e.g. ``GET``.
        path: Without its query.
        body: Whole.
        arrived_ns: When its last segment reached this machine, ns, monotonic.
        read_ns: When this process had read it.
        chunked: Whether its client understands chunks (HTTP/1.1).
        keep_alive: Whether the connection stays open after the answer.
    """

    method: str
    path: str
    body: bytes
    arrived_ns: int
    read_ns: int
    chunked: bool = True
    keep_alive: bool = True

    def head(self, status: int, content_type: bytes, length: int | None = None) -> bytes:
        """The head of the answer; without a length the body comes in chunks, or ends with the connection."""
        if length is not None:
            framing = b"Content-Length: %d\r\n" % length
        else:
            framing = b"Transfer-Encoding: chunked\r\n" if self.chunked else b""
        close = b"" if self.keep_alive else b"Connection: close\r\n"
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()).encode()
        start = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nDate: %s\r\n"
        return start % (status, _REASONS[status], content_type, date) + framing + close + b"\r\n"

    def chunk(self, data: bytes) -> bytes:
        """Data as one chunk, if the client understands chunks."""
        return b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data

    @property
    def last_chunk(self) -> bytes:
        """What ends a body that came in chunks."""
        return b"0\r\n\r\n" if self.chunked else b""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    body: bytes
    status: int = 200
    content_type: bytes = JSON

    def encode(self, request: Request) -> bytes:
        """Its bytes as the answer to a request."""
        start = request.head(self.status, self.content_type, len(self.body))
        return start if request.method == "HEAD" else start + self.body


def json_reply(body: object, status: int = 200) -> Reply:
    """A whole answer in JSON."""
    return Reply(msgspec.json.encode(body), status)


def plain_reply(status: int) -> Reply:
    """An error in HTTP's own words."""
    return Reply(b"%d %s" % (status, _REASONS[status].lower()), status, TEXT)


def error_reply(message: str, status: int) -> Reply:
    """An error as Ollama tells it."""
    return json_reply({"error": message}, status)
