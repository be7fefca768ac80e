"""Two running embedded servers, and a foreign project whose tests measure scenarios and studies."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.servers.api import OllamaApi
from harness.servers.fleet import free_port, wait_ready
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry
from tests.plugin.made_up import Opener

FOREIGN_TEST = """
import pytest

def test_scenario(measured, store_timings, assert_verdict):
    store_timings(measured)
    assert_verdict(measured)

@pytest.mark.gpu
def test_scenario_on_gpu(measured, assert_verdict):
    assert_verdict(measured)

def test_study(studied):
    assert studied.arms
"""
INI = "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
BUSY = ("--instrument-limit", "foreign_cores=99", "--instrument-limit", "loop_lag_ms=1e6")
QUICK = ("--runs", "2", "--num-predict", "4", "--scenario", "chimera_homo", *BUSY)
"""A session of some seconds, that lives with whatever else this machine does."""
SESSION_S = 300.0


def begin_embedded(folder: Path, name: str, port: int, *arguments: str) -> ServerProcess:
    """A light embedded server that is about to be ready."""
    serve = (sys.executable, "-m", "harness", "serve", "--port", str(port), "--shape", "light")
    spec = ProcessSpec(
        name=name,
        url=f"http://127.0.0.1:{port}",
        command=(*serve, *arguments),
        environment=dict(os.environ),
        log=folder / f"{name}.log",
    )
    return ServerProcess.start(spec, Registry(folder / "registry"))


def start_embedded(folder: Path, name: str, *arguments: str) -> ServerProcess:
    """A light embedded server on a free port, ready; with further arguments of its command."""
    process = begin_embedded(folder, name, free_port(), *arguments)
    asyncio.run(_ready(process))
    return process


def start_many(folder: Path, count: int) -> tuple[ServerProcess, ...]:
    """So many light embedded servers, ready; they start side by side."""
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(free_port())
    processes = tuple(begin_embedded(folder, f"server-{port}", port) for port in ports)
    for process in processes:
        asyncio.run(_ready(process))
    return processes


async def _ready(process: ServerProcess) -> None:
    api = OllamaApi(process.spec.url)
    await wait_ready(api, process)
    await api.close()


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two embedded servers that are somebody else's for the sessions under test."""
    one, two = pair = start_many(tmp_path_factory.mktemp("servers"), 2)
    yield one, two
    for process in pair:
        process.stop()


@pytest.fixture
def urls(running_pair: tuple[ServerProcess, ServerProcess]) -> tuple[str, ...]:
    """Options that connect to the running pair and its model."""
    one, two = running_pair
    return ("--collector-ollama-url", one.spec.url, "--insight-ollama-url", two.spec.url, "--model", "embedded")


@pytest.fixture
def foreign(pytester: pytest.Pytester) -> pytest.Pytester:
    """Somebody else's project, with the plugin found through its entry point."""
    pytester.makeini(INI)
    pytester.makepyfile(test_foreign=FOREIGN_TEST)
    return pytester


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Opens a session without servers; its journal is in ``tmp_path``."""
    with ExitStack() as stack:
        yield Opener(tmp_path, stack)


def make_foreign(folder: Path) -> None:
    """Makes the same project in any folder."""
    folder.joinpath("pytest.ini").write_text(INI, "utf-8")
    folder.joinpath("test_foreign.py").write_text(FOREIGN_TEST, "utf-8")


def run_foreign(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A whole session in a foreign project of its own, whose files several tests look at."""
    make_foreign(folder)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SESSION_S, check=False)
