"""Somebody else's project in a folder of its own: ``tests/foreign``, which is what the README shows."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

FOREIGN = Path(__file__).with_name("foreign")
SESSION_S = 300.0
BUSY = ("--instrument-limit", "foreign_cores=99", "--instrument-limit", "loop_lag_ms=1e6")
QUICK = ("--server", "paced", "--runs", "4", "--num-predict", "8", "--no-calibration", "--journal", "j.jsonl", *BUSY)
"""A session of some seconds on the project's own servers, whatever else this machine does."""


def copy_foreign(folder: Path) -> Path:
    """The project, in a folder that is not there yet."""
    shutil.copytree(FOREIGN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run_there(python: Path | str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m ...`` in the project, without anything of this checkout."""
    environment = {name: text for name, text in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    command: Sequence[str] = (str(python), "-m", *arguments)
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SESSION_S, check=False
    )
