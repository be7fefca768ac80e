"""Finding a way to finish the work when a server died or memory ran out, and finishing it, over respx."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest
import respx

from harness.judge import Verdict, invalid_reasons, judge_scenario
from harness.measure import (
    AgentPlan,
    ArmPlan,
    Coordinator,
    Loader,
    Rescuer,
    ScenarioPlan,
    measure_fallback,
    measure_scenario,
)
from harness.records import Block, Run
from harness.records.session import CONCURRENT, FALLBACK
from harness.scenarios import Ask, Terms
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.testing import build_agent_run, build_run
from tests.measure.servers import answer, within

LEFT, RIGHT = "http://left.test", "http://right.test"
AGENTS = (AgentPlan("A", "w", LEFT, "m"), AgentPlan("B", "w", RIGHT, "m"))
PLAN = ScenarioPlan("pair", AGENTS, runs=5, seed=1, max_concurrent=2, deadline_s=60.0)


async def _workflow(ask: Ask) -> None:
    await ask("first", "hello")
    await ask("second", "hello")


@dataclass
class Host:
    """Two servers behind a mock: each lives until it has answered so many generations, then nobody is there.

    Attributes:
        lives: Generations left by server.
        asked: ``(server, path)`` of everything that was asked, in order.
        failure: What a server that is short of memory answers with; None while it is not.
    """

    lives: dict[str, int]
    asked: list[tuple[str, str]] = field(default_factory=list)
    failure: str | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        """The mock's side effect."""
        url = f"http://{request.url.host}"
        self.asked.append((url, request.url.path))
        if self.lives[url] <= 0:
            raise httpx.ConnectError("refused")
        if request.url.path == "/api/version":
            return httpx.Response(200, json={"version": "0.0.0"})
        if b'"prompt"' not in request.content or b'"prompt":""' in request.content:
            return httpx.Response(200, json={"done": True})
        self.lives[url] -= 1
        if self.failure is not None:
            return httpx.Response(500, json={"error": self.failure})
        if self.lives[url] == 0:
            raise httpx.ReadError("it was killed")
        return answer()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Coordinator, tuple[Server, ...]]]:
        """A coordinator and the servers that reach this host."""
        router = respx.MockRouter(assert_all_called=False)
        router.route().mock(side_effect=self.answer)
        transport = httpx.MockTransport(router.async_handler)
        async with AsyncExitStack() as stack:
            clients = {
                url: await stack.enter_async_context(httpx.AsyncClient(base_url=url, transport=transport))
                for url in (LEFT, RIGHT)
            }
            servers = tuple(Server(url, "connect", OllamaApi(url, transport)) for url in (LEFT, RIGHT))
            for server in servers:
                stack.push_async_callback(server.api.close)
            yield Coordinator(clients, {"w": _workflow}, lambda: "12345678"), servers

    async def scenario(self, plan: ScenarioPlan) -> tuple[Block, ...]:
        """The blocks of a scenario that may be rescued."""

        async def nothing(_agent: AgentPlan) -> None:
            return

        kept: list[Block] = []
        async with self.open() as (coordinator, servers):
            blocks = await within(
                measure_scenario(
                    plan,
                    coordinator,
                    loader=Loader(nothing, nothing),
                    keep=kept.append,
                    rescue=Rescuer(servers).rescue,
                )
            )
        assert tuple(kept) == blocks
        return blocks


def finished(block: Block) -> dict[str, str]:
    """Role and server of the agents that finished in the fallback arm."""
    run = block.run(FALLBACK)
    assert run is not None
    return {agent.role: agent.url for agent in run.agents if agent.error is None and len(agent.requests) == 2}


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
@pytest.mark.asyncio
async def test_a_server_that_dies_leaves_its_work_to_the_other_one(seed: int, position: int) -> None:
    """Blocks before it stay whole; what was not finished together is done one agent at a time on the survivor.

    The server dies in its request ``position`` of block 2. If the agents had been together before, that block's work
    was done, and it is the next one's that is left.
    """
    host = Host({LEFT: 10**6, RIGHT: 8 + position + 1})
    plan = replace(PLAN, seed=seed)
    arms = [arm for arm in plan.order(2) if arm in (CONCURRENT, "solo:B")]
    struck = arms[position // 2]
    *before, last = await host.scenario(plan)
    done = struck == "solo:B" and arms[0] == CONCURRENT
    assert [block.index for block in before] == ([0, 1, 2] if done else [0, 1])
    assert not any(invalid_reasons(block) for block in before[:2])
    assert finished(last) == ({"B": LEFT} if struck == CONCURRENT else {"A": LEFT, "B": LEFT})
    assert last.fallback is not None
    assert RIGHT in last.fallback
    assert LEFT in last.fallback
    assert invalid_reasons(last) == (last.fallback,)
    assert judge_scenario("pair", (*before, last), Terms()).verdict is Verdict.INVALID


@pytest.mark.asyncio
async def test_one_agent_at_a_time() -> None:
    """The second starts when the first has ended."""
    host = Host({LEFT: 100, RIGHT: 0})
    async with host.open() as (coordinator, servers):
        fallback = await Rescuer(servers).rescue(PLAN, (), None)
        assert fallback is not None
        block = await within(measure_fallback(PLAN, fallback, coordinator, lambda _block: None))
    assert finished(block) == {"A": LEFT, "B": LEFT}
    (run,) = block.runs
    first, second = run.agents
    assert first.finished_ns <= second.admitted_ns
    assert (block.fallback, block.error) == (fallback.reason, fallback.reason)


@pytest.mark.asyncio
async def test_an_agent_that_a_deadline_found_waiting_for_its_turn_has_not_finished() -> None:
    """It has no failed request, and has done none of its work: a server that hangs leaves both agents' to do."""

    async def hangs(_request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return answer()

    sink: list[Run] = []
    async with httpx.AsyncClient(base_url=LEFT, transport=httpx.MockTransport(hangs)) as client:
        coordinator = Coordinator({LEFT: client, RIGHT: client}, {"w": _workflow}, lambda: "12345678")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await coordinator.run(ArmPlan(CONCURRENT, AGENTS, slots=1), sink)
    async with Host({LEFT: 9, RIGHT: 0}).open() as (_coordinator, servers):
        fallback = await Rescuer(servers).rescue(PLAN, sink, "the block did not end within its deadline")
    assert fallback is not None
    assert [agent.role for agent in fallback.arm.agents] == ["A", "B"]


@pytest.mark.asyncio
async def test_without_a_survivor_there_is_no_fallback() -> None:
    """Then the failure is told as it was before."""
    async with Host({LEFT: 0, RIGHT: 0}).open() as (_coordinator, servers):
        assert await Rescuer(servers).rescue(PLAN, (), "no answer") is None


@pytest.mark.asyncio
async def test_a_failure_of_another_kind_is_none_of_its_business() -> None:
    """A server that answers and had memory enough is measured on: it may have been a moment's fault."""
    broken = build_run(CONCURRENT, [build_agent_run("A", error="request 'x' failed: HTTP 500"), build_agent_run("B")])
    async with Host({LEFT: 9, RIGHT: 9}).open() as (_coordinator, servers):
        assert await Rescuer(servers).rescue(PLAN, (broken,), None) is None


@pytest.mark.parametrize(
    "words",
    [
        "HTTP 500, the server reported: model requires more system memory (9 GiB) than is available (2 GiB)",
        "the server reported: CUDA error: out of memory",
        "cudaMalloc failed: out of memory",
    ],
)
@pytest.mark.asyncio
async def test_short_memory_is_made_room_for_on_one_server(words: str) -> None:
    """Every server lets its model go before one of them does all the work."""
    host = Host({LEFT: 9, RIGHT: 9})
    failed: Run = build_run(CONCURRENT, [build_agent_run("A"), build_agent_run("B", error=words)])
    async with host.open() as (_coordinator, servers):
        fallback = await Rescuer(servers).rescue(PLAN, (failed,), None)
    assert fallback is not None
    assert "memory ran out" in fallback.reason
    assert [(agent.role, agent.url) for agent in fallback.arm.agents] == [("B", LEFT)]
    assert {url for url, path in host.asked if path == "/api/generate"} == {LEFT, RIGHT}


@pytest.mark.asyncio
async def test_a_survivor_that_dies_too_ends_it_with_both_reasons() -> None:
    """The block is kept and says what happened."""
    host = Host({LEFT: 1, RIGHT: 0})
    async with host.open() as (coordinator, servers):
        fallback = await Rescuer(servers).rescue(PLAN, (), None)
        assert fallback is not None
        block = await within(measure_fallback(PLAN, fallback, coordinator, lambda _block: None))
    assert block.error is not None
    assert block.error.startswith(fallback.reason)
    assert "that failed" in block.error
