"""What the figures depend on besides the code under test, read from this host."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from harness.records import ClockAnchor, Environment
from harness.records.stream import encodable

_PACKAGES = (
    "ollama-concurrency-harness",
    "httpx",
    "pytest",
    "pytest-asyncio",
    "pytest-benchmark",
    "xllamacpp",
)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _gpus() -> tuple[str, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())


def read_environment(anchor: ClockAnchor, cores: int) -> Environment:
    """Versions, host, CPU, GPUs and the command line, now."""
    return Environment(
        versions=_versions(),
        host=platform.node(),
        platform=platform.platform(),
        cpu=_cpu_name(),
        cores=cores,
        memory_bytes=psutil.virtual_memory().total,
        gpus=_gpus(),
        command_line=tuple(encodable(argument) for argument in sys.argv),
        anchor=anchor,
    )
