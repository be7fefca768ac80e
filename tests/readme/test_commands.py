"""Every command of the README is run, as a newcomer would, by real processes; what must come of it is said here."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.plugin.conftest import start_many
from tests.published_rows import pair_row, write_rows
from tests.readme.machine import COMMAND_S, Machine
from tests.readme.text import ROOT, commands, fenced, readme

COMMANDS = commands()
SESSIONS = [command for command in COMMANDS if "pytest perf" in command and "venv" not in command]
SHELL = [command for command in COMMANDS if command.startswith("python -m ")]
CHECKS = [command for command in COMMANDS if command.startswith(".venv/bin/") or "constraints.txt" in command]
FROM_NOTHING = [command for command in COMMANDS if "venv" in command and command not in CHECKS]
ELSEWHERE = [command for command in COMMANDS if command not in (*SESSIONS, *SHELL, *FROM_NOTHING, *CHECKS)]
SERVING = ("harness serve", "harness truth")
LONG = ("--sweep tr110",)
"""Sessions that take minutes however small each block is: they are ended by Ctrl-C after their first block."""
REFUSED = {"-m gpu": "-m gpu: the model is not in GPU memory"}
"""What a host without a GPU says to them."""
UNDECIDED = "--inconclusive=fail"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One for all commands, with four running servers."""
    processes = start_many(tmp_path_factory.mktemp("servers"), 4)
    yield Machine(tmp_path_factory.mktemp("machine"), [process.spec.url for process in processes])
    for process in processes:
        process.stop()


@pytest.fixture(scope="module")
def journal(machine: Machine) -> Path:
    """The journal of a sweep that was ended after its first block."""
    path = machine.folder / "begun.jsonl"
    _until_a_block(machine, "pytest perf --sweep tr110", "--journal", str(path), "--seed", "5")
    machine.journal = path
    return path


def _until_a_block(machine: Machine, command: str, *more: str) -> None:
    """Runs a session until its first measured block, and ends it with Ctrl-C."""
    with machine.start(command, *more) as process:
        seen = []
        for line in process.stdout or ():
            seen.append(line)
            if re.search(r"block 1/\d+", line):
                process.send_signal(signal.SIGINT)
        status = process.wait(COMMAND_S)
    assert status == pytest.ExitCode.INTERRUPTED, "".join(seen)
    assert any("journal: " in line for line in seen)


@pytest.mark.readme
@pytest.mark.parametrize("command", SESSIONS)
def test_a_session_of_the_readme_runs(machine: Machine, journal: Path, command: str) -> None:
    """It passes; one that needs a GPU is refused here with a line that says so, and a long one can be ended."""
    if any(part in command for part in LONG):
        _until_a_block(machine, command)
        return
    done = machine.run(command)
    refusal = next((said for part, said in REFUSED.items() if part in command), None)
    if refusal:
        assert (done.returncode, refusal in done.stdout + done.stderr) == (4, True), done.stdout
        return
    allowed = (0, 1) if UNDECIDED in command else (0,)
    assert done.returncode in allowed, done.stdout + done.stderr
    assert re.search(r"^journal: ", done.stdout, re.MULTILINE)


@pytest.mark.readme
@pytest.mark.parametrize("command", [command for command in SHELL if not any(name in command for name in SERVING)])
def test_a_shell_command_of_the_readme_runs(machine: Machine, journal: Path, command: str) -> None:
    """It ends as it says: 0, or 1 where it found something, as a checklist without a GPU must."""
    runs = machine.folder / "FOLDER"
    runs.mkdir(exist_ok=True)
    write_rows(runs, pair_row(dataset="TR110-x"))
    (runs / "expected_cells.csv").write_text("report,table,row,column,published\nTR110,3.x,1,speedup,2.000x\n", "utf-8")
    done = machine.run(command)
    assert done.returncode in ((0, 1) if "--gpu" in command else (0,)), done.stdout + done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.readme
@pytest.mark.parametrize("command", [command for command in SHELL if any(name in command for name in SERVING)])
def test_a_server_of_the_readme_serves(machine: Machine, command: str) -> None:
    """It says where, answers there as Ollama does, and ends with a signal."""
    with machine.start(command) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.search(r"http://[\d.]+:\d+", line):
                url = found[0]
                break
        assert httpx.get(f"{url}/api/version").is_success
        process.terminate()
        assert process.wait(COMMAND_S) == 0


def test_the_two_commands_from_nothing_are_what_ci_runs() -> None:
    """CI starts from a clean checkout: each part of these commands is one of its lines, the tests' extra among them."""
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert len(FROM_NOTHING) == 2
    for command in FROM_NOTHING:
        for part in command.replace("pip install", "pip install -q").replace("-e .", '-e ".[test]"', 1).split(" && "):
            wanted = part.replace('".[test]"[test]"', '".[test]"')
            assert re.search(rf"^{re.escape(wanted)}", ci, re.MULTILINE), wanted


def test_the_checks_for_contributors_are_what_ci_runs() -> None:
    """But for the tests of these commands themselves, which take minutes."""
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    parts = [part for command in CHECKS for part in command.split(" && ") if part.startswith(".venv/bin/")]
    left_out = [part for part in parts if part.replace("pip install", "pip install -q") not in ci and part not in ci]
    assert left_out == [".venv/bin/pytest tests -m readme"]


def test_no_command_of_the_readme_is_left_over() -> None:
    """Whoever writes a new kind of command into the README says here how it is run."""
    assert ELSEWHERE == []


def test_environments_of_tox_are_those_that_the_readme_names() -> None:
    """And each of them is there."""
    named = set(re.findall(r"`tox -e (\w+)`", readme()))
    made = set(re.findall(r"^\[testenv:(\w+)\]", (ROOT / "tox.ini").read_text("utf-8"), re.MULTILINE))
    assert named == made


def test_files_that_commands_name_are_shown() -> None:
    """A TOML file in a command stands in the README under its name."""
    named = {name for command in COMMANDS for name in re.findall(r"\b(\w+\.toml)\b", command)}
    shown = {found[1] for block in fenced("toml") if (found := re.match(r"# (\w+\.toml)\n", block.text))}
    assert named <= shown
