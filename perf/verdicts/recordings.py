"""Recorded sessions on disk: one journal each, which says itself what was dialled in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import msgspec

from harness.records import BaseSide, Block, Environment, ServerInfo, Session
from harness.records.errors import ConfigurationError, JournalError
from harness.scenarios import ChangeRules, Terms
from harness.store import Journal, read_journal
from perf.verdicts.worlds import SCENARIO, Job

METRICS = ("concurrent_wall_s", "slowdown")
GATES = 6
"""Each session is judged as one of three scenarios with two gates each."""
TERMS: Final = Terms(gates=GATES, change=ChangeRules(METRICS))
"""What is judged is what ``pytest perf`` with a base judges when nothing is set: 5 % worse, 1 % noise, 30 pairs."""
_FOLDER = "journals"
_JOB = "job"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded session.

    Attributes:
        job: What was to be recorded.
        blocks: What was, the warm-up pair too.
    """

    job: Job
    blocks: tuple[Block, ...]


def new_folder(out: Path) -> Path:
    """The folder for journals.

    Raises:
        ConfigurationError: If recordings are there already.
    """
    folder = out / _FOLDER
    if any(folder.glob("*.jsonl")):
        raise ConfigurationError(
            f"{folder} holds recordings: judge them again with --from {out}, or record to another --out"
        )
    return folder


def open_journal(
    folder: Path,
    job: Job,
    environment: Environment,
    model: str,
    base: tuple[ServerInfo, ...],
    candidate: tuple[ServerInfo, ...],
) -> Journal:
    """A new journal for a session.

    Raises:
        JournalError: If it cannot be written.
    """
    session = Session(
        environment=environment,
        servers=candidate,
        model=model,
        profile=job.world,
        seed=job.seed,
        max_concurrent=len(candidate),
        settings={_JOB: msgspec.json.encode(asdict(job)).decode()},
        base=BaseSide(base, model),
    )
    journal = Journal(folder / f"{job.name}.jsonl", session)
    journal.begin(SCENARIO, TERMS)
    return journal


def read_recordings(out: Path) -> Iterator[Recording]:
    """All recorded sessions, ordered by world, change and number.

    Raises:
        JournalError: If there are none, or one is damaged.
    """
    paths = sorted((out / _FOLDER).glob("*.jsonl"))
    if not paths:
        raise JournalError(f"{out / _FOLDER} holds no recordings: make some with `python -m perf.verdicts --out {out}`")
    for path in paths:
        stored = read_journal(path)
        try:
            job = msgspec.json.decode(stored.session.settings.get(_JOB, ""), type=Job)
        except msgspec.DecodeError as error:
            raise JournalError(f"{path} was not recorded by this benchmark: move it away") from error
        yield Recording(job, stored.session.blocks)
