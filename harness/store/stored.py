"""What a journal's file holds, read back: its lines, and the sessions that went on with it, as one session.

Line 1 is ``{"type": "session", "format": 4, "session": {...}}`` with everything but the blocks; each later line is
one of

* ``{"type": "terms", "scenario": NAME, "terms": {...}}`` before a scenario's blocks: what they are to be judged by;
* ``{"type": "study", "study": NAME, "terms": {...}}`` likewise before a study's;
* ``{"type": "block", "block": {...}}``;
* ``{"type": "fault", "scenario": NAME, "fault": TEXT}``: what ended a scenario that its blocks do not tell; later
  terms or a later block of the scenario take it back;
* ``{"type": "resumed", "session": {...}}``: a session that went on with this journal; the blocks below it are its own.
  Instants of two sessions cannot be compared: each has its anchor.

A line that a crash cut short is the last one, and is left out on reading.

Format history:

1. (0.1) first.
2. (0.2) the session's calibrations, a run's loop lag, a request's stamps and read lag; all may be absent.
3. (0.3) terms and faults; a block's side, memory and strangers on the GPU, a run's host load, the session's base; all
   may be absent.
4. (0.4) studies, and sessions that went on; a run's background, memory and resources, a block's fallback; all may be
   absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.protocol import UNDECODABLE
from harness.records import Block, Session
from harness.records.errors import JournalError
from harness.scenarios import InstrumentLimits, Stopping, StudyTerms, Terms, ThresholdTable

FORMAT = 4
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Resumption:
    """A session that went on with a journal.

    Attributes:
        blocks: Blocks that stood there before it.
        session: The session; it has no blocks.
    """

    blocks: int
    session: Session


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What a journal holds.

    Attributes:
        path: The journal.
        session: The first session with the blocks of all; options and calibrations are those of all that measured.
        terms: What each scenario is judged by, in the order of measuring; {} in formats 1 and 2.
        faults: What ended a scenario, by scenario.
        cut: True if a last line was cut short, and left out.
        studies: What each study is judged by, in the order of measuring.
        resumed: Sessions that went on with it, in order.
        format: Number of its format.
    """

    path: Path
    session: Session
    terms: dict[str, Terms]
    faults: dict[str, str]
    cut: bool
    studies: dict[str, StudyTerms] = field(default_factory=dict)
    resumed: tuple[Resumption, ...] = ()
    format: int = FORMAT

    def terms_or_usual(self, table: ThresholdTable) -> dict[str, Terms]:
        """The terms of its scenarios; where the journal has none, the table's limits and one look at all blocks.

        Raises:
            JournalError: If neither a scenario nor a study was begun.
        """
        names = dict.fromkeys(block.scenario for block in self.session.blocks if block.scenario not in self.studies)
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
        if not self.terms and not usual and not self.studies:
            raise JournalError(f"{self.path} holds no block: the session ended before it measured anything")
        return self.terms | usual


def read_journal(path: Path) -> StoredSession:
    """What a journal holds, with every whole block; a last line cut short is left out.

    Raises:
        JournalError: If the file cannot be read, is no journal, is of a newer format, or is damaged in the middle.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {error.strerror}") from error
    return parse_journal(data, path)


def parse_journal(data: bytes, path: Path) -> StoredSession:
    """The same from a journal's bytes; ``path`` is for messages.

    Raises:
        JournalError: As :func:`read_journal`.
    """
    *lines, rest = data.split(b"\n")
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
    studies: dict[str, StudyTerms] = {}
    faults: dict[str, str] = {}
    resumed: list[Resumption] = []
    for number, line in enumerate(lines[1:], start=2):
        item = _decoded(line, path, number)
        if item.get("type") == "block":
            blocks.append(_converted(item.get("block"), Block, path, number))
            faults.pop(blocks[-1].scenario, None)
        elif item.get("type") == "terms":
            name = _converted(item.get("scenario"), str, path, number)
            terms[name] = _converted(item.get("terms"), Terms, path, number)
            faults.pop(name, None)
        elif item.get("type") == "study":
            name = _converted(item.get("study"), str, path, number)
            studies[name] = _converted(item.get("terms"), StudyTerms, path, number)
            faults.pop(name, None)
        elif item.get("type") == "fault":
            name = _converted(item.get("scenario"), str, path, number)
            faults[name] = _converted(item.get("fault"), str, path, number)
        elif item.get("type") == "resumed":
            resumed.append(Resumption(len(blocks), _converted(item.get("session"), Session, path, number)))
    whole = replace(_as_one(session, resumed, len(blocks)), blocks=tuple(blocks))
    return StoredSession(path, whole, terms, faults, bool(rest), studies, tuple(resumed), head["format"])


def _as_one(first: Session, resumed: Sequence[Resumption], blocks: int) -> Session:
    """The first session with the options of all, and the calibrations of those that measured.

    One that ended before it measured anything, perhaps because its instrument was unfit, says nothing of the blocks.
    """
    if not resumed:
        return first
    sessions = [first, *(each.session for each in resumed)]
    starts = [0, *(each.blocks for each in resumed)]
    ends = [*starts[1:], blocks]
    measured = [each for each, start, end in zip(sessions, starts, ends, strict=True) if end > start]
    return replace(
        first,
        options={name: roles for each in sessions for name, roles in each.options.items()},
        calibrations=tuple(found for each in measured or sessions for found in each.calibrations),
    )


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
