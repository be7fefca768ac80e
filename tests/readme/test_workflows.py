"""The README's example workflows are YAML of the form that a runner reads, and their commands have our options."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

import yaml

from harness.plugin.flags import OPTIONS
from tests.readme.text import fenced

OF_OTHERS = {"--junitxml", "--benchmark-json", "-m"}
"""Options of pytest and pytest-benchmark."""


def _workflows() -> list[Any]:
    return [yaml.safe_load(block.text) for block in fenced("yaml")]


def _steps() -> Iterator[dict[str, Any]]:
    for workflow in _workflows():
        for job in workflow["jobs"].values():
            yield from job["steps"]


def test_there_is_one_for_a_gpu_and_one_without() -> None:
    """Each with jobs whose steps run something, or use an action; YAML 1.1 reads a bare ``on`` as true."""
    gpu, plain = _workflows()
    assert gpu["jobs"]["gpu"]["runs-on"] == ["self-hosted", "gpu"]
    assert plain["jobs"]["embedded"]["runs-on"] == "ubuntu-latest"
    for workflow in (gpu, plain):
        assert workflow.get("on", workflow.get(True))
    assert all(("run" in step) != ("uses" in step) for step in _steps())


def test_their_sessions_have_options_that_there_are() -> None:
    """With a value where one is needed, and none where it is a switch."""
    takes = {flag: metavar is not None for flag, metavar, _ in OPTIONS} | dict.fromkeys(OF_OTHERS, True)
    sessions = [shlex.split(step["run"]) for step in _steps() if "pytest perf" in step.get("run", "")]
    assert len(sessions) == 2
    for _program, perf, *words in sessions:
        assert perf == "perf"
        left = iter(words)
        for word in left:
            flag, equals, _ = word.partition("=")
            assert flag in takes
            if takes[flag] and not equals:
                assert not next(left).startswith("--")


def test_what_one_step_writes_another_one_reads() -> None:
    """The file that is handed to an action is one that the session writes."""
    written = {
        word for step in _steps() if "run" in step for word in shlex.split(step["run"]) if word.startswith("out/")
    }
    read = {step["with"]["output-file-path"] for step in _steps() if "output-file-path" in step.get("with", {})}
    assert read
    assert read <= written
