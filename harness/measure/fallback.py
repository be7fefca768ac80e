"""The work goes on with one agent at a time, on one server, when a server died or memory ran out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.measure.blocks import Fallback
from harness.measure.plan import AgentPlan, ArmPlan, ScenarioPlan
from harness.records import Run
from harness.records.errors import HarnessError
from harness.records.session import CONCURRENT, FALLBACK
from harness.servers.fleet import Server

_ANSWER_S = 5.0
_NO_MEMORY = re.compile(r"out of memory|requires more .*memory|insufficient memory|not enough memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rescuer:
    """Finds a server on which the work of a failed block can be finished.

    Attributes:
        servers: The session's servers.
    """

    servers: tuple[Server, ...]

    async def rescue(self, plan: ScenarioPlan, runs: Sequence[Run], error: str | None) -> Fallback | None:
        """The agents that have not finished together, one at a time on the first server that answers.

        None if every server answers and none was short of memory (then the failure is another one), if none answers,
        or if all work of the block is done.
        What a dead server of ours left behind is ended first: its runner would keep its memory.

        Args:
            plan: The scenario.
            runs: What was run of the block.
            error: Why it ended early, or None.
        """
        urls = tuple(dict.fromkeys(agent.url for agent in plan.agents))
        servers = [server for url in urls for server in self.servers if server.url == url]
        answers = await asyncio.gather(*(_answers(server) for server in servers))
        dead = [server for server, alive in zip(servers, answers, strict=True) if not alive]
        alive = [server for server, answered in zip(servers, answers, strict=True) if answered]
        said = [error or "", *(agent.error or "" for run in runs for agent in run.agents)]
        short = next((text for text in said if _NO_MEMORY.search(text)), None)
        left = _unfinished(plan.agents, runs)
        if not alive or not left or not (dead or short):
            return None
        for server in dead:
            if server.process is not None:
                await asyncio.to_thread(server.process.stop)
        if dead:
            why = f"{', '.join(server.url for server in dead)} died" + _last_words(dead)
        else:
            why = f"memory ran out ({short})"
            await _make_room(plan.agents, alive)
        names = ", ".join(agent.role for agent in left)
        arm = ArmPlan(FALLBACK, tuple(replace(agent, url=alive[0].url) for agent in left), slots=1)
        return Fallback(f"{why}; {names} did the work one at a time on {alive[0].url}", arm)


def _unfinished(agents: Sequence[AgentPlan], runs: Sequence[Run]) -> tuple[AgentPlan, ...]:
    """Agents that did not get through a run of all of them."""
    done = {agent.role for run in runs if run.arm == CONCURRENT for agent in run.agents if agent.error is None}
    return tuple(agent for agent in agents if agent.role not in done)


async def _answers(server: Server) -> bool:
    """True if a server answers; a process of ours that has just been killed may still do so for a moment."""
    try:
        await server.api.version(timeout_s=_ANSWER_S)
    except HarnessError:
        return False
    return server.process is None or server.process.exit_code is None


def _last_words(dead: Sequence[Server]) -> str:
    """How those of ours ended."""
    codes = [f"exit code {server.process.exit_code}" for server in dead if server.process is not None]
    return f" ({', '.join(codes)})" if codes else ""


async def _make_room(agents: Sequence[AgentPlan], alive: Sequence[Server]) -> None:
    """Unloads the agents' models everywhere."""
    for server in alive:
        for model in {agent.model for agent in agents if agent.url == server.url}:
            try:
                await server.api.unload(model)
            except HarnessError:  # the work that is to be finished shows it
                continue
