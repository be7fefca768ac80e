"""Stored baselines through pytest: saved, compared with, and refused where they are of another environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import QUICK
from tests.plugin.test_session import read_summary

USAGE_ERROR = 4
LAX = ("--threshold", "contention_rate=1", "--threshold", "measured_speedup=0", "--threshold", "guide_efficiency_pct=0")
STEADY = (*LAX, "--threshold", "measured_efficiency_pct=0", "--no-calibration")
STORED = Path("perf") / "baselines" / "main.json"


def baseline(folder: Path) -> dict[str, Any]:
    """The stored file."""
    content: dict[str, Any] = json.loads(folder.joinpath(STORED).read_text("utf-8"))
    return content


@pytest.fixture
def run(foreign: pytest.Pytester, urls: tuple[str, ...]) -> Any:  # noqa: ANN401 - a function of pytester's
    """Runs a quick session with these options more."""

    def session(*options: str) -> pytest.RunResult:
        return foreign.runpytest_subprocess(*urls, *QUICK, *STEADY, *options)

    return session


def test_sessions_are_saved_and_a_new_one_is_compared_with_them(foreign: pytest.Pytester, run: Any) -> None:  # noqa: ANN401
    """One file of sessions; the new one is one value against them, three ratios, and its verdict is in the summary."""
    for number in (1, 2):
        result = run("--baseline-save", "main")
        assert result.ret == 0
        result.stdout.fnmatch_lines([f"baseline main: this session is number {number} in it"])
    stored = baseline(foreign.path)
    assert len(stored["sessions"]) == 2
    assert set(stored["sessions"][0]["ratios"]["chimera_homo"]) == {
        "measured_efficiency_pct",
        "slowdown",
        "ttft_ratio",
    }
    result = run("--baseline", "main", "--summary-json", "s.json", "--worse-pct", "99")
    result.assert_outcomes(passed=1, deselected=1)
    changes = read_summary(foreign.path / "s.json")["scenarios"]["chimera_homo"]["changes"]
    assert [(each["metric"], each["against"], each["n"]) for each in changes] == [
        (metric, "baseline main", 2) for metric in ("measured_efficiency_pct", "slowdown", "ttft_ratio")
    ]
    result.stdout.fnmatch_lines(["*: slowdown against baseline main: *2 sessions)*would have been found*"])
    assert baseline(foreign.path) == stored, "comparing changed the baseline"

    # Two sessions never show much; ten that are made to look a thousand times as fast together do.
    text = json.dumps(stored["sessions"][0])
    stored["sessions"] = [{**json.loads(text), "saved_unix_ns": number} for number in range(10)]
    for number, session in enumerate(stored["sessions"]):
        for stored_ratio in session["ratios"]["chimera_homo"].values():
            stored_ratio["ratio"] *= 1 + 0.001 * number
        session["ratios"]["chimera_homo"]["slowdown"]["ratio"] /= 1000
    foreign.path.joinpath(STORED).write_text(json.dumps(stored), "utf-8")
    result = run("--baseline", "main", "--baseline-save", "main")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["*FAIL: slowdown against baseline main: * (worse; *", "*chimera_homo did not pass: no part of what*"]
    )
    assert len(baseline(foreign.path)["sessions"]) == 10


def test_a_baseline_of_another_environment_is_refused_with_the_differences(
    foreign: pytest.Pytester,
    run: Any,  # noqa: ANN401
) -> None:
    """Before anything is measured, fact by fact; and compared if every one is allowed by name."""
    for _ in range(2):
        run("--baseline-save", "main")
    other = ("--baseline", "main", "--chimera-num-ctx", "1024")
    result = run(*other)
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(
        ["*baseline 'main' is of another environment*", "*options.chimera_homo.DataCollector: stored *, now *"]
    )
    result.stdout.no_fnmatch_line("*warm-up:*")
    result = run(*other, "--baseline-allow", "options.chimera_homo.DataCollector")
    assert result.ret in (0, 1)
    result.stdout.fnmatch_lines(["*options.chimera_homo.DataCollector differs, as allowed*"])
    before = baseline(foreign.path)
    assert run("--baseline-save", "main", "--chimera-num-ctx", "1024").ret == USAGE_ERROR
    assert baseline(foreign.path) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--baseline", "nowhere"), "no baseline 'nowhere' in perf/baselines: save one with --baseline-save"),
        (("--baseline-save", "../main"), "a baseline is named by a plain word"),
        (("--baseline-save", "main", "--base-option", "num_ctx=64"), "--baseline-save is for sessions without a base"),
    ],
)
def test_a_baseline_that_cannot_be_is_found_out_before_any_server_is(
    foreign: pytest.Pytester, options: tuple[str, ...], words: str
) -> None:
    """One line, and pytest's usage error."""
    result = foreign.runpytest_subprocess(*options, "--server", "embedded")
    assert result.ret == USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{words}*"])


def test_one_block_makes_no_baseline(foreign: pytest.Pytester, run: Any) -> None:  # noqa: ANN401
    """Its ratio has no spread: the session ends with an error and nothing is written."""
    result = run("--runs", "1", "--baseline-save", "main")
    assert result.ret == USAGE_ERROR
    result.stdout.fnmatch_lines(["*a ratio of one block has no spread*"])
    assert not foreign.path.joinpath(STORED).exists()
