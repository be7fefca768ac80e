"""A server process of ours: in a session of its own, ended with all its children, its log kept."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.records.errors import ServerError
from harness.servers import launch
from harness.servers.registry import GRACE_S, TOKEN_VARIABLE, Entry, Registry, end_group, own_entry

LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A server that is to be started.

    Attributes:
        name: What people call it, for messages.
        url: Where it will answer.
        command: Program and arguments.
        environment: Its whole environment.
        log: File that takes its output.
        cpus: CPUs it may use, or None for all.
    """

    name: str
    url: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    cpus: tuple[int, ...] | None = None


def log_tail(path: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log, indented, with a heading; empty if there are none."""
    try:
        text = path.read_text("utf-8", "backslashreplace")
    except OSError:
        return ""
    tail = text.splitlines()[-lines:]
    return "\n".join(["last lines of its log:", *(f"  {line}" for line in tail)]) if tail else ""


class ServerProcess:
    """A running server of ours."""

    def __init__(self, spec: ProcessSpec, process: subprocess.Popen[bytes], entry: Entry, registry: Registry) -> None:
        """Use :meth:`start`."""
        self.spec = spec
        self._process = process
        self._entry = entry
        self._registry = registry

    @classmethod
    def start(cls, spec: ProcessSpec, registry: Registry) -> ServerProcess:
        """Starts a server in a session (and process group) of its own and registers it.

        Raises:
            ServerError: If the program cannot be run.
        """
        token = secrets.token_hex(8)
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("wb") as log:
            try:
                process = subprocess.Popen(
                    _launch_command(spec),
                    env={**spec.environment, TOKEN_VARIABLE: token},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerError(f"{spec.name} could not be started: {error}") from error
        entry = own_entry(process.pid, token)
        registry.add(entry)
        return cls(spec, process, entry, registry)

    @property
    def pid(self) -> int:
        """Process id; also the id of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, or None while it runs."""
        return self._process.poll()

    def log_tail(self) -> str:
        """Its last log lines, for a message."""
        return log_tail(self.spec.log)

    def died(self) -> ServerError:
        """The error to raise when it ended by itself."""
        return ServerError(f"{self.spec.name} ended with exit code {self.exit_code}\n{self.log_tail()}")

    def stop(self) -> None:
        """Ends its process group and nothing else: asks, waits, then kills. Safe to call twice."""
        end_group(self._entry.group, self._entry.token, GRACE_S)
        if self._process.poll() is None:  # it was only just started, and does not carry its mark yet
            self._process.kill()
        self._process.wait(GRACE_S)
        self._registry.remove(self._entry)


def _launch_command(spec: ProcessSpec) -> Sequence[str]:
    cpus = ("--cpus", ",".join(map(str, spec.cpus))) if spec.cpus else ()
    return (sys.executable, str(launch.__file__), "--parent", str(os.getpid()), *cpus, "--", *spec.command)
