"""A newcomer's machine: what the README's commands find there, and what stands in for what only their own hosts have.

The commands are run as they stand there. What cannot be had here is put in its place: an ``ollama`` on PATH that is our
embedded engine, running servers at the README's addresses, that engine's model for the models of a hub, and fewer
tokens and blocks (by ``HARNESS_...`` variables, and where a command itself says how many, by a smaller number).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.light_ollama import light_ollama
from tests.readme.text import ROOT, fenced

COMMAND_S = 300.0
QUICK = {
    "HARNESS_MODEL": "embedded",
    "HARNESS_RUNS": "1",
    "HARNESS_NUM_PREDICT": "2",
    "HARNESS_FREE_PORTS": "true",
    "HARNESS_NO_CALIBRATION": "true",
    "HARNESS_INSTRUMENT_LIMIT": "foreign_cores=99,loop_lag_ms=1e6",
    "HARNESS_CONTENTION_EFFICIENCY_PCT": "0",
    "HARNESS_CONTENTION_THROUGHPUT_PCT": "100",
}
"""A session of seconds, in which this machine's other work is nobody's contention."""
SMALLER = (
    (r"--max-runs \d+", "--max-runs 4"),
    (r"--runs \d+", "--runs 1"),
    (r"--passes \d+", "--passes 1"),
    (r"(harness watch .*)$", r"\1 --rounds 1 --interval 0.1"),
    (r"perf\.fidelity --streams [\d,]+", "perf.fidelity --streams 2 --rounds 1 --clients ours,httpx-raw --no-stalls"),
    (r"perf\.verdicts$", "perf.verdicts --sessions 2 --injected 1 --pairs 4 --embedded-sessions 1 --fewest-pairs 4"),
    (r"HARNESS_MAX_RUNS=\d+", "HARNESS_RUNS= HARNESS_MAX_RUNS=4"),  # an empty variable is not set
)


@dataclass
class Machine:
    """A folder that commands are run in.

    Attributes:
        folder: It; the journals of its sessions are in ``.perf`` there.
        urls: Running servers, at the README's ports 11434 and those after it.
        journal: The journal that its commands judge and go on with.
    """

    folder: Path
    urls: Sequence[str]
    journal: Path | None = None
    _env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Puts a stand-in for ``ollama`` on its PATH, and the scenarios' tests where ``pytest perf`` looks."""
        programs = self.folder / "bin"
        programs.mkdir()
        ollama = light_ollama(programs)
        for name in ("perf", "pyproject.toml", "conftest.py"):
            (self.folder / name).symlink_to(ROOT / name)
        for block in fenced("toml"):  # the files that its commands name
            named = re.search(r"^# (\w+\.toml)$", block.text, re.MULTILINE)
            if named:
                (self.folder / named[1]).write_text(block.text, "utf-8")
        path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HARNESS_")}
        self._env = {**inherited, **QUICK, "PATH": path, "BASE": str(ollama), "PYTHONPATH": str(ROOT)}

    def line(self, command: str) -> str:
        """The command as it is run here."""
        for number, url in enumerate(self.urls):
            command = command.replace(f"http://127.0.0.1:{11434 + number}", url)
        command = re.sub(r"/opt/\S*/ollama", str(self.folder / "bin" / "ollama"), command)
        command = re.sub(r"(--(?:base-)?model) \S+", r"\1 embedded", command)
        if self.journal is not None:
            command = re.sub(r"\.perf/journal-\S+", str(self.journal), command)
        command = re.sub(r"--port \d+", "--port 0", command)
        for pattern, replacement in SMALLER:
            command = re.sub(pattern, replacement, command)
        return command

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs it in a shell, to its end."""
        line = self.line(command)
        return subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    @contextmanager
    def start(self, command: str, *more: str) -> Iterator[subprocess.Popen[str]]:
        """Starts it in a shell that it takes the place of; on exit it is gone. ``more`` are further arguments."""
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {shlex.join((*shlex.split(self.line(command)), *more))}"],
            cwd=self.folder,
            env=self._env | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()
