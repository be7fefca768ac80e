"""Runs the clients side by side: round by round, in shuffled order, each in a process of its own."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from harness.servers.truth import TrueRequest, TruthConfig
from perf.fidelity.client import tool_limit_s
from perf.fidelity.drive import nonces_of
from perf.fidelity.errors import Errors, burst_span_ms, errors
from perf.fidelity.loads import Load, start_up
from perf.fidelity.observed import ClientReport, Reported

Say = Callable[[str], None]

ROOT = Path(__file__).parents[2]
_GRACE_S = 30.0
_SETTLE_S = 1.0


class Truth(Protocol):
    """What this needs of the ground-truth server."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Its ports."""
        ...

    def configure(self, config: TruthConfig) -> None:
        """Sets how it behaves."""
        ...

    def log(self) -> tuple[TrueRequest, ...]:
        """What it did."""
        ...

    def clear(self) -> None:
        """Forgets what it did."""
        ...


@dataclass(frozen=True, slots=True)
class Contestant:
    """A client to be measured.

    Attributes:
        name: Its name.
        program: Of a whole tool: where it is; empty for a library.
    """

    name: str
    program: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One client under one load in one round.

    Attributes:
        client: Its name.
        load: The load's name.
        round: From 0.
        version: Of the library or tool.
        settings: How it was used.
        errors: Against the truth; None if it failed as a whole.
        cpu_s: Client CPU, s; of a whole tool that of the whole run.
        cpu_tokens: Tokens that this CPU was spent on.
        start_up_cpu_s: Of a whole tool: CPU of a run of one request, s.
        preempted: How often the client lost its CPU meanwhile; None for a whole tool, whose processes share one.
        burst_span_ms: Time between a burst's first and last arrival at the server, ms; None for a whole tool.
        reported: A whole tool's own summary.
        failure: Why it failed as a whole.
    """

    client: str
    load: str
    round: int
    version: str = ""
    settings: str = ""
    errors: Errors | None = None
    cpu_s: float = 0.0
    cpu_tokens: int = 0
    start_up_cpu_s: float = 0.0
    preempted: int | None = None
    burst_span_ms: float | None = None
    reported: Reported | None = None
    failure: str = ""


class Bench:
    """The ground-truth server and the CPUs that the clients have."""

    def __init__(self, truth: Truth, client_cpus: Sequence[int], say: Say) -> None:
        """``say`` gets a line for the person who waits, before each cell."""
        self._truth = truth
        self._cpus = ",".join(map(str, client_cpus))
        self._say = say
        self._start_up_cpu_s: dict[str, float] = {}

    def measure(self, contestants: Sequence[Contestant], loads: Sequence[Load], rounds: int, seed: int) -> list[Cell]:
        """Every contestant under every load, ``rounds`` times; the order within a load is drawn anew each time."""
        draw = random.Random(seed)  # noqa: S311 - an order, not a secret
        cells: list[Cell] = []
        for number in range(rounds):
            for load in loads:
                for contestant in draw.sample(contestants, len(contestants)):
                    self._say(f"round {number + 1}/{rounds}, {load.name}: {contestant.name}")
                    cells.append(self._cell(contestant, load, number))
        return cells

    def _cell(self, contestant: Contestant, load: Load, number: int) -> Cell:
        try:
            start_up_cpu_s = self._start_up(contestant, load)
            report, log = self._run(contestant, load)
        except (subprocess.SubprocessError, msgspec.MsgspecError) as error:
            failure = _reason(error)
            self._say(f"{contestant.name} failed under {load.name}: {failure}")
            return Cell(contestant.name, load.name, number, failure=failure)
        nonces = nonces_of(load)
        found = errors(report.requests, log, nonces)
        everything = sum(len(true.token_ns) for true in log)
        return Cell(
            client=contestant.name,
            load=load.name,
            round=number,
            version=report.version,
            settings=report.settings,
            errors=found,
            cpu_s=report.cpu_s,
            cpu_tokens=everything if contestant.program else found.tokens,
            start_up_cpu_s=start_up_cpu_s,
            preempted=None if contestant.program else report.preempted,
            burst_span_ms=None if contestant.program else burst_span_ms(log, nonces, load.streams),
            reported=report.reported,
        )

    def _start_up(self, contestant: Contestant, load: Load) -> float:
        """CPU of a run of one request, s, measured once for each whole tool; 0 for a library."""
        if not contestant.program:
            return 0.0
        if contestant.name not in self._start_up_cpu_s:
            report, _ = self._run(contestant, start_up(load))
            self._start_up_cpu_s[contestant.name] = report.cpu_s
        return self._start_up_cpu_s[contestant.name]

    def _run(self, contestant: Contestant, load: Load) -> tuple[ClientReport, tuple[TrueRequest, ...]]:
        self._truth.configure(load.config())
        self._truth.clear()
        command = [
            *(sys.executable, "-m", "perf.fidelity.client", contestant.name, "--url", self._truth.urls[0]),
            *("--load", msgspec.json.encode(load).decode(), "--cpus", self._cpus, "--program", contestant.program),
        ]
        limit_s = tool_limit_s(load) + _GRACE_S
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=limit_s, check=True)
        report = msgspec.json.decode(ran.stdout, type=ClientReport)
        return report, self._log(load)

    def _log(self, load: Load) -> tuple[TrueRequest, ...]:
        """The server's log, as soon as it has the last request's end."""
        until = time.monotonic() + _SETTLE_S
        while len(log := self._truth.log()) < load.requests and time.monotonic() < until:
            time.sleep(0.05)
        return log


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = bytes(error.stderr).decode("utf-8", "replace").strip().splitlines()
        return "\n".join(lines[-15:])
    return f"{type(error).__name__}: {error}"
