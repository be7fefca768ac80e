"""Pairs of blocks: the coin, what is loaded when, when it ends, and what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from harness.measure import AgentPlan, Coordinator, Loader, ScenarioPlan, measure_pairs, pair_order
from harness.records import Block
from harness.records.session import BASE, CANDIDATE
from harness.scenarios import Ask
from tests.measure.servers import URL, FakeServer, answer, good, within

OTHER = "http://other:1"


async def _workflow(ask: Ask) -> None:
    await ask("only", "hello")


def _plans(runs: int = 3, base_url: str = OTHER, seed: int = 1) -> tuple[ScenarioPlan, ScenarioPlan]:
    agents = tuple(AgentPlan(role, "w", URL, "new") for role in "AB")
    candidate = ScenarioPlan("pair", agents, runs=runs, seed=seed, max_concurrent=2, deadline_s=60.0)
    base = tuple(replace(agent, url=base_url, model="old") for agent in agents)
    return candidate, replace(candidate, agents=base, side=BASE)


@asynccontextmanager
async def _coordinator(server: FakeServer, base: FakeServer) -> AsyncIterator[Coordinator]:
    async with server.client() as client, base.client() as other:
        yield Coordinator({URL: client, OTHER: other}, {"w": _workflow}, lambda: "12345678")


async def _pairs(
    plans: tuple[ScenarioPlan, ScenarioPlan],
    base: FakeServer | None = None,
    stop: Callable[[Sequence[Block]], bool] = lambda _blocks: False,
) -> tuple[tuple[Block, ...], list[str]]:
    """The blocks, and in the order of things the models that were loaded and the sides that were measured."""
    happened: list[str] = []

    async def load(agent: AgentPlan) -> None:
        happened.append(f"load {agent.model}")

    async with _coordinator(FakeServer(good), base or FakeServer(good)) as coordinator:
        blocks = await within(
            measure_pairs(
                *plans,
                coordinator,
                loader=Loader(load, load),
                keep=lambda block: happened.append(block.side),
                stop=stop,
            )
        )
    return blocks, happened


@pytest.mark.asyncio
async def test_each_pair_has_a_block_of_either_side() -> None:
    """A warm-up pair and as many as planned; each block names its side and talks to that side's servers."""
    blocks, happened = await _pairs(_plans(runs=3))
    assert sorted((block.index, block.side) for block in blocks) == [
        (index, side) for index in range(4) for side in (BASE, CANDIDATE)
    ]
    assert {block.warmup for block in blocks if block.index == 0} == {True}
    assert all(
        agent.url == (URL if block.side == CANDIDATE else OTHER)
        for block in blocks
        for run in block.runs
        for agent in run.agents
    )
    assert happened[:2] == ["load new", "load old"]
    assert "load" not in " ".join(happened[2:])


def test_a_fair_coin_decides_the_order_and_the_seed_decides_the_coin() -> None:
    """About half the pairs begin with the base; the same seed gives the same order, another one another."""

    def heads(seed: int) -> list[bool]:
        plans = _plans(seed=seed)
        return [pair_order(*plans, index)[0].side == BASE for index in range(400)]

    assert heads(1) == heads(1) != heads(2)
    assert 160 < sum(heads(1)) < 240


@pytest.mark.asyncio
async def test_sides_on_one_server_load_their_model_before_each_block() -> None:
    """Another quantization on the same servers: never measured with the other side's model."""
    blocks, happened = await _pairs(_plans(runs=2, base_url=URL))
    model = {CANDIDATE: "new", BASE: "old"}
    held = ""
    for word in happened:
        if word in model:
            assert held == model[word]
        else:
            held = word.removeprefix("load ")
    assert happened.count("load new") > 1 < happened.count("load old")
    assert len(blocks) == 6


@pytest.mark.asyncio
async def test_it_ends_after_whole_pairs_only() -> None:
    """The rule is asked once a pair, and not after the warm-up."""
    asked: list[int] = []

    def stop(blocks: Sequence[Block]) -> bool:
        asked.append(len(blocks))
        return len(asked) == 2

    blocks, _ = await _pairs(_plans(runs=9), stop=stop)
    assert asked == [4, 6]
    assert len(blocks) == 6


@pytest.mark.asyncio
async def test_a_side_that_fails_twice_in_a_row_ends_it() -> None:
    """Its blocks are kept; the candidate's were good."""

    async def broken(_request: object) -> object:
        return answer(b"", status=500)

    blocks, happened = await _pairs(_plans(runs=9), base=FakeServer(broken))  # type: ignore[arg-type]
    assert [block.index for block in blocks] == [0, 0, 1, 1]
    assert happened.count(BASE) == happened.count(CANDIDATE) == 2
