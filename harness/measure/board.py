"""The board: where the measuring process notes how far each agent has come, for another process to read.

It is shared memory. A note is a store or four, without a system call, a lock or anything kept: what came of a request
is in its record, and that is made as without a board. Where nobody looks there is no board, and no note.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import Protocol

from harness.measure.plan import ArmPlan, ScenarioPlan
from harness.records.board import (
    ASKING,
    DONE,
    FAILED,
    FIRST_NS,
    LAST_NS,
    PARTS,
    QUEUED,
    REQUESTS,
    SEAT_WORDS,
    SENT_NS,
    STATE,
    WORKING,
)

SEAT = "harness.seat"
"""Key of the :class:`Seat` in a request's extensions."""
_WORD_BYTES = 8


class Seat:
    """One agent's place on a board."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        """Takes its words."""
        self._words = words

    def queued(self) -> None:
        """An agent takes the seat, and waits to be let in."""
        for word in range(SEAT_WORDS):
            self._words[word] = 0
        self._words[STATE] = QUEUED

    def admitted(self) -> None:
        """The coordinator has let it in."""
        self._words[STATE] = WORKING

    def asks(self, now_ns: int) -> None:
        """It is about to send a request."""
        words = self._words
        words[FIRST_NS] = words[LAST_NS] = words[PARTS] = 0
        words[SENT_NS] = now_ns
        words[REQUESTS] += 1
        words[STATE] = ASKING

    def heard(self, sent_ns: int, parts: int, instant_ns: int) -> None:
        """So many parts of the answer have come by now."""
        words = self._words
        if not words[FIRST_NS]:
            words[SENT_NS] = sent_ns
            words[FIRST_NS] = instant_ns
        words[PARTS] = parts
        words[LAST_NS] = instant_ns

    def answered(self) -> None:
        """The request is over."""
        self._words[STATE] = WORKING

    def left(self, *, failed: bool) -> None:
        """The agent's work is over."""
        self._words[STATE] = FAILED if failed else DONE


class Board:
    """Seats in memory that this process shares with one it starts.

    Attributes:
        fd: Descriptor of the memory, for the other process; close it by :meth:`close`.
    """

    def __init__(self, seats: int) -> None:
        """Makes the memory, and touches it, so that no note has to wait for a page.

        Args:
            seats: How many agents are seen at most.

        Raises:
            OSError: If there is no memory to be had.
        """
        size = seats * SEAT_WORDS * _WORD_BYTES
        self.fd = _memory_file()
        try:
            os.ftruncate(self.fd, size)
            self._words = memoryview(mmap.mmap(self.fd, size)).cast("Q")
        except BaseException:
            self.close()
            raise
        for word in range(len(self._words)):
            self._words[word] = 0
        self._seats = tuple(Seat(self._words[at : at + SEAT_WORDS]) for at in range(0, len(self._words), SEAT_WORDS))

    def seats(self, agents: int) -> tuple[Seat, ...]:
        """The first seats, each free; fewer than agents if there are no more, and nobody sees the others."""
        found = self._seats[:agents]
        for seat in found:
            seat.queued()
        return found

    def close(self) -> None:
        """Closes the descriptor; the memory lives as long as a seat is used. Safe to call twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _memory_file() -> int:
    """A file in memory where there is such a thing: the kernel never writes it back, which would hold up a store."""
    if sys.platform == "linux":
        return os.memfd_create("harness-board")
    file, path = tempfile.mkstemp(prefix="harness-board-")
    os.unlink(path)
    return file


class Onlooker(Protocol):
    """Is told what is about to be measured; always outside of what is timed."""

    def block(self, plan: ScenarioPlan, index: int) -> None:
        """A block is about to be measured."""

    def preparing(self, arm: ArmPlan) -> None:
        """An arm is the next one; models may have to be loaded for it."""

    def arm(self, arm: ArmPlan) -> Sequence[Seat]:
        """An arm is about to start; gives seats for its agents, those in the background last. It may give fewer."""
