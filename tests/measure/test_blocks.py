"""Blocks: their deadline, interrupts, failures in a row, and what is kept of each."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest

from harness.judge import invalid_reasons
from harness.measure import (
    AgentPlan,
    ArmPlan,
    Coordinator,
    Loader,
    ScenarioPlan,
    Stop,
    failed,
    measure_block,
    measure_scenario,
    measuring_client,
)
from harness.measure.blocks import Look
from harness.measure.host import Surroundings
from harness.records import Block, ModelMemory
from harness.records.errors import ServerError
from harness.records.session import BASE
from harness.scenarios import Ask
from harness.testing import build_block, stream_lines
from tests.measure.servers import HEAD, URL, FakeServer, Generate, SocketServer, answer, good, http_chunk, within

GENEROUS_S = 60.0


async def _workflow(ask: Ask) -> None:
    await ask("only", "hello")


def _plan(deadline_s: float = GENEROUS_S, runs: int = 3) -> ScenarioPlan:
    agents = tuple(AgentPlan(role, "w", URL, "m") for role in "AB")
    return ScenarioPlan("pair", agents, runs=runs, seed=1, max_concurrent=2, deadline_s=deadline_s)


@asynccontextmanager
async def _coordinator(server: FakeServer) -> AsyncIterator[Coordinator]:
    async with server.client() as client:
        yield Coordinator({URL: client}, {"w": _workflow}, lambda: "12345678")


async def _never(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    return answer()


async def _broken(_request: httpx.Request) -> httpx.Response:
    return answer(b"", status=500)


async def _block(server: FakeServer, plan: ScenarioPlan, index: int = 1, look: Look | None = None) -> Block:
    kept: list[Block] = []
    async with _coordinator(server) as coordinator:
        block = await within(measure_block(plan, index, coordinator, kept.append, look))
    assert kept == [block]
    return block


@pytest.mark.parametrize("index", [0, 1, 2, 3])
@pytest.mark.asyncio
async def test_a_block_runs_each_arm_once_in_its_order(index: int) -> None:
    """The runs stand in the shuffled order, and only block 0 is the warm-up."""
    plan = _plan()
    block = await _block(FakeServer(), plan, index)
    assert tuple(run.arm for run in block.runs) == block.order == plan.order(index)
    assert (block.warmup, block.error, invalid_reasons(block)) == (index == 0, None, ())
    roles = {run.arm: [agent.role for agent in run.agents] for run in block.runs}
    assert roles == {"solo:A": ["A"], "solo:B": ["B"], "concurrent": ["A", "B"]}


@pytest.mark.asyncio
async def test_a_server_that_never_answers_costs_a_block_and_not_the_session() -> None:
    """The deadline ends the block; its reason says which option and what to look at; the run so far is kept."""
    asked = 0

    async def generate(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return await _never(request)

    for deadline_s in (0.05, 0.5, 5.0):  # a busy host may need a longer one to come as far as asking
        block = await _block(FakeServer(generate), _plan(deadline_s))
        assert block.error is not None
        assert f"deadline of {deadline_s:g} s (--block-deadline)" in block.error
        assert "num_thread" in block.error
        if asked:
            break
    (run,) = block.runs
    assert run.arm == block.order[0]
    assert {request.error for agent in run.agents for request in agent.requests} == {
        "cancelled before its stream ended"
    }


@pytest.mark.asyncio
async def test_the_arms_before_an_interrupt_are_kept_whole() -> None:
    """A server that stops answering in the second arm leaves the first one as it was measured."""
    plan = _plan()
    asked, hung = 0, asyncio.Event()
    agents_of_first = 2 if plan.order(1)[0] == "concurrent" else 1

    async def generate(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked <= agents_of_first:
            return answer()
        hung.set()
        return await _never(request)

    kept: list[Block] = []
    async with _coordinator(FakeServer(generate)) as coordinator:
        task = asyncio.create_task(measure_block(plan, 1, coordinator, kept.append))
        await within(hung.wait())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    first, second = kept[0].runs
    assert all(agent.error is None and agent.requests[0].text == "Hello" for agent in first.agents)
    assert {agent.error for agent in second.agents} == {"cancelled"}


@pytest.mark.asyncio
async def test_a_server_that_is_gone_costs_a_block_with_its_reason() -> None:
    """A connection that cannot be opened is the block's error, in the server's name."""
    block = await _block(FakeServer(version=httpx.ConnectError("refused")), _plan())
    assert block.runs == ()
    assert block.error is not None
    assert "does not answer: ConnectError: refused" in block.error


@pytest.mark.asyncio
async def test_an_interrupted_block_is_handed_over_before_the_interrupt_passes() -> None:
    """Ctrl-C loses no timing: the block is kept with its runs, then the cancellation goes on."""
    reached = asyncio.Event()

    async def generate(request: httpx.Request) -> httpx.Response:
        reached.set()
        return await _never(request)

    kept: list[Block] = []
    async with _coordinator(FakeServer(generate)) as coordinator:
        task = asyncio.create_task(measure_block(_plan(), 1, coordinator, kept.append))
        await within(reached.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
    (block,) = kept
    assert (block.error, len(block.runs)) == ("interrupted", 1)


@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("generate", [good, _broken])
@pytest.mark.asyncio
async def test_the_collector_rests_during_a_block_and_is_as_before_after_it(was_on: bool, generate: Generate) -> None:
    """Its pauses would land in the measured gaps; whoever had turned it off keeps it off."""
    seen: list[bool] = []

    async def watched(request: httpx.Request) -> httpx.Response:
        seen.append(gc.isenabled())
        return await generate(request)

    try:
        if not was_on:
            gc.disable()
        await _block(FakeServer(watched), _plan())
        assert seen
        assert not any(seen)
        assert gc.isenabled() is was_on
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


SEEN = Surroundings((ModelMemory(URL, "m", 20, 10),), ("game (pid 1, 5 MiB)",))


@pytest.mark.asyncio
async def test_what_is_seen_after_the_arms_stands_in_the_block() -> None:
    """It is looked around once, for the block's agents, when all has been asked and the collector is on again."""
    asked, looks = 0, []

    async def generate(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return await good(request)

    async def look(agents: Sequence[AgentPlan]) -> Surroundings:
        looks.append((asked, gc.isenabled(), agents))
        return SEEN

    plan = replace(_plan(), side=BASE)
    block = await _block(FakeServer(generate), plan, look=look)
    assert looks == [(4, True, plan.agents)]
    assert (block.memory, block.gpu_strangers) == (SEEN.memory, SEEN.gpu_strangers)
    assert (block.side, block.error) == (BASE, None)


@pytest.mark.asyncio
async def test_nobody_looks_around_after_a_block_that_ended_early() -> None:
    """Its own error tells; a dead server would only be waited for."""

    async def look(_agents: Sequence[AgentPlan]) -> Surroundings:
        raise AssertionError("looked")

    block = await _block(FakeServer(version=httpx.ConnectError("refused")), _plan(), look=look)
    assert block.error is not None
    assert (block.memory, block.gpu_strangers) == ((), ())


@pytest.mark.parametrize("fault", [ServerError("gone"), TimeoutError(), OSError()])
@pytest.mark.asyncio
async def test_a_look_that_fails_costs_no_block(fault: Exception) -> None:
    """The block is whole and valid, and nothing is known of its surroundings."""

    async def look(_agents: Sequence[AgentPlan]) -> Surroundings:
        raise fault

    block = await _block(FakeServer(), _plan(), look=look)
    assert (block.error, len(block.runs), block.memory, invalid_reasons(block)) == (None, 3, (), ())


@pytest.mark.asyncio
async def test_an_interrupt_while_looking_keeps_the_whole_block() -> None:
    """All arms were run: the block is good, and the cancellation goes on."""
    looking = asyncio.Event()

    async def look(_agents: Sequence[AgentPlan]) -> Surroundings:
        looking.set()
        await asyncio.Event().wait()
        return SEEN

    kept: list[Block] = []
    async with _coordinator(FakeServer()) as coordinator:
        task = asyncio.create_task(measure_block(_plan(), 1, coordinator, kept.append, look))
        await within(looking.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
    (block,) = kept
    assert (block.error, len(block.runs), block.memory) == (None, 3, ())


@pytest.mark.asyncio
async def test_looking_takes_none_of_a_blocks_deadline() -> None:
    """A look that takes longer than the block may is none of the servers' business."""
    plan = _plan(deadline_s=2.0)

    async def look(_agents: Sequence[AgentPlan]) -> Surroundings:
        loop = asyncio.get_running_loop()
        past = loop.time() + plan.deadline_s
        loop.time = lambda: past  # type: ignore[method-assign]
        for _ in range(5):
            await asyncio.sleep(0)
        return SEEN

    block = await _block(FakeServer(), plan, look=look)
    assert (block.error, block.memory) == (None, SEEN.memory)


def test_a_block_failed_if_it_ended_early_or_an_agent_did() -> None:
    """A good block did not."""
    assert not failed(build_block())
    assert failed(build_block(error="deadline"))


@dataclass
class Scenario:
    """What a measured scenario did, in order."""

    events: list[str] = field(default_factory=list)

    async def load(self, agent: AgentPlan) -> None:
        """Remembers a load."""
        self.events.append(f"load {agent.role}")

    def keep(self, block: Block) -> None:
        """Remembers a block."""
        self.events.append(f"block {block.index}")


async def _scenario(generate: Generate, *, runs: int = 3, stop: Stop | None = None) -> list[str]:
    seen = Scenario()
    never: Stop = lambda _blocks: False  # noqa: E731 - the default of the tested function
    async with _coordinator(FakeServer(generate)) as coordinator:
        await within(
            measure_scenario(
                _plan(runs=runs), coordinator, loader=Loader(seen.load, seen.load), keep=seen.keep, stop=stop or never
            )
        )
    return seen.events


LOADS = ["load A"]  # both agents use the same model on one server


@pytest.mark.asyncio
async def test_a_scenario_loads_then_warms_up_then_measures() -> None:
    """One load for each server, one warm-up block, then as many as asked for."""
    assert await _scenario(good) == [*LOADS, "block 0", "block 1", "block 2", "block 3"]


@pytest.mark.asyncio
async def test_a_scenario_looks_around_after_every_block() -> None:
    """The warm-up block too: it is what the others are compared with."""
    kept: list[Block] = []

    async def look(_agents: Sequence[AgentPlan]) -> Surroundings:
        return SEEN

    async with _coordinator(FakeServer()) as coordinator:
        await within(
            measure_scenario(
                _plan(), coordinator, loader=Loader(Scenario().load, Scenario().load), keep=kept.append, look=look
            )
        )
    assert [block.memory for block in kept] == [SEEN.memory] * 4


def _blocks(events: Sequence[str]) -> list[str]:
    """The blocks among what happened: after a failure the model is loaded again."""
    return [event for event in events if event.startswith("block")]


@pytest.mark.asyncio
async def test_two_failed_blocks_in_a_row_end_a_scenario() -> None:
    """A server that fails every time is not asked for hours."""
    assert _blocks(await _scenario(_broken, runs=9)) == ["block 0", "block 1"]


@pytest.mark.asyncio
async def test_a_warm_up_that_could_not_be_run_ends_the_scenario_at_once() -> None:
    """No server, or one too slow for the deadline: a second try would cost as much and show as little."""
    seen, gone = Scenario(), FakeServer(version=httpx.ConnectError("refused"))
    async with _coordinator(gone) as coordinator:
        blocks = await within(
            measure_scenario(_plan(), coordinator, loader=Loader(seen.load, seen.load), keep=seen.keep)
        )
    assert seen.events == [*LOADS, "block 0"]
    assert [block.index for block in blocks] == [0]


def _settles(request: httpx.Request) -> bool:
    return b'"num_predict":1' in request.content


def _fails_in(blocks: set[int]) -> Generate:
    """Fails in these blocks: each good block asks four times, each failing one too, besides settling."""
    asked = 0

    async def generate(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if _settles(request):
            return answer()
        block, asked = asked // 4, asked + 1
        return await (_broken if block in blocks else good)(request)

    return generate


@pytest.mark.parametrize(("failing", "last"), [({0}, 5), ({1, 3, 5}, 5), ({2, 3}, 3), ({0, 1}, 1), ({4, 5}, 5)])
@pytest.mark.asyncio
async def test_a_good_block_forgives_a_failed_one(failing: set[int], last: int) -> None:
    """Only failures that follow each other end the scenario."""
    events = await _scenario(_fails_in(failing), runs=5)
    assert _blocks(events) == [f"block {index}" for index in range(last + 1)]


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.asyncio
async def test_after_a_failed_arm_the_model_is_loaded_and_settled_before_the_next(interrupted: bool) -> None:
    """Its runner may have died, or still be at work on what was cut off: no measured request pays for that."""
    happened: list[str] = []
    hung = asyncio.Event()

    async def load(_agent: AgentPlan) -> None:
        happened.append("load")

    async def generate(request: httpx.Request) -> httpx.Response:
        happened.append("settle" if _settles(request) else "ask")
        if happened.count("ask") > 1 or _settles(request):
            return answer()
        if not interrupted:
            return await _broken(request)
        hung.set()
        return await _never(request)

    kept: list[Block] = []
    loader = Loader(load, load)
    plan = _study(ArmPlan("one", _plan().agents[:1], 1))
    async with _coordinator(FakeServer(generate)) as coordinator:
        first = asyncio.create_task(measure_block(plan, 1, coordinator, kept.append, loader=loader))
        if interrupted:
            await within(hung.wait())
            first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        for index in (2, 3):
            await within(measure_block(plan, index, coordinator, kept.append, loader=loader))
    assert [failed(block) for block in kept] == [True, False, False]
    assert happened == ["load", "settle", "ask", "load", "settle", "ask", "ask"]


@pytest.mark.asyncio
async def test_a_stopping_rule_is_asked_after_each_measured_block() -> None:
    """It sees all blocks so far, never the warm-up alone, and its True ends the scenario."""
    seen: list[list[int]] = []

    def stop(blocks: object) -> bool:
        seen.append([block.index for block in blocks])  # type: ignore[attr-defined]
        return len(seen) == 2

    assert await _scenario(good, runs=9, stop=stop) == [*LOADS, "block 0", "block 1", "block 2"]
    assert seen == [[0, 1], [0, 1, 2]]


@pytest.mark.asyncio
async def test_a_model_that_does_not_load_ends_the_scenario_before_any_block() -> None:
    """The loader's error passes through; nothing was measured."""
    kept: list[Block] = []

    async def load(_agent: AgentPlan) -> None:
        raise LookupError("no such model")

    keep: Callable[[Block], None] = kept.append
    async with _coordinator(FakeServer()) as coordinator:
        with pytest.raises(LookupError):
            await measure_scenario(_plan(), coordinator, loader=Loader(load, load), keep=keep)
    assert kept == []


def _study(*arms: ArmPlan) -> ScenarioPlan:
    plan = _plan()
    return replace(plan, name="study", compared=arms)


@pytest.mark.asyncio
async def test_as_many_connections_are_open_before_an_arm_as_it_has_agents_on_a_server() -> None:
    """Four agents on one server: none of their requests opens one, and so none pays for it."""
    roles = [f"A{i}" for i in range(4)]
    async with SocketServer(HEAD, *map(http_chunk, stream_lines()), http_chunk(b"")) as server:
        agents = tuple(AgentPlan(role, "w", server.url, "m") for role in roles)
        plan = replace(_plan(), agents=agents, max_concurrent=4)
        async with measuring_client(server.url) as client:
            coordinator = Coordinator({server.url: client}, {"w": _workflow}, lambda: "12345678")
            block = await within(measure_block(plan, 1, coordinator, lambda _block: None))
        assert server.connections == 4
    requests = [request for run in block.runs for agent in run.agents for request in agent.requests]
    assert len(requests) == 8
    assert not any(request.connected for request in requests)


@pytest.mark.asyncio
async def test_a_study_looks_around_after_each_arm_and_keeps_what_it_saw_there() -> None:
    """Arms have memory of their own, idle models too, but none that is absent; strangers on the GPU are the block's."""
    agents = _plan().agents
    idle, parallel = AgentPlan("C", "w", "http://idle.test", "m"), replace(agents[0], model="parallel")
    study = _study(ArmPlan("one", (parallel,), 1), ArmPlan("both", agents, 2, absent=(idle,)))
    study = replace(study, agents=(*agents, idle))
    looked: list[set[tuple[str, str]]] = []

    async def look(asked: Sequence[AgentPlan]) -> Surroundings:
        looked.append({(agent.url, agent.model) for agent in asked})
        return Surroundings((ModelMemory(URL, "m", len(looked), 0),), ("stranger",))

    block = await _block(FakeServer(), study, look=look)
    assert set(block.order) == {"one", "both"}
    assert {run.arm: run.memory[0].size for run in block.runs} == {arm: i for i, arm in enumerate(block.order, 1)}
    meant = {"one": {(URL, "parallel"), (URL, "m"), (idle.url, "m")}, "both": {(URL, "m")}}
    assert looked == [meant[arm] for arm in block.order]
    assert (block.memory, block.gpu_strangers) == ((), ("stranger",))


@pytest.mark.asyncio
async def test_models_are_brought_where_an_arm_needs_them_outside_of_the_deadline() -> None:
    """A load may take longer than the block; it is none of its time, and the server is warm before the arm."""
    loop = asyncio.get_running_loop()
    happened: list[str] = []

    async def load(agent: AgentPlan) -> None:
        happened.append(f"load {agent.role}")
        past = loop.time() + 5.0
        loop.time = lambda: past  # type: ignore[method-assign]
        await asyncio.sleep(0)

    async def generate(request: httpx.Request) -> httpx.Response:
        happened.append("settle" if _settles(request) else "ask")
        return answer()

    kept: list[Block] = []
    plan = replace(_study(ArmPlan("one", _plan().agents[:1], 1)), deadline_s=2.0)
    async with _coordinator(FakeServer(generate)) as coordinator:
        loader = Loader(load, load)
        await within(measure_block(plan, 1, coordinator, kept.append, loader=loader))
    assert kept[0].error is None
    assert happened == ["load A", "settle", "ask"]


@pytest.mark.asyncio
async def test_a_model_that_cannot_be_loaded_for_an_arm_costs_the_block() -> None:
    """Its reason is the block's; nothing is raised, so that what was measured before stays."""

    async def load(_agent: AgentPlan) -> None:
        raise ServerError("no room\nand a log")

    kept: list[Block] = []
    async with _coordinator(FakeServer()) as coordinator:
        await within(measure_block(_plan(), 1, coordinator, kept.append, loader=Loader(load, load)))
    assert (kept[0].error, kept[0].runs) == ("no room", ())


@pytest.mark.asyncio
async def test_what_was_cut_off_in_the_background_is_over_before_the_next_arm() -> None:
    """A server may go on with it for a while: it is asked for a token, and waited for."""
    happened: list[str] = []
    started = asyncio.Event()

    async def generate(request: httpx.Request) -> httpx.Response:
        if _settles(request):
            happened.append("settle")
        elif b"beside" in request.content:
            happened.append("beside")
            started.set()
            await asyncio.Event().wait()
        else:
            await started.wait()
            happened.append("ask")
        return answer()

    agents = _plan().agents
    beside = AgentPlan("B", "w", URL, "beside")
    kept: list[Block] = []
    async with _coordinator(FakeServer(generate)) as coordinator:
        plan = _study(ArmPlan("decode:A", agents[:1], 1, background=(beside,)))
        await within(measure_block(plan, 1, coordinator, kept.append))
    assert happened == ["beside", "ask", "settle"]
    (run,) = kept[0].runs
    assert [agent.error for agent in run.background] == ["cancelled"]
