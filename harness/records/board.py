"""What is seen of an agent while it works: a few integers in memory that two processes share, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SEAT_WORDS = 8
"""Unsigned 64-bit words of a seat: one cache line, so that no two agents share one."""
STATE, REQUESTS, SENT_NS, FIRST_NS, LAST_NS, PARTS = range(6)
"""Where each figure stands in a seat."""
IDLE, QUEUED, WORKING, ASKING, DONE, FAILED = range(6)
"""What ``STATE`` may be: nobody sits there; waits for the coordinator; between requests; in a request; over."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An agent at one instant. Its figures may be from two instants: nobody stops writing while they are read.

    Attributes:
        state: One of ``IDLE`` to ``FAILED``.
        requests: Requests that it has begun.
        sent_ns: When its last request was sent, ns.
        first_ns: When the first part of the answer was read, ns; 0 if none was.
        last_ns: When the last one was, ns.
        parts: Parts of the answer's body so far; a server sends one for each token, and one at the end.
    """

    state: int = IDLE
    requests: int = 0
    sent_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    parts: int = 0

    @property
    def ttft_ms(self) -> float | None:
        """Time to first token of its last request, ms; None before it."""
        return (self.first_ns - self.sent_ns) / 1e6 if self.first_ns >= self.sent_ns > 0 else None

    @property
    def tok_s(self) -> float | None:
        """Tokens a second since the first one; None before the second."""
        took_ns = self.last_ns - self.first_ns
        return (self.parts - 1) * 1e9 / took_ns if self.first_ns and self.parts > 1 and took_ns > 0 else None


def seen_at(words: Sequence[int], seat: int) -> Seen:
    """What the words of a board say of a seat."""
    at = seat * SEAT_WORDS
    return Seen(
        state=words[at + STATE],
        requests=words[at + REQUESTS],
        sent_ns=words[at + SENT_NS],
        first_ns=words[at + FIRST_NS],
        last_ns=words[at + LAST_NS],
        parts=words[at + PARTS],
    )
