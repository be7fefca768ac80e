"""What is to be measured, as plain data: a block can be driven by something else than this process."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from harness.records.session import CANDIDATE, CONCURRENT, Side, solo_arm
from harness.scenarios import Scenario

_SALT: dict[Side, str] = {"candidate": "", "base": ":base"}


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent bound to a server.

    Attributes:
        role: The agent's name.
        workflow: Key of its workflow.
        url: Base URL of its server.
        model: Model name there.
        options: Ollama options of every request (runner options too: a change makes the server reload).
    """

    role: str
    workflow: str
    url: str
    model: str
    options: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """A scenario bound to servers.

    Attributes:
        name: The scenario.
        agents: Its agents.
        runs: Measured blocks, the warm-up block not counted.
        seed: Seed of the order of arms.
        max_concurrent: Slots of the coordinator's semaphore.
        deadline_s: Time that a block may take, s.
        side: The candidate, or the base that it is compared with.
    """

    name: str
    agents: tuple[AgentPlan, ...]
    runs: int
    seed: int
    max_concurrent: int
    deadline_s: float
    side: Side = CANDIDATE

    def order(self, index: int) -> tuple[str, ...]:
        """The arms of block ``index``, shuffled; the same for the same seed."""
        arms = [*(solo_arm(agent.role) for agent in self.agents), CONCURRENT]
        random.Random(f"{self.seed}:{self.name}:{index}{_SALT[self.side]}").shuffle(arms)  # noqa: S311 - an order, not a secret
        return tuple(arms)


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What every request of a session shares.

    Attributes:
        num_predict: Tokens to generate.
        seed: Sampling seed.
        num_threads: Threads by server, to send as ``num_thread``; None sends nothing.
    """

    num_predict: int
    seed: int
    num_threads: tuple[int | None, ...]


def bind(scenario: Scenario, urls: tuple[str, ...], model: str, settings: RequestSettings) -> tuple[AgentPlan, ...]:
    """Binds agent ``i`` of a scenario to server ``i`` (modulo their number)."""
    plans = []
    for position, agent in enumerate(scenario.agents):
        server = position % len(urls)
        options: dict[str, float] = {
            **agent.options.sent(),
            "num_predict": settings.num_predict,
            "seed": settings.seed,
        }
        threads = settings.num_threads[server]
        if threads is not None:
            options["num_thread"] = threads
        plans.append(AgentPlan(agent.role, agent.workflow, urls[server], model, options))
    return tuple(plans)
