"""Runs a whole tool and counts the CPU time of all its processes, also of those it leaves behind."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_S = 5.0
_TAIL_LINES = 15


class ToolError(Exception):
    """A tool that did not do its work; the message says why."""


def run_tool(command: Sequence[str], folder: Path, *, limit_s: float) -> float:
    """Runs a command in ``folder`` to its end; returns the CPU time of its process tree, s.

    On Linux this process becomes the parent of what the tool's processes leave behind, so that nothing is lost.

    Raises:
        ToolError: If it fails, or takes longer than ``limit_s``.
    """
    _adopt_orphans(True)
    before_s = _children_cpu_s()
    log = folder / "output.txt"
    home = {"HF_HOME": str(folder / "hf")}  # what the tools' libraries would leave in the user's cache
    with log.open("wb") as output:
        tool = psutil.Popen(
            command,
            cwd=folder,
            env=os.environ | home,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            status = tool.wait(limit_s)
        except psutil.TimeoutExpired as error:
            raise ToolError(f"not over after {limit_s:.0f} s\n{_tail(log)}") from error
        finally:
            if tool.returncode is None:
                tool.kill()
                tool.wait()
            _end_children()
            _adopt_orphans(False)
    if status:
        raise ToolError(f"exit status {status}\n{_tail(log)}")
    return _children_cpu_s() - before_s


def tool_version(program: str) -> str:
    """What the program says to ``--version``, its first line."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return next(iter(answer.stdout.splitlines()), "unknown")


def _adopt_orphans(adopt: bool) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def _end_children() -> None:
    """Waits for what the tool left behind, and ends it where that takes too long."""
    children = psutil.Process().children(recursive=True)
    _, alive = psutil.wait_procs(children, timeout=_PATIENCE_S)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=_PATIENCE_S)


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tail(log: Path) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-_TAIL_LINES:])
