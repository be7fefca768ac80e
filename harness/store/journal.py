"""The journal: JSON Lines, versioned, one block a line, on disk as soon as the block exists.

Line 1 is ``{"type": "session", "format": 2, "session": {...}}`` with everything but the blocks; each later line is
``{"type": "block", "block": {...}}``. A line that a crash cut short is the last one, and is left out on reading.

Format history:

1. (0.1) first.
2. (0.2) the session's calibrations, a run's loop lag, a request's stamps and read lag; all may be absent.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from harness.protocol import UNDECODABLE
from harness.records import Block, Session
from harness.records.errors import JournalError

FORMAT = 2
_T = TypeVar("_T")


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


def read_journal(path: Path) -> Session:
    """The session of a journal, with every whole block; a last line cut short is left out.

    Raises:
        JournalError: If the file cannot be read, is no journal, is of a newer format, or is damaged in the middle.
    """
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {error.strerror}") from error
    del rest  # empty, or the line that a crash cut short
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
    blocks = []
    for number, line in enumerate(lines[1:], start=2):
        item = _decoded(line, path, number)
        if item.get("type") == "block":
            blocks.append(_converted(item.get("block"), Block, path, number))
    return replace(session, blocks=tuple(blocks))


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
