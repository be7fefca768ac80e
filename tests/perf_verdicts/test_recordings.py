"""Recorded sessions on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records import ServerInfo
from harness.records.errors import ConfigurationError, JournalError
from harness.store import Journal, read_journal
from harness.testing import build_environment, build_session
from perf.verdicts.recordings import TERMS, Recording, new_folder, open_journal, read_recordings
from perf.verdicts.worlds import MODEL, SCENARIO
from tests.perf_verdicts.sessions import job, recording

SERVERS = (ServerInfo("http://one", "connect", "truth", "", 0, 0),)


def write(out: Path, found: Recording) -> None:
    """Writes a made-up session as a lane does."""
    with open_journal(out / "journals", found.job, build_environment(), MODEL, SERVERS, SERVERS) as journal:
        for block in found.blocks:
            journal.append(block)


def test_a_recording_comes_back_whole(tmp_path: Path) -> None:
    """With what was dialled in, ordered by kind and number."""
    sessions = [recording(job(number=n, pairs=4)) for n in (1, 0)] + [recording(job(change_pct=5, pairs=4))]
    for each in sessions:
        write(tmp_path, each)
    assert list(read_recordings(tmp_path)) == [sessions[1], sessions[0], sessions[2]]


def test_a_recording_is_a_session_that_anybody_can_judge_again(tmp_path: Path) -> None:
    """``python -m harness judge`` finds in its journal what it is judged by."""
    session = recording(job(pairs=4))
    write(tmp_path, session)
    assert read_journal(tmp_path / "journals" / f"{session.job.name}.jsonl").terms == {SCENARIO: TERMS}


def test_recordings_are_never_mixed_with_others(tmp_path: Path) -> None:
    """A folder that holds some takes no more; the message names both ways out."""
    assert new_folder(tmp_path) == tmp_path / "journals"
    write(tmp_path, recording(job(pairs=4)))
    with pytest.raises(ConfigurationError, match=r"judge them again with --from .*, or record to another --out"):
        new_folder(tmp_path)


def test_a_folder_without_recordings_is_an_error(tmp_path: Path) -> None:
    """It says how to make some."""
    with pytest.raises(JournalError, match=r"holds no recordings: make some with `python -m perf\.verdicts"):
        list(read_recordings(tmp_path))


def test_a_foreign_journal_is_an_error(tmp_path: Path) -> None:
    """It is never judged as if something had been dialled in."""
    Journal(tmp_path / "journals" / "x.jsonl", build_session()).close()
    with pytest.raises(JournalError, match="was not recorded by this benchmark"):
        list(read_recordings(tmp_path))
