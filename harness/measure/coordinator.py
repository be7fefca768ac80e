"""Agents together: ``asyncio.gather`` under a semaphore, its wait measured apart from every latency.

Agents in the background keep their servers busy until the others have ended; what they had under way is cut off then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from harness.measure.board import Onlooker, Seat
from harness.measure.clock import Clock, monotonic_ns
from harness.measure.host import HostWatch
from harness.measure.loop import LagWatch
from harness.measure.plan import AgentPlan, ArmPlan
from harness.measure.requests import measure_request
from harness.measure.sampling import ResourceWatch
from harness.protocol import generate_body
from harness.records import AgentRun, RequestRecord, Run
from harness.records.stream import encodable
from harness.scenarios import Workflow

_CANCELLED = "cancelled"


class RequestFailedError(Exception):
    """Ends a workflow whose request failed; the record holds the reason, too."""


@dataclass(slots=True)
class _Attempt:
    """An agent's run while it is under way; one that is never let in was cancelled."""

    plan: AgentPlan
    seat: Seat | None = None
    queued_ns: int = 0
    admitted_ns: int | None = None
    finished_ns: int | None = None
    requests: list[RequestRecord] = field(default_factory=list)
    error: str | None = _CANCELLED

    def record(self, now_ns: int) -> AgentRun:
        finished_ns = now_ns if self.finished_ns is None else self.finished_ns
        return AgentRun(
            role=self.plan.role,
            url=self.plan.url,
            queued_ns=self.queued_ns,
            admitted_ns=finished_ns if self.admitted_ns is None else self.admitted_ns,
            finished_ns=finished_ns,
            requests=tuple(sorted(self.requests, key=lambda request: request.asked_ns)),  # several may be under way
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Runs agents, at most as many at a time as an arm has slots.

    Attributes:
        clients: An open HTTP client by server URL.
        workflows: Workflows by key.
        nonce: Source of unique texts for the start of prompts.
        clock: The clock.
        host: Watches who else keeps the CPUs busy; None does not.
        resources: Samples what servers and GPUs use; None does not.
        onlooker: Is told what is about to be measured, and has agents' progress noted; None is not.
    """

    clients: Mapping[str, httpx.AsyncClient]
    workflows: Mapping[str, Workflow]
    nonce: Callable[[], str]
    clock: Clock = monotonic_ns
    host: HostWatch | None = None
    resources: ResourceWatch | None = None
    onlooker: Onlooker | None = None

    async def run(self, arm: ArmPlan, sink: list[Run]) -> None:
        """Runs an arm and appends the run to ``sink``, also when it is cancelled half-way."""
        slots = asyncio.Semaphore(arm.slots)
        attempts = [_Attempt(agent) for agent in arm.agents]
        behind = [_Attempt(agent) for agent in arm.background]
        if self.onlooker is not None:
            for attempt, seat in zip((*attempts, *behind), self.onlooker.arm(arm), strict=False):
                attempt.seat = seat
        span = self.host.start({agent.url for agent in (*arm.agents, *arm.background)}) if self.host else None
        used = self.resources.start_span() if self.resources and arm.sampled else None
        started_ns = self.clock()
        for attempt in (*attempts, *behind):
            attempt.queued_ns = started_ns
        watch = LagWatch()
        finished_ns, load = started_ns, None
        try:
            async with self._busy(behind):
                try:
                    with watch:
                        each_late = (self._admit(each, slots, i * arm.stagger_s) for i, each in enumerate(attempts))
                        await asyncio.gather(*each_late)
                finally:
                    finished_ns = self.clock()
                    load = span.load() if span else None
        finally:
            ran = tuple(attempt.record(finished_ns) for attempt in attempts)
            beside = tuple(attempt.record(self.clock()) for attempt in behind)
            resources = used.resources(started_ns, finished_ns) if used else None
            sink.append(Run(arm.name, started_ns, finished_ns, ran, watch.lag(), load, beside, resources=resources))

    async def settle(self, agent: AgentPlan) -> None:
        """Has a server answer one token to an agent, and waits for it: then it is warm, and done with what it had.

        What goes wrong is told by the requests that are measured.
        """
        body = generate_body(agent.model, self.nonce(), {**agent.options, "num_predict": 1})
        client = self.clients[agent.url]
        await measure_request(client, name="settle", nonce="", body=body, sink=[], clock=self.clock)

    @asynccontextmanager
    async def _busy(self, behind: list[_Attempt]) -> AsyncIterator[None]:
        """Keeps agents working in the background."""
        if not behind:
            yield
            return
        unlimited = asyncio.Semaphore(len(behind))
        tasks = [asyncio.create_task(self._admit(attempt, unlimited, 0.0)) for attempt in behind]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _admit(self, attempt: _Attempt, slots: asyncio.Semaphore, delay_s: float) -> None:
        if delay_s:
            await asyncio.sleep(delay_s)
            attempt.queued_ns = self.clock()
        async with slots:
            attempt.admitted_ns = self.clock()
            attempt.error = None
            if attempt.seat is not None:
                attempt.seat.admitted()
            try:
                await self._work(attempt)
            finally:
                attempt.finished_ns = self.clock()
                if attempt.seat is not None:
                    attempt.seat.left(failed=attempt.error is not None)

    async def _work(self, attempt: _Attempt) -> None:
        plan = attempt.plan
        client = self.clients[plan.url]
        padding = "data " * plan.padding
        under_way: list[asyncio.Task[object] | None] = []
        over = False

        async def ask(name: str, prompt: str) -> RequestRecord:
            if over:
                raise RequestFailedError(f"request {name!r} was asked after its workflow had ended")
            nonce = self.nonce()
            under_way.append(task := asyncio.current_task())
            try:
                record = await measure_request(
                    client,
                    name=name,
                    nonce=nonce,
                    body=generate_body(plan.model, f"{nonce} {padding}{prompt}", plan.options),
                    sink=attempt.requests,
                    clock=self.clock,
                    seat=attempt.seat,
                )
            finally:
                under_way.remove(task)
            if record.error:
                raise RequestFailedError(f"request {name!r} failed: {record.error}")
            return record

        try:
            await self.workflows[plan.workflow](ask)
            if under_way:
                attempt.error = f"the workflow ended before {len(under_way)} of its requests: await them"
        except asyncio.CancelledError as fault:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                attempt.error = _CANCELLED
                raise
            attempt.error = f"the workflow raised {type(fault).__name__} of its own"
        except Exception as fault:  # a user's workflow may raise anything; its block is lost, not the session
            attempt.error = _failure(fault)
        finally:  # what it left behind would disturb the next arm
            over = True
            left = [task for task in under_way if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)


def _failure(fault: Exception) -> str:
    """Why a workflow ended: its request's failure, also one of several under way in a ``TaskGroup``; or its own."""
    failed: Exception | None = fault
    while isinstance(failed, ExceptionGroup):
        found = failed.subgroup(RequestFailedError)
        failed = found.exceptions[0] if found else None
    if isinstance(failed, RequestFailedError):
        return str(failed)
    return encodable(f"the workflow raised {type(fault).__name__}: {fault}")
