"""Writes one answer: as a stream, token by token, or whole at its end."""

from __future__ import annotations

from harness.servers.truth.clock import monotonic_ns
from harness.servers.truth.connection import Connection
from harness.servers.truth.exchange import JSON, Reply, Request
from harness.servers.truth.formats import Figures, Format
from harness.servers.truth.log import Entry


def token_text(index: int) -> bytes:
    """The text of a token: no two in a stream are equal, so that a lost or doubled one is seen."""
    return b" w%d" % index


class Stream:
    """An answer that is streamed: a write for each token, in a chunk of its own. The head goes with the first."""

    def __init__(self, connection: Connection, request: Request, lines: Format, entry: Entry) -> None:
        """Nothing is written yet."""
        self.count = 0  # tokens that came so far
        self.struck = False  # whether a fault has struck in its midst
        self.shaped = False  # whether a fault shapes it from the start
        self._connection = connection
        self._request = request
        self._lines = lines
        self._entry = entry
        self._head: bytes | None = None

    def arrived(self) -> None:
        """The request has come."""
        self._head = self._request.head(200, self._lines.content_type)

    def granted(self) -> None:
        """The prefill begins."""

    def token(self, last: bool) -> int:
        """The next token is due, the ``last`` or not; gives the instant just before its send(), ns."""
        return self.write(self.chunk(self.next_line()), 1)

    def end(self, figures: Figures) -> None:
        """All tokens have come."""
        self.close(self.chunk(self._lines.end(figures)))

    def fail(self, message: str) -> None:
        """Ends with an error instead."""
        self.close(self.chunk(self._lines.error(message)))

    def close(self, data: bytes, tokens: int = 0) -> None:
        """The last write: what there is, and the end of the body."""
        self.write(data + self._request.last_chunk, tokens)
        self._connection.end()

    def next_line(self, text: bytes = b"") -> bytes:
        """The line of the next token; ``text`` is put behind its own."""
        line = self._lines.token(token_text(self.count) + text)
        self.count += 1
        return line

    def chunk(self, data: bytes) -> bytes:
        """Data as a chunk of the body."""
        return self._request.chunk(data)

    def write(self, data: bytes, tokens: int = 0) -> int:
        """One send(), with the head if it has not gone yet; gives the instant just before, ns."""
        if self._head is not None:
            data, self._head = self._head + data, None
        return self._connection.send(data, self._entry, tokens)


class Whole(Stream):
    """An answer that is not streamed: everything in one write at its end."""

    def arrived(self) -> None:
        """The head waits for the length."""

    def token(self, last: bool) -> int:
        """Kept until the end."""
        self.count += 1
        return monotonic_ns()

    def end(self, figures: Figures) -> None:
        """All tokens have come."""
        text = b"".join(map(token_text, range(self.count))).decode()
        self._reply(Reply(self._lines.whole(text, figures), content_type=JSON), self.count)

    def fail(self, message: str) -> None:
        """An error instead, with a status of its own."""
        self._reply(Reply(self._lines.error(message), 500), 0)

    def _reply(self, reply: Reply, tokens: int) -> None:
        self.write(reply.encode(self._request), tokens)
        self._connection.end()
