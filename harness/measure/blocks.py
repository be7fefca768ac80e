"""Blocks: each agent alone and all together, in shuffled order, under one deadline."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from harness.measure.coordinator import Coordinator
from harness.measure.host import Surroundings
from harness.measure.plan import AgentPlan, ScenarioPlan
from harness.measure.requests import open_connection
from harness.records import Block, Run
from harness.records.errors import HarnessError, ServerError
from harness.records.session import CONCURRENT, GIVE_UP_AFTER, solo_arm

Stop = Callable[[Sequence[Block]], bool]
"""Told all blocks so far; True ends the scenario (the seam of a sequential stopping rule)."""
Look = Callable[[Sequence[AgentPlan]], Awaitable[Surroundings]]
"""Told a block's agents, looks around after its arms."""


@contextmanager
def collector_off() -> Iterator[None]:
    """Keeps the garbage collector's pauses (20-40 ms on a large heap) out of the measured gaps."""
    was_on = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()


async def measure_block(
    plan: ScenarioPlan,
    index: int,
    coordinator: Coordinator,
    keep: Callable[[Block], None],
    look: Look | None = None,
) -> Block:
    """Measures one block and hands it to ``keep``, also when it was interrupted.

    Args:
        plan: The scenario bound to servers.
        index: 0 for the warm-up block.
        coordinator: Runs the agents.
        keep: Gets the block.
        look: Looks around once all arms have been run, outside of the deadline.

    Raises:
        asyncio.CancelledError: If the session was interrupted; the partial block was kept.
    """
    order = plan.order(index)
    runs: list[Run] = []
    error: str | None = "interrupted"
    seen = Surroundings()
    try:
        error = await _measure_arms(plan, order, coordinator, runs)
        if error is None and look is not None:
            with suppress(HarnessError, OSError):  # what was measured is worth more than what was to be seen
                seen = await look(plan.agents)
    finally:
        block = Block(
            scenario=plan.name,
            index=index,
            warmup=index == 0,
            order=order,
            runs=tuple(runs),
            deadline_s=plan.deadline_s,
            error=error,
            side=plan.side,
            memory=seen.memory,
            gpu_strangers=seen.gpu_strangers,
        )
        keep(block)
    return block


async def _measure_arms(
    plan: ScenarioPlan, order: Sequence[str], coordinator: Coordinator, runs: list[Run]
) -> str | None:
    """Runs the arms into ``runs``; gives why it ended early, or None."""
    arms = {solo_arm(agent.role): (agent,) for agent in plan.agents} | {CONCURRENT: plan.agents}
    silent = ""
    try:
        with collector_off():
            async with asyncio.timeout(plan.deadline_s):
                for arm in order:
                    for url in dict.fromkeys(agent.url for agent in arms[arm]):
                        silent = url
                        await open_connection(coordinator.clients[url])
                    silent = ""
                    await coordinator.run(arm, arms[arm], runs)
    except TimeoutError:
        waiting = f": {silent} did not answer" if silent else _under_way(runs)
        return (
            f"the block did not end within its deadline of {plan.deadline_s:g} s (--block-deadline){waiting}; "
            "on a CPU-only host check num_thread: servers whose threads exceed the cores starve each other"
        )
    except ServerError as failure:
        return str(failure)
    return None


def _under_way(runs: Sequence[Run]) -> str:
    """Whom a deadline found waiting for what."""
    waiting = [
        f"{agent.role} in {run.arm} was in request {last.name!r} after {len(last.token_ns)} tokens"
        for run in runs[-1:]
        for agent in run.agents
        for last in agent.requests[-1:]
        if agent.error == "cancelled" and last.error
    ]
    return f": {', '.join(waiting)}" if waiting else ""


def failed(block: Block) -> bool:
    """True if the block ended early or an agent's workflow failed."""
    return block.error is not None or any(agent.error for run in block.runs for agent in run.agents)


async def measure_scenario(
    plan: ScenarioPlan,
    coordinator: Coordinator,
    *,
    load: Callable[[AgentPlan], Awaitable[None]],
    keep: Callable[[Block], None],
    stop: Stop = lambda _blocks: False,
    look: Look | None = None,
) -> tuple[Block, ...]:
    """Loads the models one after the other, then measures a warm-up block and up to ``plan.runs`` blocks.

    Args:
        plan: The scenario bound to servers.
        coordinator: Runs the agents.
        load: Brings an agent's model into its server with the agent's options.
        keep: Called with each block as soon as it exists.
        stop: Told all blocks after each measured one.
        look: Looks around after each block.
    """
    for agent in plan.agents:
        await load(agent)
    blocks: list[Block] = []
    failures = 0
    for index in range(plan.runs + 1):
        blocks.append(await measure_block(plan, index, coordinator, keep, look))
        failures = failures + 1 if failed(blocks[-1]) else 0
        hopeless = index == 0 and blocks[0].error is not None  # no server, or too slow for the deadline
        if hopeless or failures >= GIVE_UP_AFTER or (index and stop(blocks)):
            break
    return tuple(blocks)
