"""The benchmark from its command to its files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.records.errors import HarnessError
from perf.verdicts import session
from perf.verdicts.__main__ import main
from perf.verdicts.session import Request, Result, judge_all, record
from perf.verdicts.table import title
from tests.perf_verdicts.sessions import job, recording
from tests.perf_verdicts.test_recordings import write


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder of made-up sessions."""
    for change_pct in (0, 10):
        for number in range(2):
            write(tmp_path, recording(job(change_pct=change_pct, number=number)))
    for number in range(2):
        write(tmp_path, recording(job("embedded", number=number, pairs=6)))
    return tmp_path


def test_recordings_are_judged_again_without_measuring(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same tables each time, as text and as JSON, in the folder of the recordings."""
    monkeypatch.delattr(session, "record_embedded")
    assert main(["--from", str(recorded)]) == 0
    shown = capsys.readouterr().out
    text = (recorded / "verdicts.txt").read_text("utf-8")
    assert shown.startswith(text)
    assert f"wrote verdicts.json and verdicts.txt in {recorded}" in shown
    for kind in (("quiet", 0), ("quiet", 10), ("embedded", 0), ("paced", 0)):
        assert f"\n{title(*kind)}\n" in f"\n{text}"
    found = json.loads((recorded / "verdicts.json").read_text("utf-8"))
    assert found["format"] == 1
    assert {row["judge"] for row in found["rows"]} >= {"ours, every gate", "mean:5%, 30 rounds, stored base"}
    assert main(["--from", str(recorded)]) == 0
    assert (recorded / "verdicts.txt").read_text("utf-8") == text


def test_the_table_shows_what_is_not_known_as_such(recorded: Path) -> None:
    """pytest-benchmark knows no INCONCLUSIVE and no pairs."""
    text = judge_all(recorded).text()
    cells = {line.partition("  ")[0]: line.split("  ")[1:] for line in text.splitlines()}
    assert [cell.strip() for cell in cells["mean:5%, 5 rounds, stored base"] if cell.strip()][-5:-2] == [
        "-",
        "-",
        "5.0",
    ]
    assert "pairs" in text
    assert max(map(len, text.splitlines())) <= 140


def test_tables_are_made_of_what_there_is() -> None:
    """Without paced sessions there is no dial, and without A/A sessions nothing is said of processes."""
    text = Result(1, [], [], []).text()
    assert "dialled" not in text
    assert "from session to session" not in text


@pytest.mark.parametrize("arguments", [["--from"], ["--out"]])
def test_what_cannot_be_done_is_one_line(
    arguments: list[str], recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing recorded, or something recorded already: status 1, and what to do."""
    folder = tmp_path / "empty" if arguments == ["--from"] else recorded
    nothing = ["--sessions", "0", "--injected", "0", "--embedded-sessions", "0"]
    assert main([*nothing, *arguments, str(folder)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--out" in error


def test_what_is_recorded_can_be_judged(tmp_path: Path) -> None:
    """Two lanes with servers of their own: sessions of all worlds and changes, with all their pairs valid."""
    record(Request(sessions=1, injected=1, embedded=0, pairs=1, lanes=3), tmp_path, lambda _: None)
    found = judge_all(tmp_path)
    ours = [row for row in found.rows if row.judge == "ours, every gate"]
    kinds = [("quiet", 0), ("quiet", 5), ("quiet", 10), ("shared", 0), ("shared", 5), ("shared", 10), ("paced", 0)]
    assert [(row.world, row.change_pct) for row in ours] == kinds
    assert [(row.invalid, row.most_pairs) for row in ours] == [(0, 1)] * 7


def test_a_lane_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is judged as if it were whole."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(HarnessError, match="a lane could not record its sessions"):
        record(Request(sessions=1, injected=0, embedded=0, pairs=1, lanes=1), tmp_path, lambda _: None)


@pytest.mark.parametrize("arguments", [["--sessions", "-1"], ["--pairs", "0"], ["--lanes", "x"]])
def test_numbers_that_make_no_sense_are_refused(arguments: list[str], tmp_path: Path) -> None:
    """Before anything is recorded."""
    with pytest.raises(SystemExit):
        main([*arguments, "--out", str(tmp_path / "out")])
    assert not list(tmp_path.iterdir())
