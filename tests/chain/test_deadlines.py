"""What never ends: a stall, an endless answer, a load without an end. The deadline holds, and the server is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from harness.judge import invalid_reasons
from harness.records.errors import ModelError
from harness.records.session import CONCURRENT
from harness.servers.api import OllamaApi
from harness.servers.truth import Behaviour, Fault, Timing, TrueRequest, TruthConfig, TruthServer
from harness.servers.truth.spec import SLOW_LOAD
from tests.chain.chain import (
    GENEROUS_S,
    PACE,
    STRUCK,
    agents_of,
    chain_of,
    configure,
    faulty,
    is_whole,
    judged,
    plan_of,
    requests_of,
    text_of,
)
from tests.measure.servers import within

CANCELLED = "cancelled before its stream ended"
ENDLESS = Behaviour(ttft=Timing(ms=10.0), gaps=Timing(ms=2.0), tokens=1_000_000)


async def left_by_its_client(server: TruthServer, outcome: str) -> TrueRequest:
    """The one request that ended so, as soon as the server knows that its client has gone."""

    async def found() -> TrueRequest:
        while True:
            for true in server.log():
                if true.outcome == outcome:
                    return true
            await asyncio.sleep(0)

    return await within(found(), GENEROUS_S)


@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.asyncio
async def test_a_stall_costs_its_block_and_no_more_than_the_deadline(truth_server: TruthServer, after: int) -> None:
    """The reason names whom the deadline found waiting; the other agent and the other blocks are as ever."""
    plan = plan_of(truth_server)
    configure(truth_server, plan, {(STRUCK, CONCURRENT): faulty("stall", after)})
    async with chain_of(plan) as chain:
        hurried = replace(chain, plan=replace(plan, deadline_s=1.0))
        blocks = [await (hurried if index == STRUCK else chain).block(index) for index in range(plan.runs + 1)]
        bad = blocks[STRUCK]
        ((arm, agent),) = [(arm, agent) for arm, agent in agents_of([bad]) if agent.error]
        (record,) = agent.requests
        assert (arm, agent.error, record.error) == (CONCURRENT, "cancelled", CANCELLED)
        assert (record.text, len(record.token_ns), record.server) == (text_of(after), after, None)
        assert [request for request in requests_of(*blocks) if not is_whole(request)] == [record]
        (reason,) = invalid_reasons(bad)
        waiting = f"{agent.role} in concurrent was in request 'only' after {after} tokens"
        assert reason.startswith(
            f"the block did not end within its deadline of 1 s (--block-deadline): {waiting}; on a CPU-only host"
        )
        good = [block for block in blocks if block.index != STRUCK]
        assert len(good) == 3
        assert judged(blocks) == replace(judged(good), invalid={STRUCK: (reason,)})
        assert (await left_by_its_client(truth_server, "stall")).prompt.startswith(record.nonce)


@pytest.mark.asyncio
async def test_a_deadline_in_mid_answer_makes_the_server_stop(truth_server: TruthServer) -> None:
    """The tokens so far are kept, the server sees the client leave, and the same clients measure the next block."""
    plan = plan_of(truth_server, deadline_s=1.0)
    truth_server.configure(TruthConfig(behaviour=ENDLESS))
    async with chain_of(plan) as chain:
        block = await chain.block()
        record = requests_of(block)[0]
        true = await left_by_its_client(truth_server, "cancelled")
        assert record.error == CANCELLED
        assert record.text == text_of(len(record.token_ns))
        assert 0 < len(record.token_ns) <= len(true.token_ns) < 1_000_000
        truth_server.configure(TruthConfig(behaviour=PACE))
        generous = replace(chain, plan=replace(plan, deadline_s=GENEROUS_S))
        assert invalid_reasons(await generous.block()) == ()


@pytest.mark.asyncio
async def test_a_slow_load_within_its_deadline_spoils_nothing(truth_server: TruthServer) -> None:
    """A cold load of a second comes before the blocks and is in none of their figures."""
    slow = replace(PACE, fault=Fault(SLOW_LOAD))
    truth_server.configure(TruthConfig(behaviour=PACE, by_port={0: slow}))
    async with chain_of(plan_of(truth_server, runs=1)) as chain:
        blocks = await chain.scenario()
    assert [invalid_reasons(block) for block in blocks] == [(), ()]
    assert all(is_whole(request) for request in requests_of(*blocks))
    (load,) = [true for true in truth_server.log() if true.outcome == SLOW_LOAD]
    assert load.prompt == ""
    assert load.ended_ns < min(request.sent_ns for request in requests_of(*blocks))


@pytest.mark.asyncio
async def test_a_load_without_an_end_is_given_up_at_its_deadline(truth_server: TruthServer) -> None:
    """The error names server, model and deadline; the server sees the client leave, and the next load works."""
    truth_server.configure(TruthConfig(behaviour=replace(PACE, fault=Fault(SLOW_LOAD))))
    api = OllamaApi(truth_server.urls[0])
    try:
        with pytest.raises(ModelError) as raised:
            await within(api.load("truth", {}, deadline_s=0.1), GENEROUS_S)
        assert str(raised.value).startswith(f"{api.url}: truth could not be loaded: no answer within 0.1 s")
        await left_by_its_client(truth_server, "cancelled")
        assert await api.loaded() == ()
        truth_server.configure(TruthConfig())
        await within(api.load("truth", {}, deadline_s=GENEROUS_S), GENEROUS_S)
        assert [model.name for model in await api.loaded()] == ["truth:latest"]
    finally:
        await api.close()
