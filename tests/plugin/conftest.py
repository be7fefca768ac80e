"""Two running embedded servers, and a foreign project whose one test measures scenarios."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.servers.api import OllamaApi
from harness.servers.fleet import free_port, wait_ready
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry

FOREIGN_TEST = """
import pytest

def test_scenario(measured, store_timings, assert_verdict):
    store_timings(measured)
    assert_verdict(measured)

@pytest.mark.gpu
def test_scenario_on_gpu(measured, assert_verdict):
    assert_verdict(measured)
"""
BUSY = ("--instrument-limit", "foreign_cores=99", "--instrument-limit", "loop_lag_ms=1e6")
QUICK = ("--runs", "2", "--num-predict", "4", "--scenario", "chimera_homo", *BUSY)
"""A session of some seconds, that lives with whatever else this machine does."""


def start_embedded(folder: Path, name: str) -> ServerProcess:
    """A light embedded server on a free port, ready."""
    port = free_port()
    spec = ProcessSpec(
        name=name,
        url=f"http://127.0.0.1:{port}",
        command=(sys.executable, "-m", "harness", "serve", "--port", str(port), "--shape", "light"),
        environment=dict(os.environ),
        log=folder / f"{name}.log",
    )
    process = ServerProcess.start(spec, Registry(folder / "registry"))
    asyncio.run(_ready(process))
    return process


async def _ready(process: ServerProcess) -> None:
    api = OllamaApi(process.spec.url)
    await wait_ready(api, process)
    await api.close()


@pytest.fixture(scope="module")
def running_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ServerProcess]]:
    """Two embedded servers that are somebody else's for the sessions under test."""
    folder = tmp_path_factory.mktemp("servers")
    pair = (start_embedded(folder, "one"), start_embedded(folder, "two"))
    yield pair
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
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(test_foreign=FOREIGN_TEST)
    return pytester
