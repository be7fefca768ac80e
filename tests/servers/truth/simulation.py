"""Drives the virtual device as the server does, but in simulated time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from harness.servers.truth.device import Device, Job
from harness.servers.truth.spec import PHASES, DeviceSpec


@dataclass(eq=False)
class Simulated:
    """A request: so much prefill, then tokens of so much decode work each, ns when alone."""

    prefill_ns: float = 0.0
    gaps_ns: list[float] = field(default_factory=list)
    phase: str = "prefill"
    slowdown: float = 1.0
    tok_s: float = 0.0
    ends_ns: list[int] = field(default_factory=list)
    job: Job | None = None


class Simulation:
    """A device and its own time."""

    def __init__(self, spec: DeviceSpec) -> None:
        """An idle device at instant 0."""
        self.device = Device(spec)
        self.now_ns = 0
        self.rates: list[float] = []  # tokens a second of all in decode, after each change

    def add(self, request: Simulated) -> Simulated:
        """The request begins now."""
        job = Job(lambda at_ns: self._finished(request, at_ns), request.slowdown, request.tok_s)
        request.job = job
        self.device.enter(job, request.phase, request.prefill_ns, self.now_ns)
        return request

    def drop(self, request: Simulated) -> None:
        """The request is given up now."""
        assert request.job is not None
        self.device.leave(request.job, self.now_ns)

    def run(self, until_ns: float = math.inf) -> None:
        """Goes on until nothing runs, or to an instant."""
        while self.device.next_ns() <= until_ns and math.isfinite(self.device.next_ns()):
            self.device.run_next()
        if math.isfinite(until_ns):
            self.now_ns = int(until_ns)

    def _finished(self, request: Simulated, at_ns: int) -> None:
        assert at_ns >= self.now_ns, "time went back"
        self.now_ns = at_ns
        request.ends_ns.append(at_ns)
        done = len(request.ends_ns) - 1
        assert request.job is not None
        if done == len(request.gaps_ns):
            self.device.leave(request.job, at_ns)
        elif not done:
            self.device.enter(request.job, "decode", request.gaps_ns[0], at_ns)
        else:
            self.device.go_on(request.job, request.gaps_ns[done])


def everywhere(factor: float) -> dict[str, dict[str, float]]:
    """The same interference between all phases."""
    return {mine: dict.fromkeys(PHASES, factor) for mine in PHASES}
