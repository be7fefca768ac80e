"""What is remembered of the host."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from harness.records import ClockAnchor
from harness.store import environment, read_environment

ANCHOR = ClockAnchor(monotonic_ns=1, unix_ns=2)


def _nvidia_smi(folder: Path, script: str) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)


def test_the_environment_of_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Versions, memory, command line and the given figures."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["pytest", "perf"])
    found = read_environment(ANCHOR, cores=3)
    assert (found.anchor, found.cores, found.command_line) == (ANCHOR, 3, ("pytest", "perf"))
    assert found.memory_bytes == psutil.virtual_memory().total
    assert found.versions["python"] == f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    assert found.versions["pytest"] == pytest.__version__
    assert found.cpu
    assert found.gpus == ()


def test_a_package_that_is_not_installed_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that cannot be known is no error."""
    monkeypatch.setattr(environment, "_PACKAGES", ("no-such-package-anywhere",))
    assert read_environment(ANCHOR, 1).versions["no-such-package-anywhere"] == "not installed"


@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        ("echo 'NVIDIA H100, 550.1, 81559 MiB'; echo; echo 'NVIDIA H200, 550.1, 143771 MiB'", 2),
        ("echo 'no driver' >&2; exit 9", 0),
        ("exit 0", 0),
    ],
)
def test_gpus_are_those_that_the_driver_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, gpus: int
) -> None:
    """One line a GPU; a driver that does not answer means none."""
    _nvidia_smi(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert len(read_environment(ANCHOR, 1).gpus) == gpus


def test_without_cpuinfo_the_machines_name_stands_for_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other systems than Linux have no /proc."""
    monkeypatch.setattr(environment, "Path", lambda _path: tmp_path / "nowhere")
    assert read_environment(ANCHOR, 1).cpu
