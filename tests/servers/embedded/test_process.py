"""The embedded server as a process: it ends when told to, when its parent dies, and says why it cannot start."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers.embedded.conftest import DEADLINE_S, started, wait_until

SERVE = [sys.executable, "-m", "harness", "serve"]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of the servers' own, with a name short enough for a socket in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_middle_of_a_stream(
    cache: Path, tmp_path: Path, temporary: Path, number: signal.Signals
) -> None:
    """Status 0, a stream cut without its last chunk, nothing left in the temporary directory."""
    with started(cache, tmp_path / "log") as server, server.stream() as lines:
        next(lines)
        assert list(temporary.glob("harness-*"))
        server.process.send_signal(number)
        with pytest.raises(httpx.RemoteProtocolError):
            list(lines)
        assert server.process.wait(DEADLINE_S) == 0
        assert not list(temporary.glob("harness-*"))


def test_a_port_in_use_is_one_clear_line() -> None:
    """Status 1, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run([*SERVE, "--port", port], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        f"harness serve: port {port} on 127.0.0.1 is in use; choose another with --port, or end what listens there"
    ]


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    """Status 2, as argparse does."""
    ended = subprocess.run([*SERVE, f"--port={port}"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"{port!r} is not a port" in ended.stderr


def test_it_ends_with_its_parent(cache: Path, tmp_path: Path) -> None:
    """The parent is killed without a chance to clean up; the server follows by itself."""
    command = [*SERVE, "--port", "0", "--shape", "light", "--cache-dir", str(cache), "--with-parent"]
    log = tmp_path / "log"
    starter = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[2:], stderr=open(sys.argv[1], 'wb'))\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter, str(log), *command], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        server = psutil.Process(int(parent.stdout.readline()))
        try:
            wait_until(lambda: log.exists() and "ready on" in log.read_text(), "the server is ready")
            parent.kill()
            parent.wait(DEADLINE_S)
            wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the server ends")
        finally:
            if server.is_running():
                server.kill()


def test_what_a_killed_server_left_behind_is_removed(cache: Path, tmp_path: Path, temporary: Path) -> None:
    """A directory whose process is gone goes with the next load; one of a living process stays."""
    with started(cache, tmp_path / "log") as killed:
        killed.generate(prompt="")
        (left,) = temporary.glob("harness-engine-*")
        killed.process.kill()
        killed.process.wait(DEADLINE_S)
    with started(cache, tmp_path / "log") as first, started(cache, tmp_path / "log2") as second:
        first.generate(prompt="")
        assert not left.exists()
        second.generate(prompt="")
        assert len(list(temporary.glob("harness-engine-*"))) == 2
