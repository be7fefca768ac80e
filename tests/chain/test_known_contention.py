"""The gate tested by itself: contention that was dialled in comes back at its size and turns it red; none does not.

The whole chain: two ports of a ground-truth server that share one virtual device, agents, blocks, judgement, verdict.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from harness.judge import ScenarioSummary, Verdict, judge_scenario
from harness.measure import AgentPlan, Coordinator, ScenarioPlan, measure_block, measuring_client, nonces
from harness.records import Block
from harness.scenarios import Ask, Limit, Stopping, Terms
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig, TruthServer

SLOWDOWNS = (1.0, 1.1, 1.25, 1.5, 2.0, 2.5)
TOKENS = 30
GATE = (Limit("measured_efficiency_pct", 80.0),)
NEAR = 0.02


BUSY = ("--instrument-limit", "foreign_cores=99")
QUICK = ("--model", "truth", "--scenario", "chimera_homo", "--num-predict", "12", "--summary-json", "s.json", *BUSY)
FOREIGN_TEST = """
def test_scenario(measured, store_timings, assert_verdict):
    store_timings(measured)
    assert_verdict(measured)
"""


def contention(slowdown: float) -> Mapping[str, Mapping[str, float]]:
    """Every phase is slowed by every phase of anybody else."""
    phases = ("prefill", "decode")
    return {mine: dict.fromkeys(phases, slowdown) for mine in phases}


def device_of(interference: Mapping[str, Mapping[str, float]]) -> TruthConfig:
    """Two servers whose requests take 0.2 s alone."""
    behaviour = Behaviour(ttft=Timing(ms=55.0), gaps=Timing(ms=5.0))
    return TruthConfig(behaviour=behaviour, device=DeviceSpec(interference=interference))


async def _one_call(ask: Ask) -> None:
    await ask("call", "hello")


async def judged(server: TruthServer, agents: int, blocks: int) -> ScenarioSummary:
    """Measures so many agents, spread over the server's ports, and judges them by the gate."""
    plans = tuple(
        AgentPlan(f"agent {i}", "one call", server.urls[i % 2], "truth", {"num_predict": TOKENS}) for i in range(agents)
    )
    plan = ScenarioPlan("known", plans, runs=blocks, seed=7, max_concurrent=agents, deadline_s=60.0)
    kept: list[Block] = []
    async with AsyncExitStack() as stack:
        clients = {url: await stack.enter_async_context(measuring_client(url)) for url in server.urls}
        coordinator = Coordinator(clients, {"one call": _one_call}, nonces())
        for index in range(1, blocks + 1):
            await measure_block(plan, index, coordinator, kept.append)
    return judge_scenario("known", kept, Terms(GATE, stopping=Stopping(blocks, fixed=True)))


@pytest.mark.parametrize("agents", [2, 8])
@pytest.mark.parametrize("slowdown", SLOWDOWNS)
@pytest.mark.asyncio
async def test_a_dialled_slowdown_comes_back_at_its_size(
    truth_server: TruthServer, slowdown: float, agents: int
) -> None:
    """Each agent's slowdown is what was dialled in, within 2 %, and so is the efficiency that follows from it."""
    truth_server.configure(device_of(contention(slowdown)))
    summary = await judged(truth_server, agents, blocks=2)
    assert not summary.invalid
    for agent in summary.agents:
        assert agent.slowdown == pytest.approx(slowdown, rel=NEAR)
    assert summary.estimates["measured_efficiency_pct"].point == pytest.approx(100 / slowdown, rel=NEAR)
    assert summary.estimates["guide_efficiency_pct"].point == pytest.approx(100, rel=NEAR)


@pytest.mark.asyncio
async def test_decode_slowed_by_another_prefill_is_seen_on_the_agent_that_decodes(truth_server: TruthServer) -> None:
    """One agent prefills for as long as the other decodes: only the one that decodes is slowed, by what was dialled."""
    prefills = Behaviour(ttft=Timing(ms=400.0), gaps=Timing(ms=5.0), tokens=2)
    decodes = Behaviour(ttft=Timing(ms=1.0), gaps=Timing(ms=5.0), tokens=40)
    device = DeviceSpec(interference={"decode": {"prefill": 1.5}})
    truth_server.configure(TruthConfig(by_port={0: decodes, 1: prefills}, device=device))
    slowed, other = (await judged(truth_server, agents=2, blocks=2)).agents
    assert slowed.slowdown == pytest.approx(1.5, rel=NEAR)
    assert slowed.concurrent.itl_p50_ms == pytest.approx(7.5, rel=NEAR)
    assert other.slowdown == pytest.approx(1.0, rel=NEAR)


@pytest.mark.asyncio
async def test_a_shared_pool_of_tokens_is_seen_as_the_slowdown_that_it_makes(truth_server: TruthServer) -> None:
    """Two agents that want 200 tokens a second each from a device of 250 decode 1.6 times slower."""
    behaviour = Behaviour(ttft=Timing(ms=1.0), gaps=Timing(ms=5.0), tokens=40)
    truth_server.configure(TruthConfig(behaviour=behaviour, device=DeviceSpec(pool_tok_s=250.0)))
    for agent in (await judged(truth_server, agents=2, blocks=2)).agents:
        assert agent.concurrent.itl_p50_ms == pytest.approx(8.0, rel=NEAR)
        assert agent.slowdown == pytest.approx(1.6, rel=NEAR)


@pytest.mark.parametrize(("slowdown", "verdict"), [(1.0, Verdict.PASS), (1.1, Verdict.PASS), (1.5, Verdict.FAIL)])
@pytest.mark.asyncio
async def test_the_gate_is_red_for_contention_beyond_the_limit_and_only_then(
    truth_server: TruthServer, slowdown: float, verdict: Verdict
) -> None:
    """An efficiency of at least 80 % allows a slowdown of up to 1.25."""
    truth_server.configure(device_of(contention(slowdown)))
    assert (await judged(truth_server, agents=2, blocks=4)).verdict is verdict


def _session(pytester: pytest.Pytester, server: TruthServer) -> tuple[pytest.RunResult, dict[str, Any]]:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(FOREIGN_TEST)
    one, two = server.urls
    result = pytester.runpytest_subprocess("--collector-ollama-url", one, "--insight-ollama-url", two, *QUICK)
    summary = json.loads(pytester.path.joinpath("s.json").read_text("utf-8"))
    return result, summary["scenarios"]["chimera_homo"]


def test_a_session_without_contention_is_green(pytester: pytest.Pytester, truth_server: TruthServer) -> None:
    """`pytest` ends with 0, and the measured efficiency is the whole 100 %."""
    truth_server.configure(device_of({}))
    result, scenario = _session(pytester, truth_server)
    result.assert_outcomes(passed=1)
    assert scenario["verdict"] == "PASS"
    assert scenario["measured_efficiency_pct"] == pytest.approx(100, rel=NEAR)
    assert scenario["contention_rate"] == 0


def test_a_session_with_contention_is_red_though_the_agents_overlap(
    pytester: pytest.Pytester, truth_server: TruthServer
) -> None:
    """`pytest` ends with 1; the guide's figure still says that all is well, and the summary says so in words."""
    truth_server.configure(device_of(contention(2.0)))
    result, scenario = _session(pytester, truth_server)
    result.assert_outcomes(failed=1)
    assert scenario["verdict"] == "FAIL"
    assert scenario["measured_efficiency_pct"] == pytest.approx(50, rel=NEAR)
    assert scenario["guide_efficiency_pct"] == pytest.approx(100, rel=NEAR)
    assert scenario["overlap_only"]
    assert [agent["slowdown"] for agent in scenario["agents"]] == pytest.approx([2.0, 2.0], rel=NEAR)
