"""The journal: JSON Lines, versioned, one block a line, on disk as soon as the block exists.

Line 1 is ``{"type": "session", "format": 3, "session": {...}}`` with everything but the blocks; each later line is
one of

* ``{"type": "terms", "scenario": NAME, "terms": {...}}`` before a scenario's blocks: what they are to be judged by;
* ``{"type": "block", "block": {...}}``;
* ``{"type": "fault", "scenario": NAME, "fault": TEXT}``: what ended a scenario that its blocks do not tell.

A line that a crash cut short is the last one, and is left out on reading.

Format history:

1. (0.1) first.
2. (0.2) the session's calibrations, a run's loop lag, a request's stamps and read lag; all may be absent.
3. (0.3) terms and faults; a block's side, memory and strangers on the GPU, a run's host load, the session's base; all
   may be absent.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from harness.protocol import UNDECODABLE
from harness.records import Block, Session
from harness.records.errors import JournalError
from harness.scenarios import InstrumentLimits, Stopping, Terms, ThresholdTable

FORMAT = 3
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What a journal holds.

    Attributes:
        path: The journal.
        session: The session with its blocks.
        terms: What each scenario is judged by, in the order of measuring; {} in formats 1 and 2.
        faults: What ended a scenario, by scenario.
        cut: True if a last line was cut short, and left out.
    """

    path: Path
    session: Session
    terms: dict[str, Terms]
    faults: dict[str, str]
    cut: bool

    def terms_or_usual(self, table: ThresholdTable) -> dict[str, Terms]:
        """The terms; where the journal has none, the table's limits and one look at all blocks.

        Raises:
            JournalError: If no scenario was begun.
        """
        names = dict.fromkeys(block.scenario for block in self.session.blocks)
        limits = {name: table.limits(self.session.profile, name) for name in names}
        usual = {
            name: Terms(
                limits=limits[name],
                instrument=InstrumentLimits(),
                stopping=Stopping(sum(block.scenario == name for block in self.session.blocks), fixed=True),
                gates=max(1, sum(map(len, limits.values()))),
            )
            for name in names
            if name not in self.terms
        }
        if not self.terms and not usual:
            raise JournalError(f"{self.path} holds no block: the session ended before it measured anything")
        return self.terms | usual


class Journal:
    """An open journal; use it as a context manager."""

    def __init__(self, path: Path, session: Session) -> None:
        """Creates the file and writes the session's line.

        Raises:
            JournalError: If the file exists (nothing is overwritten) or cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._file = path.open("xb")
        except FileExistsError as error:
            raise JournalError(
                f"the journal {path} exists already: name another file, nothing is overwritten"
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._write({"type": "session", "format": FORMAT, "session": replace(session, blocks=())})
        except JournalError:
            self.close()
            raise

    def append(self, block: Block) -> None:
        """Writes a block and sees it to the disk.

        Raises:
            JournalError: If it cannot be written (a full disk).
        """
        self._write({"type": "block", "block": block})

    def begin(self, scenario: str, terms: Terms) -> None:
        """Writes what a scenario is going to be judged by; a later line of the same scenario replaces it.

        Raises:
            JournalError: If it cannot be written.
        """
        self._write({"type": "terms", "scenario": scenario, "terms": terms})

    def fault(self, scenario: str, text: str) -> None:
        """Writes what ended a scenario.

        Raises:
            JournalError: If it cannot be written.
        """
        self._write({"type": "fault", "scenario": scenario, "fault": text})

    def _write(self, line: dict[str, object]) -> None:
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Closes the file."""
        with contextlib.suppress(OSError):  # what a full disk did not take was told when it was written
            self._file.close()

    def __enter__(self) -> Journal:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file."""
        self.close()


def read_journal(path: Path) -> StoredSession:
    """What a journal holds, with every whole block; a last line cut short is left out.

    Raises:
        JournalError: If the file cannot be read, is no journal, is of a newer format, or is damaged in the middle.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {error.strerror}") from error
    if not lines:
        raise JournalError(f"{path} is not a journal: it has no whole line")
    head = _decoded(lines[0], path, 1)
    if head.get("type") != "session" or not isinstance(head.get("format"), int):
        raise JournalError(f"{path} is not a journal of this program: its first line is no session")
    if head["format"] > FORMAT:
        raise JournalError(
            f"{path} is of format {head['format']}, this version reads up to {FORMAT}: read it with a newer version"
        )
    session = _converted(head.get("session"), Session, path, 1)
    blocks: list[Block] = []
    terms: dict[str, Terms] = {}
    faults: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        item = _decoded(line, path, number)
        if item.get("type") == "block":
            blocks.append(_converted(item.get("block"), Block, path, number))
        elif item.get("type") == "terms":
            name = _converted(item.get("scenario"), str, path, number)
            terms[name] = _converted(item.get("terms"), Terms, path, number)
        elif item.get("type") == "fault":
            name = _converted(item.get("scenario"), str, path, number)
            faults[name] = _converted(item.get("fault"), str, path, number)
    return StoredSession(path, replace(session, blocks=tuple(blocks)), terms, faults, cut=bool(rest))


def _unwritable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"the journal {path} cannot be written: {error.strerror or error}")


def _decoded(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        item = msgspec.json.decode(line)
    except UNDECODABLE as error:
        raise JournalError(f"{path}, line {number} is damaged: {error}") from error
    return item if isinstance(item, dict) else {}


def _converted(item: object, shape: type[_T], path: Path, number: int) -> _T:
    try:
        return msgspec.convert(item, type=shape)
    except msgspec.ValidationError as error:
        raise JournalError(f"{path}, line {number} does not hold what its format says: {error}") from error
