"""What is to be measured, as plain data: a block can be driven by something else than this process."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.records.session import CANDIDATE, CONCURRENT, Side, solo_arm
from harness.scenarios import Scenario

_SALT: dict[Side, str] = {"candidate": "", "base": ":base"}
_SAMPLING = {"num_predict", "seed", "temperature", "top_p", "top_k", "min_p", "repeat_penalty", "repeat_last_n", "stop"}


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent bound to a server.

    Attributes:
        role: The agent's name.
        workflow: Key of its workflow.
        url: Base URL of its server.
        model: Model name there.
        options: Ollama options of every request (runner options too: a change makes the server reload).
        padding: Words put before each of its prompts, to make their prefill longer.
    """

    role: str
    workflow: str
    url: str
    model: str
    options: dict[str, float] = field(default_factory=dict)
    padding: int = 0

    @property
    def runner(self) -> tuple[str, tuple[tuple[str, float], ...]]:
        """Model and options that the server holds it with; another value makes the server load again."""
        return self.model, tuple(sorted((name, v) for name, v in self.options.items() if name not in _SAMPLING))


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """Agents that run together, once a block.

    Attributes:
        name: The arm.
        agents: Whom its figures are about.
        slots: Slots of the coordinator's semaphore.
        stagger_s: Each agent starts so much later than the one before it, s.
        background: Agents that keep their servers busy until the others have ended.
        absent: Agents whose servers hold no model meanwhile.
        sampled: Whether resources are sampled meanwhile.
        drawn: Whether the live terminal is drawn meanwhile, if there is one.
    """

    name: str
    agents: tuple[AgentPlan, ...]
    slots: int
    stagger_s: float = 0.0
    background: tuple[AgentPlan, ...] = ()
    absent: tuple[AgentPlan, ...] = ()
    sampled: bool = True
    drawn: bool = True


def solo_arms(agents: tuple[AgentPlan, ...]) -> tuple[ArmPlan, ...]:
    """Each agent alone."""
    return tuple(ArmPlan(solo_arm(agent.role), (agent,), slots=1) for agent in agents)


@dataclass(frozen=True, slots=True)
class ScenarioPlan:
    """A scenario, or a study, bound to servers.

    Attributes:
        name: The scenario.
        agents: Its agents.
        runs: Measured blocks, the warm-up block not counted.
        seed: Seed of the order of arms.
        max_concurrent: Slots of the coordinator's semaphore while all agents run.
        deadline_s: Time that a block may take, s.
        side: The candidate, or the base that it is compared with.
        stagger_s: While all agents run, each starts so much later than the one before it, s.
        compared: The arms of a study; () for a scenario's own: each agent alone, and all together.
    """

    name: str
    agents: tuple[AgentPlan, ...]
    runs: int
    seed: int
    max_concurrent: int
    deadline_s: float
    side: Side = CANDIDATE
    stagger_s: float = 0.0
    compared: tuple[ArmPlan, ...] = ()

    @property
    def arms(self) -> Mapping[str, ArmPlan]:
        """The arms of each block by name."""
        together = ArmPlan(CONCURRENT, self.agents, self.max_concurrent, self.stagger_s)
        return {arm.name: arm for arm in self.compared or (*solo_arms(self.agents), together)}

    def order(self, index: int) -> tuple[str, ...]:
        """The arms of block ``index``, shuffled; the same for the same seed."""
        names = list(self.arms)
        random.Random(f"{self.seed}:{self.name}:{index}{_SALT[self.side]}").shuffle(names)  # noqa: S311 - an order, not a secret
        return tuple(names)


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What every request of a session shares.

    Attributes:
        num_predict: Tokens to generate.
        seed: Sampling seed.
        num_threads: Threads by server, to send as ``num_thread``; None sends nothing.
        padding: Words put before each prompt, by role.
    """

    num_predict: int
    seed: int
    num_threads: tuple[int | None, ...]
    padding: Mapping[str, int] = field(default_factory=dict)


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
        padding = settings.padding.get(agent.role, 0)
        plans.append(AgentPlan(agent.role, agent.key, urls[server], model, options, padding))
    return tuple(plans)
