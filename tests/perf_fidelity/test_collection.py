"""The benchmark runs only for those who ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def collected(*arguments: str) -> str:
    """What pytest would run."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False).stdout


def test_pytest_perf_is_the_scenarios_alone() -> None:
    """``pytest perf`` does not collect the benchmark."""
    assert "test_fidelity" not in collected("perf")


@pytest.mark.parametrize("argument", ["perf/fidelity", "perf/fidelity/test_fidelity.py::test_no_token_is_lost"])
def test_the_benchmark_is_collected_by_its_path(argument: str) -> None:
    """``pytest perf/fidelity``, or a test in it, does."""
    assert "test_no_token_is_lost" in collected(argument)
