"""Whole sessions in a foreign project, over real sockets against two real embedded servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.servers.process import ServerProcess
from harness.store import read_journal
from tests.light_ollama import light_servers
from tests.plugin.conftest import QUICK, start_embedded

DEADLINE_S = 60.0


def read_summary(path: Path) -> dict[str, Any]:
    """A summary file's content."""
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def test_a_session_measures_judges_and_leaves_its_files(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """Journal, summary, pytest-benchmark's file and the terminal's table all tell of the same blocks."""
    files = ("--journal", "j.jsonl", "--summary-json", "s.json", "--benchmark-json", "b.json")
    met = ("measured_efficiency_pct=-1e9", "measured_speedup=-1e9", "guide_efficiency_pct=-1e9", "contention_rate=1")
    lax = [part for limit in met for part in ("--threshold", limit)]
    result = foreign.runpytest_subprocess(*urls, *QUICK, *files, *lax, "--seed", "7")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "1 tests marked gpu are left out: ask for them*",
            "servers: connect http://*(URLs given)*",
            "plan: chimera_homo; 2 blocks*seed 7",
        ]
    )
    result.stdout.fnmatch_lines(
        ["*chimera_homo warm-up: *", "*block 2/2: *", "scenario * verdict*", "chimera_homo * PASS*"]
    )

    session = read_journal(foreign.path / "j.jsonl").session
    assert [(block.index, block.warmup) for block in session.blocks] == [(0, True), (1, False), (2, False)]
    assert session.seed == 7
    assert session.options["chimera_homo"]["Insight"]["num_ctx"] == 2048

    summary = read_summary(foreign.path / "s.json")
    scenario = summary["scenarios"]["chimera_homo"]
    assert (summary["format"], scenario["verdict"], scenario["blocks"]) == (3, "PASS", 2)

    stored = json.loads((foreign.path / "b.json").read_text("utf-8"))["benchmarks"][0]
    walls = [run.wall_ns / 1e9 for block in session.blocks[1:] for run in block.runs if run.arm == "concurrent"]
    assert stored["stats"]["data"] == pytest.approx(walls)
    assert stored["extra_info"]["measured_speedup"] == pytest.approx(scenario["measured_speedup"])


def test_a_session_says_what_its_instrument_is_off_by(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """Calibration is in the header, in the journal and in the summary; every run carries its loop's lag."""
    files = ("--journal", "j.jsonl", "--summary-json", "s.json")
    result = foreign.runpytest_subprocess(*urls, *QUICK, *files, "--runs", "1")
    result.stdout.fnmatch_lines(["*instrument: TTFT * ms (p99 *), gaps p99 * ms, loop lag p99 * ms at 2 streams (*"])
    session = read_journal(foreign.path / "j.jsonl").session
    assert session.calibrations[-1].tokens > 100
    assert session.calibrations[-1].unaccounted_tokens == 0
    assert read_summary(foreign.path / "s.json")["calibration"]["streams"] == 2
    lags = [run.loop_lag for block in session.blocks for run in block.runs]
    assert all(lag is not None and lag.samples > 0 for lag in lags)


def test_a_session_whose_instrument_is_worse_than_a_limit_is_invalid(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """Nothing is measured with it; the error names the figure, the limit and what to do."""
    result = foreign.runpytest_subprocess(*urls, *QUICK, "--instrument-limit", "ttft_ms=0", "--summary-json", "s.json")
    result.assert_outcomes(errors=1, deselected=1)
    result.stdout.fnmatch_lines(["*chimera_homo: INVALID*", "*worse than its limits: TTFT error p99 * ms (limit 0)*"])
    assert read_summary(foreign.path / "s.json")["scenarios"]["chimera_homo"]["verdict"] == "INVALID"


def test_calibration_can_be_turned_off(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """The header says that the instrument's error is not known."""
    result = foreign.runpytest_subprocess(*urls, *QUICK, "--runs", "1", "--no-calibration")
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*instrument: not calibrated (--no-calibration)"])


def test_a_breached_limit_fails_the_test_and_names_figure_limit_and_worst_block(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """FAIL is a failure whose message can be acted on."""
    result = foreign.runpytest_subprocess(*urls, *QUICK, "--runs", "4", "--threshold", "measured_speedup=1000")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        ["*FAIL: measured speedup *x (95 % t interval on logs *n = 4), limit at least 1000.00x; worst block *"]
    )


def test_inconclusive_is_said_loudly_and_red_only_when_asked(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """One block has no interval, so nothing is decided."""
    one = (*urls, *QUICK, "--runs", "1")
    passing = foreign.runpytest_subprocess(*one)
    passing.assert_outcomes(passed=1, deselected=1)
    passing.stdout.fnmatch_lines(["INCONCLUSIVE: chimera_homo: more blocks (--max-runs, --runs) may decide*"])
    foreign.runpytest_subprocess(*one, "--inconclusive", "fail").assert_outcomes(failed=1, deselected=1)


def test_servers_that_were_connected_to_live_on_without_our_model_in_memory(
    foreign: pytest.Pytester, urls: tuple[str, ...], running_pair: tuple[ServerProcess, ServerProcess]
) -> None:
    """Not stopped; and what was not loaded before is not loaded after."""
    foreign.runpytest_subprocess(*urls, *QUICK, "--runs", "1")
    for process in running_pair:
        assert process.exit_code is None
        deadline = time.monotonic() + DEADLINE_S
        while httpx.get(f"{process.spec.url}/api/ps").json()["models"]:
            assert time.monotonic() < deadline, "the model was not unloaded"


class Session:
    """A session of its own process, to be disturbed from outside."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """Starts it."""
        self.journal = folder / "disturbed.jsonl"
        self.output = folder / "disturbed.txt"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--journal", str(self.journal)], cwd=folder, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_for_blocks(self, count: int) -> None:
        """Returns when that many blocks are in the journal."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.journal.exists() or self.journal.read_bytes().count(b'"type":"block"') < count:
            assert self.process.poll() is None, self.output.read_text("utf-8")
            assert time.monotonic() < deadline, self.output.read_text("utf-8")


def children_of(pid: int) -> list[int]:
    """Process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def wait_until_gone(pids: list[int]) -> None:
    """Returns when none of the processes runs any more."""
    deadline = time.monotonic() + DEADLINE_S
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still running: {pids}"


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and relies on Linux ending children with parents")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_session_keeps_its_blocks_and_leaves_no_process(
    foreign: pytest.Pytester, number: signal.Signals
) -> None:
    """Ctrl-C and kill -9 in mid-stream."""
    session = Session(foreign.path, *light_servers(foreign.path), *QUICK[2:], "--runs", "500")
    try:
        session.wait_for_blocks(1)
        started = children_of(session.process.pid)
        session.process.send_signal(number)
        assert session.process.wait(DEADLINE_S) != 0
    finally:
        session.process.kill()
        session.process.wait(DEADLINE_S)
    assert len(started) == 3  # two servers, and the sampler of what they use
    wait_until_gone(started)
    assert read_journal(session.journal).session.blocks


def test_a_server_that_dies_makes_the_scenario_an_error_and_keeps_its_blocks(
    foreign: pytest.Pytester, tmp_path: Path
) -> None:
    """INVALID with the reason, not a failure and not a hang."""
    pair = [start_embedded(tmp_path, name) for name in ("left", "right")]
    flags = ("--collector-ollama-url", pair[0].spec.url, "--insight-ollama-url", pair[1].spec.url)
    try:
        session = Session(foreign.path, *flags, "--model", "embedded", *QUICK, "--runs", "500")
        session.wait_for_blocks(3)
        os.kill(pair[1].pid, signal.SIGKILL)
        assert session.process.wait(DEADLINE_S) == pytest.ExitCode.TESTS_FAILED
    finally:
        for process in pair:
            process.stop()
    blocks = read_journal(session.journal).session.blocks
    assert blocks[2].error is None
    assert blocks[-1].error or any(agent.error for run in blocks[-1].runs for agent in run.agents)
    assert "1 error" in session.output.read_text("utf-8")


BREAKS_ITS_REPORT = """
import pathlib, pytest

@pytest.mark.asyncio(loop_scope="session")
async def test_it(perf_session):
    report = pathlib.Path("r.html")
    report.unlink()
    report.mkdir()
"""


def test_a_file_that_cannot_be_written_at_the_end_is_an_error_that_says_so(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """It could be written when the session was opened; the other files are written all the same."""
    foreign.makepyfile(test_foreign=BREAKS_ITS_REPORT)
    files = ("--report", "r.html", "--summary-md", "s.md")
    result = foreign.runpytest_subprocess(*urls, *QUICK, "--no-calibration", *files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["r.html cannot be written: *"])
    assert foreign.path.joinpath("s.md").read_text("utf-8").startswith("## Concurrency")
