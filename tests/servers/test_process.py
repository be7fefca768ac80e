"""A server process: started apart, ended with all its children, and nothing else is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.records.errors import ServerError
from harness.servers import launch, process
from harness.servers.host import usable_cpus
from harness.servers.process import ProcessSpec, ServerProcess, log_tail
from harness.servers.registry import TOKEN_VARIABLE, Registry
from tests.servers.children import (
    FAMILY,
    IDLE,
    ORPHANING,
    STUBBORN,
    TOKEN,
    child_of,
    command,
    eventually,
    lives,
    running,
)

ROOT = Path(__file__).parents[2]
Start = Callable[..., ServerProcess]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry of this test's own."""
    return Registry(tmp_path / "servers")


@pytest.fixture
def start(tmp_path: Path, registry: Registry) -> Iterator[Start]:
    """Starts Python code as a server; all are stopped after the test."""
    started: list[ServerProcess] = []

    def begin(code: str = IDLE, cpus: tuple[int, ...] | None = None) -> ServerProcess:
        log = tmp_path / "logs" / f"{len(started)}.log"
        spec = ProcessSpec("a server", "http://127.0.0.1:1", command(code), dict(os.environ), log, cpus)
        started.append(ServerProcess.start(spec, registry))
        return started[-1]

    yield begin
    for server in started:
        server.stop()


def _entries(registry: Registry) -> int:
    return len(list(registry.folder.glob("*.json")))


def test_a_started_server_is_gone_after_stop_with_its_children(start: Start, registry: Registry) -> None:
    """Parent and child are ended, and the registry has forgotten them; stopping twice is safe."""
    server = start(FAMILY)
    child = child_of(server.spec.log)
    assert lives(server.pid)
    assert lives(child)
    assert (server.exit_code, _entries(registry)) == (None, 1)
    server.stop()
    eventually(lambda: not lives(child))
    assert not lives(server.pid)
    assert server.exit_code is not None
    assert _entries(registry) == 0
    server.stop()


def test_the_children_of_a_server_that_died_are_ended_too(start: Start) -> None:
    """A dead `ollama serve` leaves a runner that keeps its memory."""
    server = start(ORPHANING)
    child = child_of(server.spec.log)
    eventually(lambda: server.exit_code is not None)
    assert lives(child)
    server.stop()
    eventually(lambda: not lives(child))


def test_stopping_one_server_touches_no_other(start: Start) -> None:
    """Neither another server of ours nor a stranger in our own group."""
    first, second = start(), start()
    with running(own_group=False) as stranger:
        first.stop()
        assert not lives(first.pid)
        assert lives(second.pid)
        assert lives(stranger.pid)


def test_a_process_that_joined_the_group_without_the_mark_is_left_alone(start: Start) -> None:
    """Both the group and the mark must be ours."""
    without_mark = f"""
import os, subprocess, sys
env = {{k: v for k, v in os.environ.items() if k != {TOKEN_VARIABLE!r}}}
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", {IDLE!r}], env=env)
print("child", child.pid, flush=True)
child.wait()
"""
    server = start(without_mark)
    stranger = child_of(server.spec.log)
    server.stop()
    assert not lives(server.pid)
    assert lives(stranger)
    psutil.Process(stranger).kill()


def test_a_server_that_ignores_the_asking_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop always ends it."""
    monkeypatch.setattr(process, "GRACE_S", 0.2)
    server = start(STUBBORN)
    eventually(lambda: server.spec.log.read_text("utf-8") == "deaf\n")
    server.stop()
    assert not lives(server.pid)


def test_a_server_runs_in_a_session_of_its_own(start: Start) -> None:
    """Ctrl-C in the terminal reaches pytest and not the servers."""
    server = start()
    assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid
    assert os.getsid(0) != server.pid


def test_a_server_has_exactly_the_environment_it_was_given_and_the_mark(tmp_path: Path, registry: Registry) -> None:
    """Nothing of pytest's own environment leaks into it unasked."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    spec = ProcessSpec("s", "u", command(code), {"ONLY": "this"}, tmp_path / "log")
    server = ServerProcess.start(spec, registry)
    eventually(lambda: server.exit_code == 0)
    server.stop()
    seen = json.loads(spec.log.read_text("utf-8"))
    assert seen.pop(TOKEN_VARIABLE)
    assert {name for name in seen if not name.startswith(("LC_", "__"))} == {"ONLY"}


def test_the_mark_is_not_inherited_from_a_session_inside_a_session(tmp_path: Path, registry: Registry) -> None:
    """A server started by a server's child has its own mark: ending one does not end the other."""
    spec = ProcessSpec("s", "u", command(IDLE), {**os.environ, TOKEN_VARIABLE: TOKEN}, tmp_path / "log")
    process = ServerProcess.start(spec, registry)
    try:
        assert psutil.Process(process.pid).environ()[TOKEN_VARIABLE] != TOKEN
    finally:
        process.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is set on Linux")
@pytest.mark.parametrize("cpu", sorted(usable_cpus())[:2])
def test_a_pinned_server_may_use_its_cpus_only(start: Start, cpu: int) -> None:
    """The affinity holds before its first line runs, so for all its threads."""
    server = start("import os; print(sorted(os.sched_getaffinity(0)))", (cpu,))
    eventually(lambda: server.exit_code is not None)
    assert server.spec.log.read_text("utf-8") == f"[{cpu}]\n"


def test_a_server_that_died_is_told_with_its_exit_code_and_last_lines(start: Start) -> None:
    """The log's end is in the message, because its folder is about to go."""
    server = start("import sys; print('\\n'.join(map(str, range(40))), flush=True); sys.exit('no memory')")
    eventually(lambda: server.exit_code is not None)
    message = str(server.died())
    assert message.startswith("a server ended with exit code 1\nlast lines of ")
    assert message.endswith("  38\n  39\n  no memory")
    assert "\n  25\n" not in message


def test_a_program_that_does_not_exist_ends_with_the_reason_in_its_log(tmp_path: Path, registry: Registry) -> None:
    """The launcher runs, its command does not."""
    spec = ProcessSpec("s", "u", ("/no/such/program",), dict(os.environ), tmp_path / "log")
    server = ServerProcess.start(spec, registry)
    eventually(lambda: server.exit_code is not None)
    server.stop()
    assert "/no/such/program" in str(server.died()) or "No such file" in str(server.died())


def test_a_launcher_that_cannot_be_run_is_a_server_error(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is registered for a process that never was."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    spec = ProcessSpec("a server", "u", ("true",), {}, tmp_path / "log")
    with pytest.raises(ServerError, match=r"a server could not be started: .*No such file"):
        ServerProcess.start(spec, registry)
    assert _entries(registry) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal on a parent's death is Linux's")
def test_a_killed_session_takes_its_server_with_it(tmp_path: Path) -> None:
    """After kill -9 of the owner no server is left; its entry is, for the next session to tidy up."""
    owner_code = f"""
import os, sys, time
from pathlib import Path
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry
folder = Path(sys.argv[1])
spec = ProcessSpec("s", "u", {command(IDLE)!r}, dict(os.environ), folder / "log")
print(ServerProcess.start(spec, Registry(folder / "servers")).pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", owner_code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        eventually(lambda: psutil.Process(server).cmdline()[-1:] == [IDLE])  # past the launcher
        assert lives(server)
        owner.send_signal(signal.SIGKILL)
    eventually(lambda: not lives(server))
    registry = Registry(tmp_path / "servers")
    assert _entries(registry) == 1
    registry.reap()
    assert _entries(registry) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the launcher asks only on Linux")
def test_a_launcher_whose_parent_has_died_already_starts_nothing() -> None:
    """Between its start and its asking the parent may die: then nobody would end the server."""
    arguments = [sys.executable, str(launch.__file__), "--parent", "1", "--", *command("print('started')")]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert "the parent died before its server started" in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("content", "tail"),
    [
        (None, ""),
        (b"", ""),
        (b"one\ntwo\n", "last lines of its log:\n  one\n  two"),
        (b"1\n2\n3\n4\n5\n", "last lines of its log:\n  3\n  4\n  5"),
        (b"\xff bad\n", "last lines of its log:\n  \\xff bad"),
    ],
)
def test_the_end_of_a_log_is_shown_under_a_heading(tmp_path: Path, content: bytes | None, tail: str) -> None:
    """Nothing is shown of an empty or missing one."""
    log = tmp_path / "log"
    if content is not None:
        log.write_bytes(content)
    assert log_tail(log, lines=3) == tail
