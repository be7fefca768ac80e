"""The matrix tested by itself: interference that was dialled in comes back in its cell, and nowhere else.

Whole matrices, and noise, stand in ``tests/judge/test_interference.py``, in simulated time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median

import pytest

from harness.judge.interference import OTHERS, interference, strongest
from harness.measure import AgentPlan, Coordinator, ScenarioPlan, measure_block, measuring_client, nonces
from harness.records import Block
from harness.scenarios import Ask
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig, TruthServer

BLOCKS = 5
NEAR = 0.04
LONG_PREFILL = Behaviour(ttft=Timing(ms=100.0), gaps=Timing(ms=3.0), tokens=35)
SHORT_PREFILL = Behaviour(ttft=Timing(ms=10.0), gaps=Timing(ms=2.0), tokens=71)


async def _two_calls(ask: Ask) -> None:
    await ask("first", "hello")
    await ask("second", "hello again")


async def measured(
    server: TruthServer, by_port: Sequence[Behaviour], interference: Mapping[str, Mapping[str, float]], agents: int = 2
) -> list[Block]:
    """Blocks of so many agents, spread over the server's ports."""
    device = DeviceSpec(interference=interference)
    server.configure(TruthConfig(by_port=dict(enumerate(by_port)), device=device))
    plans = tuple(AgentPlan(f"agent {i}", "two calls", server.urls[i % 2], "truth") for i in range(agents))
    plan = ScenarioPlan("known", plans, runs=BLOCKS, seed=7, max_concurrent=agents, deadline_s=60.0)
    kept: list[Block] = []
    async with AsyncExitStack() as stack:
        clients = {url: await stack.enter_async_context(measuring_client(url)) for url in server.urls}
        coordinator = Coordinator(clients, {"two calls": _two_calls}, nonces())
        for index in range(1, BLOCKS + 1):
            await measure_block(plan, index, coordinator, kept.append)
    return kept


def medians(blocks: Sequence[Block], victim: str) -> dict[tuple[str, str], float]:
    """One victim's ratios by its own phase and the aggressor's; over blocks, as a busy machine spoils one of them."""
    found = defaultdict(list)
    for effect in (effect for block in blocks for effect in interference([block])):
        if effect.victim == victim:
            found[effect.victim_phase, effect.aggressor_phase].append(effect.ratio.point)
    return {phases: median(values) for phases, values in found.items()}


@pytest.mark.asyncio
async def test_decode_slowed_by_decode_is_named_and_prefill_is_cleared(truth_server: TruthServer) -> None:
    """1.5 among those who decode, and 1.0 while the other prefills."""
    blocks = await measured(truth_server, [LONG_PREFILL, SHORT_PREFILL], {"decode": {"decode": 1.5}})
    named = strongest(interference(blocks))
    assert named is not None
    assert (named.aggressor_phase, named.victim_phase) == ("decode", "decode")
    assert medians(blocks, "agent 0")["decode", "decode"] == pytest.approx(1.5, rel=NEAR)
    found = medians(blocks, "agent 1")
    assert found["decode", "decode"] == pytest.approx(1.5, rel=NEAR)
    assert found["decode", "prefill"] == pytest.approx(1.0, rel=NEAR)


@pytest.mark.asyncio
async def test_the_long_prompt_of_one_agent_is_named(truth_server: TruthServer) -> None:
    """It prefills twice for 100 ms while the other decodes at half its speed: that agent, that phase, that much."""
    blocks = await measured(truth_server, [LONG_PREFILL, SHORT_PREFILL], {"decode": {"prefill": 2.0}})
    named = strongest(interference(blocks))
    assert named is not None
    assert (named.aggressor, named.aggressor_phase) == ("agent 0", "prefill")
    assert (named.victim, named.victim_phase) == ("agent 1", "decode")
    found = medians(blocks, "agent 1")
    assert found["decode", "prefill"] == pytest.approx(2.0, rel=NEAR)
    assert found["decode", "decode"] == pytest.approx(1.0, rel=NEAR)


@pytest.mark.asyncio
async def test_without_interference_nothing_is_named(truth_server: TruthServer) -> None:
    """All factors 1: decode is as fast as alone in whatever the other does, and there is no strongest effect."""
    blocks = await measured(truth_server, [LONG_PREFILL, SHORT_PREFILL], {})
    assert strongest(interference(blocks)) is None
    assert medians(blocks, "agent 0")["decode", "decode"] == pytest.approx(1.0, rel=NEAR)
    found = medians(blocks, "agent 1")
    assert found["decode", "decode"] == pytest.approx(1.0, rel=NEAR)
    assert found["decode", "prefill"] == pytest.approx(1.0, rel=NEAR)


@pytest.mark.asyncio
async def test_the_one_agent_of_three_that_prefills_long_is_told_from_the_crowd(truth_server: TruthServer) -> None:
    """Of three agents two have short prompts: what "the others" cost them is laid on the third alone."""
    blocks = await measured(truth_server, [SHORT_PREFILL, LONG_PREFILL], {"decode": {"prefill": 2.0}}, agents=3)
    effects = interference(blocks)
    assert {effect.aggressor for effect in effects} == {"agent 0", "agent 1", "agent 2", OTHERS}
    named = strongest(effects)
    assert named is not None
    assert (named.aggressor, named.aggressor_phase, named.victim_phase) == ("agent 1", "prefill", "decode")
