"""An agent with several requests under way at once: measured and judged through the whole chain as any other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from harness.judge import judge_scenario
from harness.judge.loss import block_loss, in_flight_ns
from harness.judge.phases import agent_phases
from harness.measure import AgentPlan, Coordinator, ScenarioPlan, measure_block, measuring_client, nonces
from harness.records import Block
from harness.scenarios import Ask, Limit, Stopping, Terms
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig, TruthServer

ROLES, NAMES = ("Left", "Right"), ("a", "b", "c", "last")
TERMS = Terms((Limit("measured_speedup", 1.0),), stopping=Stopping(2, fixed=True))


async def _three_and_one(ask: Ask) -> None:
    await asyncio.gather(*(ask(name, "hello") for name in NAMES[:3]))
    await ask(NAMES[3], "hello")


@pytest.mark.parametrize("slots", [0, 2, 1])
@pytest.mark.asyncio
async def test_what_an_agent_asks_at_once_is_part_of_its_time_once(truth_server: TruthServer, slots: int) -> None:
    """Whether its server works on all, some or one of them: nothing is lost or counted twice, in no arm."""
    behaviour = Behaviour(Timing(ms=20.0), Timing(ms=4.0), tokens=11)
    truth_server.configure(TruthConfig(behaviour=behaviour, device=DeviceSpec(slots=slots)))
    agents = tuple(AgentPlan(role, "three", url, "truth") for role, url in zip(ROLES, truth_server.urls, strict=True))
    plan = ScenarioPlan("known", agents, runs=2, seed=7, max_concurrent=2, deadline_s=60.0)
    kept: list[Block] = []
    async with AsyncExitStack() as stack:
        clients = {url: await stack.enter_async_context(measuring_client(url)) for url in truth_server.urls}
        coordinator = Coordinator(clients, {"three": _three_and_one}, nonces())
        for index in (1, 2):
            await measure_block(plan, index, coordinator, kept.append)
    summary = judge_scenario("known", kept, TERMS)
    assert not summary.invalid
    assert summary.estimates["measured_efficiency_pct"].point == pytest.approx(100, rel=0.05)
    for block in kept:
        loss = block_loss(block)
        assert loss.useful + loss.contention + loss.load + loss.orchestration + loss.imbalance == 1
        assert abs(loss.contention) < 0.05
        for run in block.runs:
            for agent in run.agents:
                spans = sum(each.ended_ns - each.sent_ns for each in agent.requests)
                assert in_flight_ns(agent.requests) < 0.7 * spans
                assert tuple(each.name for each in agent.requests) == NAMES
                phases = agent_phases(agent, run.started_ns, run.finished_ns)
                assert sum(each.end_ns - each.start_ns for each in phases) == run.wall_ns
