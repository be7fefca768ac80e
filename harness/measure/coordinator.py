"""Agents together: ``asyncio.gather`` under a semaphore, its wait measured apart from every latency."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from harness.measure.clock import Clock, monotonic_ns
from harness.measure.host import HostWatch
from harness.measure.loop import LagWatch
from harness.measure.plan import AgentPlan
from harness.measure.requests import measure_request
from harness.protocol import generate_body
from harness.records import AgentRun, RequestRecord, Run
from harness.records.stream import encodable
from harness.scenarios import Workflow


class RequestFailedError(Exception):
    """Ends a workflow whose request failed; the record holds the reason."""


@dataclass(slots=True)
class _Attempt:
    """An agent's run while it is under way."""

    plan: AgentPlan
    queued_ns: int = 0
    admitted_ns: int | None = None
    finished_ns: int | None = None
    requests: list[RequestRecord] = field(default_factory=list)
    error: str | None = None

    def record(self, now_ns: int) -> AgentRun:
        finished_ns = now_ns if self.finished_ns is None else self.finished_ns
        return AgentRun(
            role=self.plan.role,
            url=self.plan.url,
            queued_ns=self.queued_ns,
            admitted_ns=finished_ns if self.admitted_ns is None else self.admitted_ns,
            finished_ns=finished_ns,
            requests=tuple(self.requests),
            error=self.error,
        )


@dataclass(frozen=True, slots=True)
class Coordinator:
    """Runs agents, at most ``max_concurrent`` of them at a time.

    Attributes:
        clients: An open HTTP client by server URL.
        workflows: Workflows by key.
        max_concurrent: Slots of the semaphore.
        nonce: Source of unique texts for the start of prompts.
        clock: The clock.
        host: Watches who else keeps the CPUs busy; None does not.
    """

    clients: Mapping[str, httpx.AsyncClient]
    workflows: Mapping[str, Workflow]
    max_concurrent: int
    nonce: Callable[[], str]
    clock: Clock = monotonic_ns
    host: HostWatch | None = None

    async def run(self, arm: str, agents: Sequence[AgentPlan], sink: list[Run]) -> None:
        """Runs agents together and appends the run to ``sink``, also when it is cancelled half-way."""
        slots = asyncio.Semaphore(self.max_concurrent)
        attempts = [_Attempt(agent) for agent in agents]
        span = self.host.start({agent.url for agent in agents}) if self.host else None
        started_ns = self.clock()
        for attempt in attempts:
            attempt.queued_ns = started_ns
        watch = LagWatch()
        try:
            with watch:
                await asyncio.gather(*(self._admit(attempt, slots) for attempt in attempts))
        finally:
            finished_ns = self.clock()
            runs = tuple(attempt.record(finished_ns) for attempt in attempts)
            sink.append(Run(arm, started_ns, finished_ns, runs, watch.lag(), span.load() if span else None))

    async def _admit(self, attempt: _Attempt, slots: asyncio.Semaphore) -> None:
        async with slots:
            attempt.admitted_ns = self.clock()
            try:
                await self._work(attempt)
            finally:
                attempt.finished_ns = self.clock()

    async def _work(self, attempt: _Attempt) -> None:
        plan = attempt.plan
        client = self.clients[plan.url]

        async def ask(name: str, prompt: str) -> RequestRecord:
            nonce = self.nonce()
            record = await measure_request(
                client,
                name=name,
                nonce=nonce,
                body=generate_body(plan.model, f"{nonce} {prompt}", plan.options),
                sink=attempt.requests,
                clock=self.clock,
            )
            if record.error:
                raise RequestFailedError(record.error)
            return record

        try:
            await self.workflows[plan.workflow](ask)
        except RequestFailedError as failure:
            attempt.error = f"request {attempt.requests[-1].name!r} failed: {failure}"
        except asyncio.CancelledError as fault:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                attempt.error = "cancelled"
                raise
            attempt.error = f"the workflow raised {type(fault).__name__} of its own"
        except Exception as fault:  # a user's workflow may raise anything; its block is lost, not the session
            attempt.error = encodable(f"the workflow raised {type(fault).__name__}: {fault}")
