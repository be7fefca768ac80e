"""Has scenarios, pairs and studies measured on the session's servers, and knows what those hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from harness.measure import (
    AgentPlan,
    Coordinator,
    Loader,
    Look,
    Rescuer,
    ScenarioPlan,
    Stop,
    measure_fallback,
    measure_pairs,
    measure_scenario,
)
from harness.records import Block
from harness.servers.fleet import Server


@dataclass
class Driver:
    """Measures on some servers.

    Attributes:
        servers: The ready servers, those of a base too.
        coordinator: Runs the agents.
        look: Looks around after every block.
        keep: Gets every block as soon as it exists.
        load_s: Time that loading a model may take, s.
    """

    servers: tuple[Server, ...]
    coordinator: Coordinator
    look: Look
    keep: Callable[[Block], None]
    load_s: float
    _loader: Loader = field(init=False)

    def __post_init__(self) -> None:
        """One loader for the session: it knows what the servers hold."""
        self._loader = Loader(self._load, self._unload)

    async def scenario(self, plan: ScenarioPlan, stop: Stop, before: Sequence[Block] = (), runs: int = 0) -> None:
        """Measures a scenario or a study; if a server has died, its work is done once, one agent at a time.

        Args:
            plan: The scenario.
            stop: Told all blocks after each measured one.
            before: Its blocks so far.
            runs: Blocks to measure; 0: as many as planned.

        Raises:
            HarnessError: If no server is left, or a model cannot be loaded before the first block.
        """
        rescue = Rescuer(self.servers).rescue
        fallback = await rescue(plan, (), None)
        if fallback is not None:
            await measure_fallback(plan, fallback, self.coordinator, self.keep)
            return
        self.ensure_alive()
        await measure_scenario(
            replace(plan, runs=runs or plan.runs),
            self.coordinator,
            loader=self._loader,
            keep=self.keep,
            stop=stop,
            look=self.look,
            rescue=rescue,
            before=before,
        )

    async def pairs(self, plan: ScenarioPlan, base: ScenarioPlan, stop: Stop) -> None:
        """Measures pairs of blocks of a candidate and its base.

        Raises:
            HarnessError: If a server has died, or a model cannot be loaded before the first block.
        """
        self.ensure_alive()
        await measure_pairs(
            plan, base, self.coordinator, loader=self._loader, keep=self.keep, stop=stop, look=self.look
        )

    def ensure_alive(self) -> None:
        """Raises a ServerError with the last log lines if a server of ours has ended."""
        for server in self.servers:
            server.ensure_alive()

    def _server(self, agent: AgentPlan) -> Server:
        return next(server for server in self.servers if server.url == agent.url)

    async def _load(self, agent: AgentPlan) -> None:
        await self._server(agent).api.load(agent.model, agent.options, deadline_s=self.load_s)

    async def _unload(self, agent: AgentPlan) -> None:
        await self._server(agent).api.unload_wholly(agent.model)
