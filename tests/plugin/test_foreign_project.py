"""A foreign project with a scenario, an agent and a kind of server of its own: measured and judged as ours are."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.__main__ import main
from harness.servers.kinds import KINDS, OLLAMA, Launch
from harness.servers.kinds.own import with_kinds
from harness.store import read_journal
from tests.foreign_project import FOREIGN, QUICK, copy_foreign, run_there

PASSED, FAILED = 0, 1
ASKED = ("--scenario", "mine", "--scenario", "scaling:mine", "--summary-json", "s.json", "--junitxml", "junit.xml")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A session in the project, and its folder."""
    folder = copy_foreign(tmp_path_factory.mktemp("foreign") / "project")
    return run_there(sys.executable, folder, "pytest", *QUICK, *ASKED), folder


def summary(folder: Path) -> dict[str, Any]:
    """The session's summary."""
    content: dict[str, Any] = json.loads(folder.joinpath("s.json").read_text("utf-8"))
    return content


def test_its_scenario_is_measured_on_its_own_servers_and_judged_by_its_own_limits(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """By the default limits of the profile beside them; each of its tests passes once."""
    result, folder = measured
    assert result.returncode == PASSED, result.stdout + result.stderr
    names = [case.get("name") for case in ElementTree.parse(folder / "junit.xml").iter("testcase")]  # noqa: S314 - ours
    assert names == ["test_scenario[mine]", "test_mine[mine]", "test_study[scaling:mine]"]
    session = read_journal(folder / "j.jsonl").session
    assert [info.kind for info in session.servers] == ["paced", "paced"]
    assert session.settings["paced_gap_ms"] == "2"
    assert list(session.options["mine"]) == ["Writer", "Critic"]
    (gate,) = (gate for gate in summary(folder)["scenarios"]["mine"]["gates"] if gate["metric"] == "measured_speedup")
    assert gate["limit"] == 1.2


def test_its_ollama_with_another_setting_is_ollama_but_for_that() -> None:
    """What the README shows: a kind made of one that is there, to be measured beside it as its base."""
    (flash,) = runpy.run_path(str(FOREIGN / "flash.py"))["pytest_concurrency_servers"]()
    launch = Launch(11434, 2, "m", "/bin/ollama")
    assert flash.environment(launch) == {**OLLAMA.environment(launch), "OLLAMA_FLASH_ATTENTION": "1"}
    assert (flash.command(launch), flash.program, flash.port) == (OLLAMA.command(launch), "ollama", 11434)
    assert [*with_kinds(KINDS, [flash], "x")] == ["ollama", "embedded", "flash"]


def test_its_agents_did_what_its_workflow_says(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """In every arm the same requests."""
    blocks = [block for block in read_journal(measured[1] / "j.jsonl").session.blocks if block.scenario == "mine"]
    asked = {tuple(each.name for each in agent.requests) for b in blocks for run in b.runs for agent in run.agents}
    assert len(blocks) == 5
    assert asked == {("draft", "revise")}


def test_its_journal_is_judged_without_it(measured: tuple[subprocess.CompletedProcess[str], Path]) -> None:
    """Here its scenario is not known: the same file all the same, also by other limits."""
    folder = measured[1]
    journal, again = str(folder / "j.jsonl"), folder / "again.json"
    assert main(["judge", journal, "--summary-json", str(again)]) == PASSED
    assert again.read_bytes() == folder.joinpath("s.json").read_bytes()
    assert main(["judge", journal, "--threshold", "mine.measured_speedup=9"]) == FAILED


def test_a_table_of_its_repository_is_taken_for_its_journal(
    measured: tuple[subprocess.CompletedProcess[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Though it has limits of scenarios that are not in the journal; that is told."""
    folder = measured[1]
    table = folder / "limits.toml"
    table.write_text("[gpu.mine]\nmeasured_speedup = 9\n[gpu.other]\nguide_speedup = 1\n[cpu.default]\n", "utf-8")
    assert main(["judge", str(folder / "j.jsonl"), "--thresholds", str(table), "--profile", "gpu"]) == FAILED
    assert "limits of other: not in the journal" in capsys.readouterr().err


def test_a_session_of_it_is_gone_on_with_and_a_limit_that_is_missed_fails(
    measured: tuple[subprocess.CompletedProcess[str], Path],
) -> None:
    """A journal that was cut short keeps the blocks that it has, and gets the one that is missing."""
    folder = measured[1]
    lines = folder.joinpath("j.jsonl").read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if b'"scenario":"mine"' in line and b'"type":"block"' in line)
    cut = folder / "cut.jsonl"
    cut.write_bytes(b"".join(lines[:last]))
    flags = [flag for flag in QUICK if flag not in ("--journal", "j.jsonl")]
    missed = ("--threshold", "mine.measured_speedup=9", "--resume", "cut.jsonl", "-k", "test_scenario")
    result = run_there(sys.executable, folder, "pytest", *flags, *ASKED[:4], *missed)
    assert result.returncode == FAILED, result.stdout + result.stderr
    assert "mine: FAIL by measured speedup" in result.stdout
    stored = read_journal(cut)
    indices = [block.index for block in stored.session.blocks if block.scenario == "mine"]
    assert (indices, len(stored.resumed)) == ([0, 1, 2, 3, 0, 4], 1)  # it warms up again
