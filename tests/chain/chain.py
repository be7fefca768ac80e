"""The chain in one process: two agents on a ground-truth server, blocks of three arms, and their judgement."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from harness.judge import ScenarioSummary, judge_scenario
from harness.measure import (
    AgentPlan,
    Coordinator,
    Loader,
    ScenarioPlan,
    measure_block,
    measure_scenario,
    measuring_client,
    nonces,
)
from harness.records import AgentRun, Block, RequestRecord
from harness.records.session import CONCURRENT
from harness.scenarios import Ask, Limit, Stopping, Terms
from harness.servers.api import OllamaApi
from harness.servers.truth import Behaviour, Fault, Timing, TruthConfig, TruthServer
from tests.measure.servers import within

GENEROUS_S = 60.0
ROLES = ("Left", "Right")
TOKENS = 8
PACE = Behaviour(ttft=Timing(ms=8.0), gaps=Timing(ms=1.0), tokens=TOKENS)
STRUCK = 2  # index of the block that a fault strikes
_SEED = 1  # the concurrent arm of that block stands in its middle
_LIMITS = (Limit("measured_speedup", 0.1), Limit("contention_rate", 1.0))


def text_of(tokens: int) -> str:
    """The first tokens of every answer of the server."""
    return "".join(f" w{i}" for i in range(tokens))


def faulty(kind: str, after: int = 3) -> Behaviour:
    """An answer with a fault."""
    return replace(PACE, fault=Fault(kind, after))


async def _one_request(ask: Ask) -> None:
    await ask("only", "hello")


def plan_of(server: TruthServer, *, deadline_s: float = GENEROUS_S, runs: int = 3) -> ScenarioPlan:
    """Each agent at a port of its own, one request an arm."""
    agents = tuple(AgentPlan(role, "one", url, "truth") for role, url in zip(ROLES, server.urls, strict=True))
    return ScenarioPlan("pair", agents, runs=runs, seed=_SEED, max_concurrent=2, deadline_s=deadline_s)


def script(plan: ScenarioPlan, faults: Mapping[tuple[int, str], Behaviour]) -> tuple[Behaviour, ...]:
    """What every request of a scenario gets: ``faults`` by block and arm, in a concurrent arm the first one to come.

    After a fault the servers of its arm are asked for a token each, and that is answered well.
    """

    def arm(index: int, name: str) -> list[Behaviour]:
        agents = len(ROLES) if name == CONCURRENT else 1
        settled = agents if (index, name) in faults else 0
        return [faults.get((index, name), PACE), *[PACE] * (agents - 1 + settled)]

    return tuple(each for index in range(plan.runs + 1) for name in plan.order(index) for each in arm(index, name))


def configure(server: TruthServer, plan: ScenarioPlan, faults: Mapping[tuple[int, str], Behaviour]) -> None:
    """Every answer at the usual pace, but for these."""
    server.configure(TruthConfig(behaviour=PACE, script=script(plan, faults)))


@dataclass(frozen=True, slots=True)
class Chain:
    """Open clients that go on from one block to the next."""

    plan: ScenarioPlan
    coordinator: Coordinator

    async def block(self, index: int = 1) -> Block:
        """One block."""
        kept: list[Block] = []
        block = await within(measure_block(self.plan, index, self.coordinator, kept.append), GENEROUS_S)
        assert kept == [block]
        return block

    async def scenario(self) -> tuple[Block, ...]:
        """A warm-up block and all others, with the models loaded before."""
        kept: list[Block] = []
        blocks = await within(
            measure_scenario(self.plan, self.coordinator, loader=Loader(_load, _load), keep=kept.append), GENEROUS_S
        )
        assert tuple(kept) == blocks
        return blocks


async def _load(agent: AgentPlan) -> None:
    api = OllamaApi(agent.url)
    try:
        await api.load(agent.model, agent.options, deadline_s=GENEROUS_S)
    finally:
        await api.close()


@asynccontextmanager
async def chain_of(plan: ScenarioPlan) -> AsyncIterator[Chain]:
    """A chain that is closed at the end."""
    async with AsyncExitStack() as stack:
        clients = {agent.url: await stack.enter_async_context(measuring_client(agent.url)) for agent in plan.agents}
        yield Chain(plan, Coordinator(clients, {"one": _one_request}, nonces()))


def judged(blocks: Iterable[Block]) -> ScenarioSummary:
    """The judgement of a scenario's blocks."""
    return judge_scenario("pair", tuple(blocks), Terms(_LIMITS, stopping=Stopping(3, fixed=True)))


def agents_of(blocks: Sequence[Block]) -> Iterator[tuple[str, AgentRun]]:
    """Every agent's run, with the name of its arm."""
    for block in blocks:
        for run in block.runs:
            for agent in run.agents:
                yield run.arm, agent


def requests_of(*blocks: Block) -> tuple[RequestRecord, ...]:
    """Every request, in the order of the runs."""
    return tuple(request for _, agent in agents_of(blocks) for request in agent.requests)


def is_whole(request: RequestRecord) -> bool:
    """True if it is an answer without a fault: each token is there, once, and no connection was opened for it."""
    return (
        request.error is None
        and not request.connected
        and (request.text, len(request.token_ns), request.done_reason) == (text_of(TOKENS), TOKENS, "length")
        and request.server is not None
        and request.server.eval_count == TOKENS
    )
