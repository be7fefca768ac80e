"""Blocks: each agent alone and all together (or the arms of a study), in shuffled order, under one deadline."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from harness.measure.coordinator import Coordinator
from harness.measure.host import Surroundings
from harness.measure.loading import Loader
from harness.measure.plan import AgentPlan, ArmPlan, ScenarioPlan
from harness.measure.requests import open_connection
from harness.records import Block, Run
from harness.records.errors import HarnessError
from harness.records.session import GIVE_UP_AFTER

Stop = Callable[[Sequence[Block]], bool]
"""Told all blocks so far; True ends the scenario (the seam of a sequential stopping rule)."""
Look = Callable[[Sequence[AgentPlan]], Awaitable[Surroundings]]
"""Told agents, looks around their servers: after a block, or after each arm of a study."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """How the work of a block is finished that could not be finished together.

    Attributes:
        reason: Why not, and where it is finished, in words.
        arm: The agents that had not finished, one at a time.
    """

    reason: str
    arm: ArmPlan


Rescue = Callable[[ScenarioPlan, Sequence[Run], str | None], Awaitable[Fallback | None]]
"""Told a scenario, the runs of a failed block and its error, finds a way to finish the work, or None."""


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


@dataclass
class _Arms:
    """The arms of a block while they are run.

    Attributes:
        runs: Those that were run.
        strangers: Foreign processes that were seen on the GPUs after an arm of a study.
        silent: The server whose connections are being opened, or "".
    """

    plan: ScenarioPlan
    coordinator: Coordinator
    look: Look | None
    loader: Loader | None
    runs: list[Run] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    silent: str = ""

    async def run(self, order: Sequence[str]) -> str | None:
        """Runs the arms in this order; gives why it ended early, or None. Loading is not part of the deadline."""
        arms = self.plan.arms
        left_s = self.plan.deadline_s
        loop = asyncio.get_running_loop()
        try:
            with collector_off():
                for name in order:
                    await self._prepare(arms[name])
                    began = loop.time()
                    async with asyncio.timeout(max(0.0, left_s)):
                        await self.measure(arms[name])
                    left_s -= loop.time() - began
                    await self._look(arms[name])
        except TimeoutError:
            waiting = f": {self.silent} did not answer" if self.silent else _under_way(self.runs)
            return (
                f"the block did not end within its deadline of {self.plan.deadline_s:g} s (--block-deadline){waiting}; "
                "on a CPU-only host check num_thread: servers whose threads exceed the cores starve each other"
            )
        except HarnessError as failure:
            return str(failure).partition("\n")[0]
        return None

    async def measure(self, arm: ArmPlan) -> None:
        """Runs one arm, with as many connections open to each server as it has agents there.

        Raises:
            ServerError: If a server does not answer.
        """
        before = len(self.runs)
        try:
            for url, count in Counter(agent.url for agent in (*arm.agents, *arm.background)).items():
                self.silent = url
                await asyncio.gather(*(open_connection(self.coordinator.clients[url]) for _ in range(count)))
            self.silent = ""
            await self.coordinator.run(arm, self.runs)
        finally:
            if self.loader is not None:
                ran = self.runs[before:]
                self.loader.ran(arm, well=bool(ran) and not any(agent.error for run in ran for agent in run.agents))
        for agent in arm.background:  # a server may go on for a while with what was cut off
            await self.coordinator.settle(agent)

    async def _prepare(self, arm: ArmPlan) -> None:
        if self.coordinator.onlooker is not None:
            self.coordinator.onlooker.preparing(arm)
        if self.loader is not None:
            for agent in await self.loader.prepare(arm, self.plan.agents):
                await self.coordinator.settle(agent)  # the first request after a load is slower than all others

    async def _look(self, arm: ArmPlan) -> None:
        """In a study each arm has memory of its own, that of models which only lie there idle too."""
        if not self.plan.compared or self.look is None:
            return
        away = {agent.url for agent in arm.absent}
        with suppress(HarnessError, OSError):  # what was measured is worth more than what was to be seen
            seen = await self.look([each for each in (*arm.agents, *self.plan.agents) if each.url not in away])
            self.runs[-1] = replace(self.runs[-1], memory=seen.memory)
            self.strangers += [each for each in seen.gpu_strangers if each not in self.strangers]


async def measure_block(
    plan: ScenarioPlan,
    index: int,
    coordinator: Coordinator,
    keep: Callable[[Block], None],
    look: Look | None = None,
    *,
    loader: Loader | None = None,
    rescue: Rescue | None = None,
) -> Block:
    """Measures one block and hands it to ``keep``, also when it was interrupted.

    Args:
        plan: The scenario bound to servers.
        index: 0 for the warm-up block.
        coordinator: Runs the agents.
        keep: Gets the block.
        look: Looks around once all arms have been run, outside of the deadline; in a study after each arm.
        loader: Has the models where each arm needs them; None takes them as they are.
        rescue: Finds a way to finish the work if the block failed; None leaves it.

    Raises:
        asyncio.CancelledError: If the session was interrupted; the partial block was kept.
    """
    order = plan.order(index)
    if coordinator.onlooker is not None:
        coordinator.onlooker.block(plan, index)
    arms = _Arms(plan, coordinator, look, loader)
    error: str | None = "interrupted"
    seen = Surroundings()
    fallback = None
    try:
        error = await arms.run(order)
        if rescue is not None and (error or any(agent.error for run in arms.runs for agent in run.agents)):
            fallback = await rescue(plan, arms.runs, error)
        if fallback is not None:
            error = f"{fallback.reason}; interrupted before it had finished"
            error = await _finish(fallback, arms)
        elif error is None and look is not None and not plan.compared:
            with suppress(HarnessError, OSError):  # what was measured is worth more than what was to be seen
                seen = await look(plan.agents)
    finally:
        block = Block(
            scenario=plan.name,
            index=index,
            warmup=index == 0,
            order=order,
            runs=tuple(arms.runs),
            deadline_s=plan.deadline_s,
            error=error,
            side=plan.side,
            memory=seen.memory,
            gpu_strangers=(*seen.gpu_strangers, *arms.strangers),
            fallback=fallback.reason if fallback else None,
        )
        keep(block)
    return block


async def measure_fallback(
    plan: ScenarioPlan, fallback: Fallback, coordinator: Coordinator, keep: Callable[[Block], None]
) -> Block:
    """Does a scenario's work once where it cannot be measured any more, and hands the block to ``keep``.

    Raises:
        asyncio.CancelledError: If the session was interrupted; the partial block was kept.
    """
    arms = _Arms(plan, coordinator, None, None)
    error = f"{fallback.reason}; interrupted before it had finished"
    try:
        error = await _finish(fallback, arms)
    finally:
        runs = tuple(arms.runs)
        block = Block(plan.name, 0, True, (), runs, plan.deadline_s, error, plan.side, fallback=fallback.reason)
        keep(block)
    return block


async def _finish(fallback: Fallback, arms: _Arms) -> str:
    """Does what is left of a block's work; gives what the block's error is then."""
    before = len(arms.runs)
    try:
        async with asyncio.timeout(arms.plan.deadline_s):
            await arms.measure(fallback.arm)
    except TimeoutError:
        return f"{fallback.reason}; it did not end there within {arms.plan.deadline_s:g} s (--block-deadline)"
    except HarnessError as failure:
        return f"{fallback.reason}; that failed: {failure}"
    faults = [f"{agent.role}: {agent.error}" for run in arms.runs[before:] for agent in run.agents if agent.error]
    return f"{fallback.reason}; that failed: {'; '.join(faults)}" if faults else fallback.reason


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
    loader: Loader,
    keep: Callable[[Block], None],
    stop: Stop = lambda _blocks: False,
    look: Look | None = None,
    rescue: Rescue | None = None,
    before: Sequence[Block] = (),
) -> tuple[Block, ...]:
    """Loads the models one after the other, then measures a warm-up block and up to ``plan.runs`` blocks.

    Args:
        plan: The scenario bound to servers.
        coordinator: Runs the agents.
        loader: Has the models where each arm needs them.
        keep: Called with each block as soon as it exists.
        stop: Told all blocks after each measured one.
        look: Looks around after each block.
        rescue: Finds a way to finish the work if a block failed; that block is the last one then.
        before: Blocks that were measured before: the new ones are numbered on, and ``stop`` is told of all.

    Returns:
        All blocks, those before too.

    Raises:
        HarnessError: If the models cannot be loaded before the first block.
    """
    await loader.bring(plan.agents)
    blocks = list(before)
    done = max((block.index for block in before), default=0)
    failures = 0
    for index in (0, *range(done + 1, done + plan.runs + 1)):
        blocks.append(await measure_block(plan, index, coordinator, keep, look, loader=loader, rescue=rescue))
        failures = failures + 1 if failed(blocks[-1]) else 0
        hopeless = index == 0 and blocks[-1].error is not None  # no server, or too slow for the deadline
        if hopeless or blocks[-1].fallback or failures >= GIVE_UP_AFTER or (index and stop(blocks)):
            break
    return tuple(blocks)
