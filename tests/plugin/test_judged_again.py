"""A session judged again from its journal, without a server: the same to the last digit, or by other terms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.__main__ import main
from harness.store import FORMAT
from tests.plugin.conftest import QUICK

PASSED, FAILED, MISUSED, INVALID = 0, 1, 2, 3
FILES = ("--journal", "j.jsonl", "--summary-json", "s.json", "--no-calibration")
MET = ("guide_efficiency_pct=-1e9", "measured_efficiency_pct=-1e9", "measured_speedup=-1e9", "contention_rate=1")
LAX = tuple(part for limit in MET for part in ("--threshold", limit))
"""Limits that every session keeps."""


def judge(folder: Path, *arguments: str) -> int:
    """The exit status of judging the journal again."""
    return main(["judge", str(folder / "j.jsonl"), *arguments])


def judged(folder: Path, *arguments: str) -> dict[str, Any]:
    """The summary of judging the journal again."""
    judge(folder, *arguments, "--summary-json", str(folder / "again.json"))
    content: dict[str, Any] = json.loads(folder.joinpath("again.json").read_text("utf-8"))
    return content


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("--threshold", "measured_speedup=1000"), FAILED),
        (("--runs", "1", "--base-option", "num_ctx=1024", "--contention-efficiency-pct", "1"), PASSED),
        (("--instrument-limit", "loop_lag_ms=0", "--instrument-limit", "ttft_ms=0"), INVALID),
        (("--stagger", "0.05", "--prompt-words", "Insight=30", *LAX), PASSED),
    ],
    ids=["failed", "compared", "disturbed", "staggered"],
)
def test_a_stored_session_gives_its_own_summary_again_to_the_last_digit(
    foreign: pytest.Pytester, urls: tuple[str, ...], options: tuple[str, ...], status: int
) -> None:
    """Verdicts, figures, intervals, losses, ledgers and comparisons: the very same file, and a status for scripts."""
    foreign.runpytest_subprocess(*urls, *QUICK, *FILES, *options)
    again = foreign.path / "again.json"
    assert judge(foreign.path, "--summary-json", str(again)) == status
    assert again.read_bytes() == foreign.path.joinpath("s.json").read_bytes()


@pytest.fixture
def session(foreign: pytest.Pytester, urls: tuple[str, ...]) -> Path:
    """The folder of a session of two blocks."""
    foreign.runpytest_subprocess(*urls, *QUICK, *FILES)
    return foreign.path


def test_other_terms_give_other_verdicts_and_the_same_figures(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Limits that every session keeps, and one that none does."""
    met = ("guide_efficiency_pct=1", "measured_efficiency_pct=1", "measured_speedup=0.01", "contention_rate=1")
    lax = [part for limit in met for part in ("--threshold", limit)]
    kept, missed = judged(session, *lax), judged(session, "--threshold", "measured_speedup=1000")
    verdicts = [each["scenarios"]["chimera_homo"]["verdict"] for each in (kept, missed)]
    assert verdicts == ["PASS", "FAIL"]
    assert kept["scenarios"]["chimera_homo"]["loss"] == missed["scenarios"]["chimera_homo"]["loss"]
    assert judge(session, *lax) == PASSED
    shown = capsys.readouterr().out
    assert "chimera_homo: where 100 % of 2 x" in shown
    assert "FAIL: measured speedup" in shown


def test_what_is_no_judgement_is_one_line_and_touches_nothing(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bad option, a journal of a newer format, one cut in its head, and one with a NaN: nothing is overwritten."""
    journal, out = session / "j.jsonl", session / "again.json"
    out.write_text("mine", "utf-8")
    whole = journal.read_text("utf-8")
    for text, arguments, words in (
        (whole, ("--threshold", "speed=1"), "unknown metric 'speed'"),
        (
            whole.replace(f'"format":{FORMAT}', '"format":99', 1),
            (),
            f"is of format 99, this version reads up to {FORMAT}",
        ),
        (whole[:1000], (), "is not a journal: it has no whole line"),
        (whole.replace('"deadline_s":300.0', '"deadline_s":NaN', 1), (), "is damaged"),
        (whole.partition("\n")[0] + "\n", (), "holds no block"),
    ):
        journal.write_text(text, "utf-8")
        assert judge(session, *arguments, "--summary-json", str(out)) == MISUSED
        said = capsys.readouterr().err
        assert said.startswith("harness judge: ")
        assert words in said
        assert said.count("\n") == 1
    assert out.read_text("utf-8") == "mine"


def test_a_session_that_was_killed_is_judged_by_what_it_left(session: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line is cut in the middle of a block: the one before it counts, and the report says so."""
    journal = session / "j.jsonl"
    journal.write_bytes(journal.read_bytes()[:-100])
    found = judged(session)["scenarios"]["chimera_homo"]
    assert (found["blocks"], found["verdict"]) == (1, "INCONCLUSIVE")
    assert "the journal's last line was cut short" in capsys.readouterr().out
