"""Loads: what a real process tree uses, looked at once a second."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.live.loads import Loads
from harness.report.live.scene import Scene, Watched
from harness.servers.nvml import open_nvml
from tests.servers.burning import burner, wait_for
from tests.servers.children import running
from tests.servers.driver import FULL, GIB, install

S = 10**9


def _scene(*pids: int | None) -> Scene:
    return Scene("x", 0, servers=tuple(Watched(f"http://{i}", pid) for i, pid in enumerate(pids)))


def test_cores_are_told_from_the_second_look_on() -> None:
    """What its CPU time grew by over the time between; one whose process nobody knows, or has ended, has no figures."""
    with running(burner()) as process, running("pass") as ended:
        ended.wait()
        loads, scene = Loads(None), _scene(process.pid, None, ended.pid)
        first = loads.now(scene, S)
        wait_for(process, 2)
        second = loads.now(scene, 2 * S)
    assert [load.cpu_cores for load in first] == [None, None, None]
    assert first[0].memory_bytes
    cores = second[0].cpu_cores
    assert cores is not None
    assert cores > 0
    assert [load.memory_bytes for load in second[1:]] == [None, None]


def test_it_is_looked_once_a_second() -> None:
    """Frames in between show what was seen; other servers are looked at at once."""
    loads, scene = Loads(None), _scene(os.getpid())
    first = loads.now(scene, 5 * S)
    assert loads.now(scene, 6 * S - 1) is first
    assert loads.now(scene, 6 * S) is not first
    assert len(loads.now(_scene(os.getpid(), os.getpid()), 6 * S + 1)) == 2


def test_gpus_are_told_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Memory in use and of all, and how busy it is."""
    install(monkeypatch, tmp_path, [FULL])
    with open_nvml() as nvml:
        assert Loads(nvml).now(_scene(), S) == ()
        (load,) = Loads(nvml).now(replace(_scene(), gpus=True), S)
    assert (load.memory_bytes, load.of_bytes, load.busy_pct) == (20 * GIB, 80 * GIB, 93)


def test_a_server_that_ends_has_no_figures_any_more() -> None:
    """The line stays."""
    loads = Loads(None)
    with running() as process:
        scene = _scene(process.pid)
        loads.now(scene, S)
    process.wait()
    (load,) = loads.now(scene, 2 * S)
    assert (load.cpu_cores, load.memory_bytes) == (None, None)
