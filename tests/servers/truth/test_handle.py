"""The handle of the server's process."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from harness.records.errors import ConfigurationError, ServerError
from harness.servers.host import usable_cpus
from harness.servers.registry import default_folder
from harness.servers.truth import Behaviour, Timing, TruthConfig, TruthServer
from tests.servers.truth.client import ask, wait_until


def test_a_server_is_there_when_it_has_started_and_gone_when_it_has_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its configuration, on the ports that were asked for, and remembered meanwhile in case this process dies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TruthServer.start(TruthConfig(seed=9), ports=(port, 0, 0)) as server:
        assert server.urls[0] == f"http://127.0.0.1:{port}"
        assert len(set(server.urls)) == 3
        for url in server.urls:
            assert ask(url, "/truth/config")[1]["seed"] == 9
        process = psutil.Process(server.pid)
        assert len(list(default_folder().glob("*.json"))) == 1
        assert list(tmp_path.glob("harness-truth-*"))
    assert not process.is_running()
    assert list(default_folder().glob("*.json")) == []
    assert not list(tmp_path.glob("harness-truth-*"))
    server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is set on Linux")
def test_a_pinned_server_keeps_to_its_cpus() -> None:
    """So that it and the client do not share one."""
    cpu = max(usable_cpus())
    with TruthServer.start(cpus=(cpu,)) as server:
        assert os.sched_getaffinity(server.pid) == {cpu}


def test_a_port_in_use_is_told_from_the_servers_log() -> None:
    """And nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"exit code 2\n(.*\n)*.*port {port} on 127.0.0.1 is in use"):
            TruthServer.start(ports=(port,))


def test_a_configuration_that_does_not_fit_the_ports_is_refused(truth_server: TruthServer) -> None:
    """At the start by the server's log, later at once; the one before stays."""
    bad = TruthConfig(by_port={2: Behaviour(Timing(ms=1))})
    with pytest.raises(ConfigurationError, match="by_port names port 2: write positions below 2"):
        truth_server.configure(bad)
    with pytest.raises(ServerError, match="by_port names port 2"):
        TruthServer.start(bad)


def test_a_server_that_was_killed_is_told(tmp_path: Path) -> None:
    """With its exit code, on the next call."""
    with TruthServer.start() as server:
        psutil.Process(server.pid).kill()
        wait_until(lambda: psutil.Process(server.pid).status() == psutil.STATUS_ZOMBIE, "it is dead")
        with pytest.raises(ServerError, match="the ground-truth server ended with exit code -9"):
            server.log()
