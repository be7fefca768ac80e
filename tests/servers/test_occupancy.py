"""Who keeps this host busy: trees of real processes, their CPU time, who listens, and who is on the GPUs."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.servers import occupancy, trees
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.host import usable_cpus
from harness.servers.occupancy import (
    allowed_cpus,
    cpu_seconds,
    cpu_times,
    gpu_strangers,
    is_here,
    listener,
    local_servers,
)
from harness.servers.trees import tree
from harness.servers.truth import TruthServer
from tests.servers.burning import STEP_S, burner, parent_of, wait_for
from tests.servers.children import dead_owner, running

TICK_S = 0.01
NOBODY = 2**22 + 1  # beyond what Linux gives out
ONE_CPU = min(usable_cpus())
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def _descendants(process: subprocess.Popen[bytes]) -> set[int]:
    return {process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))}


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_a_tree_holds_the_children_of_children(threaded: bool, told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that another thread than the first started, and where the kernel does not list children."""
    if not told:
        monkeypatch.setattr(trees, "_CHILDREN_TOLD", False)
    with running(parent_of(parent_of(burner(), threaded=threaded))) as process, running() as stranger:
        wait_for(process)
        found = tree(process.pid)
        assert len(found) == 3
        assert found == _descendants(process)
        assert stranger.pid not in found


@pytest.mark.parametrize("told", [False, True])
def test_a_process_that_has_ended_is_a_tree_of_its_own(told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is found below it, and nothing is raised."""
    monkeypatch.setattr(trees, "_CHILDREN_TOLD", told)
    pid, _ = dead_owner()
    assert tree(pid) == {pid}


@pytest.mark.parametrize("system", [sys.platform, "darwin"])
def test_cpu_time_grows_by_what_is_used(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.3 s burnt are 0.3 s, to the system's step; the same on the way for other systems."""
    monkeypatch.setattr(sys, "platform", system)
    with running(burner()) as process:
        wait_for(process)
        before = cpu_seconds(process.pid)
        wait_for(process, 4)
        after = cpu_seconds(process.pid)
    assert before is not None
    assert after is not None
    assert after - before >= 3 * STEP_S - TICK_S


@pytest.mark.skipif(not hasattr(psutil.Process().cpu_times(), "children_user"), reason="not told on this system")
@pytest.mark.parametrize("system", [sys.platform, "darwin"])
def test_the_time_of_a_child_that_was_waited_for_is_its_parents(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that ends during a run takes its CPU time nowhere else."""
    monkeypatch.setattr(sys, "platform", system)
    with running(parent_of(burner().replace("600", "3"))) as process:
        wait_for(process, 4)
        seconds = cpu_seconds(process.pid)
    assert seconds is not None
    assert seconds >= 3 * STEP_S - TICK_S


@pytest.mark.parametrize("system", [sys.platform, "darwin"])
def test_the_cpu_time_of_a_process_that_is_gone_is_not_told(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, and no error."""
    monkeypatch.setattr(sys, "platform", system)
    assert cpu_seconds(dead_owner()[0]) is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing can be pinned")
@pytest.mark.parametrize("system", [sys.platform, "darwin"])
def test_a_busy_cpu_is_not_idle(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a process burns 0.3 s of a CPU, that much of it is told and not idle; the kernel samples where it was."""
    monkeypatch.setattr(sys, "platform", system)
    with running(burner(ONE_CPU)) as process:
        wait_for(process)
        before = cpu_times({ONE_CPU})
        wait_for(process, 4)
        after = cpu_times({ONE_CPU})
    assert before is not None
    assert after is not None
    told, idle = after.told_s - before.told_s, after.idle_s - before.idle_s
    assert idle >= 0
    assert told - idle > 2 * STEP_S


@pytest.mark.parametrize("system", [sys.platform, "darwin"])
def test_times_of_a_cpu_that_is_not_there_are_not_told(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of an answer is none."""
    monkeypatch.setattr(sys, "platform", system)
    assert cpu_times({ONE_CPU, 99_999}) is None


@linux_only
def test_the_cpus_of_a_process_are_those_it_may_use() -> None:
    """Of one that is gone nothing is known, and it is taken to use all of ours."""
    with running(burner(ONE_CPU)) as process:
        wait_for(process)
        assert allowed_cpus(process.pid) == {ONE_CPU}
    assert allowed_cpus(NOBODY) == usable_cpus()


@contextmanager
def _listening(host: str = "127.0.0.1") -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind((host, 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_server_is_the_process_that_listens_on_its_port(host: str, name: str) -> None:
    """On that address or on all of them."""
    with _listening(host) as port:
        assert listener(f"http://{name}:{port}") == os.getpid()
    assert listener(f"http://{name}:{port}") is None


def test_one_that_listens_on_another_address_is_somebody_else() -> None:
    """The same port of 127.0.0.2 is no server of 127.0.0.1."""
    with _listening("127.0.0.2") as port:
        assert listener(f"http://127.0.0.1:{port}") is None


def test_a_forwarder_is_not_the_server(tmp_path: Path) -> None:
    """What answers through `docker-proxy` runs elsewhere: its process is not known."""
    forwarder = tmp_path / "docker-proxy"
    forwarder.symlink_to(sys.executable)
    code = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); "
    with subprocess.Popen([forwarder, "-S", "-E", "-c", code + "time.sleep(60)"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        named = listener(url)
        process.kill()
    assert named is None


@pytest.mark.parametrize("error", [psutil.AccessDenied(1), PermissionError()])
def test_a_system_that_does_not_say_who_listens_is_no_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS tells it to root alone."""

    def denied(_kind: str) -> None:
        raise error

    monkeypatch.setattr(psutil, "net_connections", denied)
    assert listener("http://127.0.0.1:1") is None


def _address_of_an_interface() -> str:
    families = psutil.net_if_addrs().values()
    return next(each.address for addresses in families for each in addresses if each.family is socket.AF_INET)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost:1", True),
        (f"http://{_address_of_an_interface()}:1", True),
        (f"http://{platform.node().upper()}:1", True),
        ("http://0.0.0.0:1", True),
        ("http://192.0.2.1:1", False),
        ("http://ollama.example:1", False),
    ],
)
def test_a_url_of_this_machine_is_here_by_whatever_name(url: str, here: bool) -> None:
    """Its CPUs are ours to watch though the URL is not a loopback's."""
    assert is_here(url) is here


@linux_only
def test_the_servers_of_this_host_are_found_with_their_processes(truth_server: TruthServer) -> None:
    """One that was connected to by its port, one that nobody listens for by none; one elsewhere is left out."""
    urls = (truth_server.urls[0], "http://127.0.0.1:1", "http://192.0.2.1:11434")
    found = local_servers([Server(url, "connect", OllamaApi(url)) for url in urls])
    assert [(server.url, server.pid) for server in found] == [(urls[0], truth_server.pid), (urls[1], None)]
    assert [server.cpus for server in found] == [allowed_cpus(truth_server.pid), usable_cpus()]


@pytest.fixture
def nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The place of the only program on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "nvidia-smi"


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


def test_strangers_on_our_gpu_are_named_with_their_memory(nvidia_smi: Path) -> None:
    """Not ours, not those on another GPU, and none whose process id means nothing here."""
    with running() as stranger, running() as other:
        rows = [
            f"GPU-1, {os.getpid()}, 5120, /usr/bin/ollama",
            f"GPU-1, {stranger.pid}, 2048, /opt/a, b/python",
            f"GPU-1, {other.pid}, [N/A], game",
            f"GPU-2, {other.pid}, 1024, game",
            f"GPU-1, {NOBODY}, 1024, [Not Found]",
            "GPU-1, [N/A], 1024, [Insufficient Permissions]",
        ]
        lines = "\n".join(f"echo '{row}'" for row in rows)
        _program(nvidia_smi, f'case "$1" in --query-compute-apps=gpu_uuid,pid,used_memory,process_name) {lines};; esac')
        found = gpu_strangers({os.getpid()})
        assert found == (f"/opt/a, b/python (pid {stranger.pid}, 2048 MiB)", f"game (pid {other.pid})")
        assert gpu_strangers({NOBODY + 1}) == ()  # none of ours is seen: whose they are cannot be told


@pytest.mark.parametrize("script", ["exit 9", "echo nonsense", "echo", "printf '\\377'", "exec /bin/sleep 60"])
def test_a_driver_that_does_not_answer_names_nobody(
    nvidia_smi: Path, script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing, talking nonsense or hanging: a block is not lost for it."""
    monkeypatch.setattr(occupancy, "_NVIDIA_SMI_S", 0.2)
    _program(nvidia_smi, script)
    assert gpu_strangers({os.getpid()}) == ()


def test_without_a_driver_nobody_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host without `nvidia-smi`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_strangers({os.getpid()}) == ()
