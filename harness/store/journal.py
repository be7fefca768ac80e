"""The journal: JSON Lines, versioned, one block a line, on disk as soon as the block exists.

What its lines are stands in :mod:`harness.store.stored`, with the format's history. While a journal is open its file is
locked: two processes that appended to it would tear each other's lines. (On a file system without locks that is left
to its users.) A lock ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import replace
from io import FileIO
from pathlib import Path
from types import TracebackType

import msgspec

from harness.records import Block, Session
from harness.records.errors import JournalError
from harness.scenarios import StudyTerms, Terms
from harness.store.resumable import require_resumable
from harness.store.stored import FORMAT, Resumption, StoredSession, parse_journal


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
            self._file = path.open("xb", buffering=0)
        except FileExistsError as error:
            raise JournalError(
                f"the journal {path} exists already: name another file, nothing is overwritten"
            ) from error
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            _lock(self._file, path)
            self._write({"type": "session", "format": FORMAT, "session": replace(session, blocks=())})
        except JournalError:
            self.close()
            raise

    @classmethod
    def resume(cls, path: Path, session: Session) -> tuple[Journal, StoredSession]:
        """Goes on with the journal of a session that was cut short: opens it for appending, and says who goes on.

        A last line that was cut is taken away; whole lines stay as they are, those of blocks that were interrupted too.
        If anything is wrong the file is left as it was.

        Args:
            path: The journal.
            session: The session that goes on.

        Returns:
            The open journal, and what it held before, ``session`` among its ``resumed``.

        Raises:
            JournalError: If the file is no journal of this format, cannot be written, or is open in another process.
            ConfigurationError: If ``session`` would measure something else; every difference is listed.
        """
        journal = cls.__new__(cls)
        journal.path = path
        try:
            journal._file = path.open("r+b", buffering=0)
        except OSError as error:
            raise JournalError(f"the journal {path} cannot be gone on with: {error.strerror}") from error
        try:
            _lock(journal._file, path)
            stored = journal._whole_lines(session)
            head = replace(session, blocks=())
            journal._write({"type": "resumed", "session": head})
        except BaseException:
            journal.close()
            raise
        return journal, replace(stored, resumed=(*stored.resumed, Resumption(len(stored.session.blocks), head)))

    def _whole_lines(self, session: Session) -> StoredSession:
        """What the file holds, after what a crash left of a line was taken away."""
        try:
            data = self._file.readall()
            stored = parse_journal(data, self.path)
            require_resumable(stored, session)
            self._file.truncate(data.rfind(b"\n") + 1)
            os.fsync(self._file.fileno())
            self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return stored

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

    def study(self, name: str, terms: StudyTerms) -> None:
        """Writes what a study is going to be judged by; a later line of the same study replaces it.

        Raises:
            JournalError: If it cannot be written.
        """
        self._write({"type": "study", "study": name, "terms": terms})

    def fault(self, scenario: str, text: str) -> None:
        """Writes what ended a scenario.

        Raises:
            JournalError: If it cannot be written.
        """
        self._write({"type": "fault", "scenario": scenario, "fault": text})

    def _write(self, line: dict[str, object]) -> None:
        """Writes a line as a whole, or takes back what the disk took of it: the next line must not run into it."""
        data = memoryview(msgspec.json.encode(line) + b"\n")
        try:
            begin, written = self._file.tell(), 0
            try:
                while written < len(data):
                    written += self._file.write(data[written:]) or 0
            finally:
                if 0 < written < len(data):
                    with contextlib.suppress(OSError):
                        self._file.truncate(begin)
                        self._file.seek(begin)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Closes the file, and with it ends the lock."""
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


def _lock(file: FileIO, path: Path) -> None:
    """Takes the file for this process.

    Raises:
        JournalError: If another one has it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise JournalError(
            f"the journal {path} is open in another session: wait until that has ended, or end it"
        ) from error
    except OSError:  # a file system without locks
        return


def _unwritable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"the journal {path} cannot be written: {error.strerror or error}")
