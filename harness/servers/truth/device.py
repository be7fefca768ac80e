"""The virtual device: how requests slow each other. A pure simulation: it is told the instant and reads no clock.

Jobs of one phase share a *lane*. A lane has a clock of its own that runs at the lane's rate (1 when alone, 1/1.5 under
an interference of 1.5), and a job ends when its lane's clock reaches the job's mark. A change of rate so moves one
number, not a thousand jobs, and a job's next piece of work begins at the exact instant at which the last one ended:
no lateness adds up.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.servers.truth.spec import PHASES, DeviceSpec

Finished = Callable[[int], None]
"""Is told the instant, ns, at which a job's work ended."""


@dataclass(slots=True, eq=False)
class Job:
    """One request, or one load, on the device.

    Attributes:
        finished: Called when its work is done; it gives further work, enters another phase, or leaves.
        slowdown: Its own factor, for a model that has spilled.
        tok_s: What it wants of the pool in decode, tokens a second when alone.
    """

    finished: Finished
    slowdown: float = 1.0
    tok_s: float = 0.0
    lane: _Lane | None = None
    mark: float = 0.0
    ticket: int = -1


@dataclass(slots=True, eq=False)
class _Lane:
    phase: str
    rate: float = 1.0
    anchor_ns: int = 0  # when the rate last changed ...
    anchor: float = 0.0  # ... and what the lane's clock showed then
    members: int = 0
    wanted: float = 0.0  # tokens a second of all members, when alone
    heap: list[tuple[float, int, Job]] = field(default_factory=list)

    def reading(self, at_ns: int) -> float:
        """The lane's clock at an instant, ns."""
        return self.anchor + (at_ns - self.anchor_ns) * self.rate

    def change_rate(self, rate: float, at_ns: int) -> None:
        """From ``at_ns`` on the lane's clock runs at another rate."""
        if rate != self.rate:
            self.anchor, self.anchor_ns, self.rate = self.reading(at_ns), at_ns, rate

    def head_ns(self) -> float:
        """When the first of its jobs ends, ns; infinite if it has none."""
        heap = self.heap
        while heap:
            mark, ticket, job = heap[0]
            if job.ticket == ticket:
                return self.anchor_ns + (mark - self.anchor) / self.rate
            heapq.heappop(heap)
        return math.inf


class Device:
    """Everything that runs at once. Instants are ns and never go back: an earlier one counts as the latest."""

    def __init__(self, spec: DeviceSpec) -> None:
        """An idle device."""
        self.spec = spec
        self._now_ns = 0
        self._tickets = itertools.count()
        self._lanes = {phase: _Lane(phase) for phase in PHASES}
        self._order = tuple(self._lanes.values())

    def reconfigure(self, spec: DeviceSpec, at_ns: int) -> None:
        """From ``at_ns`` on another specification holds, for what runs too."""
        self.spec = spec
        self._settle(at_ns)

    def enter(self, job: Job, phase: str, work_ns: float, at_ns: int) -> None:
        """The job begins a phase with so much work, ns when alone; a phase before ends."""
        self._withdraw(job)
        lane = self._lanes[phase]
        job.lane = lane
        lane.members += 1
        lane.wanted += job.tok_s / job.slowdown
        at_ns = self._settle(at_ns)
        self._push(job, lane, lane.reading(at_ns) + work_ns * job.slowdown)

    def go_on(self, job: Job, work_ns: float) -> None:
        """The job has further work in its phase, from the instant at which its last work ended."""
        assert job.lane is not None  # noqa: S101 - only a job that has entered goes on
        self._push(job, job.lane, job.mark + work_ns * job.slowdown)

    def leave(self, job: Job, at_ns: int) -> None:
        """The job is over, or given up. One that is not there is no matter."""
        self._withdraw(job)
        self._settle(at_ns)

    def next_ns(self) -> float:
        """The instant of the next end of some work, ns; infinite if nothing runs."""
        return min(lane.head_ns() for lane in self._order)

    def run_next(self) -> None:
        """Tells the job whose work ends next that it has ended."""
        lane = min(self._order, key=_Lane.head_ns)
        at_ns = math.ceil(lane.head_ns())
        job = heapq.heappop(lane.heap)[2]
        job.ticket = -1
        self._now_ns = max(self._now_ns, at_ns)
        job.finished(self._now_ns)

    def slowdown(self, phase: str) -> float:
        """By which factor work of a phase now takes longer than alone, a job's own factor apart."""
        return 1 / self._lanes[phase].rate

    def _push(self, job: Job, lane: _Lane, mark: float) -> None:
        job.mark, job.ticket = mark, next(self._tickets)
        heapq.heappush(lane.heap, (mark, job.ticket, job))

    def _withdraw(self, job: Job) -> None:
        lane = job.lane
        if lane is not None:
            lane.members -= 1
            lane.wanted -= job.tok_s / job.slowdown
            if not lane.members:
                lane.wanted = 0.0  # what rounding has left
            job.lane, job.ticket = None, -1

    def _settle(self, at_ns: int) -> int:
        """Sets the rates that hold from an instant on; gives that instant, ns."""
        self._now_ns = at_ns = max(self._now_ns, at_ns)
        for lane in self._order:
            if lane.members:
                lane.change_rate(self._rate(lane), at_ns)
        return at_ns

    def _rate(self, mine: _Lane) -> float:
        row = self.spec.interference.get(mine.phase, {})
        factors = [row.get(lane.phase, 1.0) for lane in self._order if lane.members > (lane is mine)]
        rate = 1 / max(factors, default=1.0)
        pool = self.spec.pool_tok_s
        if mine.phase == "decode" and pool is not None and mine.wanted * rate > pool:
            rate = pool / mine.wanted
        return rate
