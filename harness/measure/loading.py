"""Models where an arm needs them: loaded, with what its first request asks for, or not loaded at all; never timed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from harness.measure.plan import AgentPlan, ArmPlan

LoadModel = Callable[[AgentPlan], Awaitable[None]]
"""Brings an agent's model into its server, with the agent's options."""
UnloadModel = Callable[[AgentPlan], Awaitable[None]]
"""Has an agent's model gone from its server."""


@dataclass
class Loader:
    """Brings models into servers before an arm, and knows what they hold, so that nothing is loaded twice.

    Attributes:
        load: Loads.
        unload: Unloads, and waits until the model is gone.
    """

    load: LoadModel
    unload: UnloadModel
    _held: dict[str, AgentPlan | None] = field(default_factory=dict)

    async def prepare(self, arm: ArmPlan, others: Sequence[AgentPlan]) -> tuple[AgentPlan, ...]:
        """Has every server hold what the arm's first request there needs, and gives the agents that were loaded.

        Servers of ``others`` that the arm does not use hold their model too, idle, unless it wants them absent.
        """
        for agent in arm.absent:
            if self._held.pop(agent.url, agent) is not None:  # should that fail, nobody knows what it holds
                await self.unload(agent)
            self._held[agent.url] = None
        away = {agent.url for agent in arm.absent}
        return await self.bring([each for each in (*arm.agents, *arm.background, *others) if each.url not in away])

    async def bring(self, agents: Sequence[AgentPlan]) -> tuple[AgentPlan, ...]:
        """Has each server hold what the first of these agents there needs, and gives those that were loaded."""
        first: dict[str, AgentPlan] = {}
        for agent in agents:
            first.setdefault(agent.url, agent)
        loaded = tuple(agent for url, agent in first.items() if _runner(self._held.get(url)) != agent.runner)
        for agent in loaded:  # one after the other: servers on one GPU do not coordinate
            held = self._held.pop(agent.url, None)  # should this fail, nobody knows
            if _layers(held) and not _layers(agent):
                await self.unload(agent)  # Ollama would leave the layers where they are
            await self.load(agent)
            self._held[agent.url] = agent
        return loaded

    def ran(self, arm: ArmPlan, *, well: bool) -> None:
        """The arm is over: a server whose agents differ in what they need may hold any of it.

        Args:
            arm: The arm.
            well: All of its agents have finished. If not, a runner may have died, or may still be at work, and what
                its servers hold is brought there again, lest the next arm's first request pay for it.
        """
        for agent in (*arm.agents, *arm.background):
            if not well or _runner(self._held.get(agent.url)) != agent.runner:
                self._held.pop(agent.url, None)


def _runner(agent: AgentPlan | None) -> object:
    return None if agent is None else agent.runner


def _layers(agent: AgentPlan | None) -> bool:
    """True if an agent asked for a number of GPU layers; without one, or below 0, the server chooses."""
    return agent is not None and agent.options.get("num_gpu", -1) >= 0
