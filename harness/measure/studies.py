"""The arms of studies, bound to servers: the same work in other patterns, beside other company, or with a remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.measure.plan import AgentPlan, ArmPlan, RequestSettings, bind, solo_arms
from harness.records.errors import ConfigurationError
from harness.records.session import CONCURRENT
from harness.scenarios import Scenario
from harness.scenarios.studies import (
    ABSENT,
    DECODE,
    DUAL,
    IDLE,
    MORE_GPU_LAYERS,
    ONE_SERVER,
    PREFILL,
    SEQUENTIAL,
    SINGLE,
    SINGLE_PARALLEL,
    SMALLER_CONTEXT,
    STAGGERED,
    UNDRAWN,
    UNSAMPLED,
    control_arm,
    together_arm,
    together_sizes,
)
from harness.scenarios.workflows import ONLY_DECODE, ONLY_PREFILL

SMALL_CONTEXT = 512
"""The guide's smaller context, tokens."""
ALL_LAYERS = 999
_USUAL_CONTEXT = 4096
_LONG_ANSWERS = 8


@dataclass(frozen=True, slots=True)
class Arms:
    """The arms of a study.

    Attributes:
        compared: The arms.
        left_out: Those that cannot be run here, with the reason.
    """

    compared: tuple[ArmPlan, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a study has to work with.

    Attributes:
        scenario: Whose agents do the work.
        urls: The agents' servers.
        parallel_url: The server that works on as many requests at once as there are agents; None if there is none.
        model: The model.
        requests: What the requests share when every server has its agents.
        alone: The same for a server that is used alone: on CPUs it may use all cores then.
        slots: Slots of the coordinator's semaphore.
    """

    scenario: Scenario
    urls: tuple[str, ...]
    parallel_url: str | None
    model: str
    requests: RequestSettings
    alone: RequestSettings
    slots: int

    @property
    def agents(self) -> tuple[AgentPlan, ...]:
        """The agents on their servers."""
        return bind(self.scenario, self.urls, self.model, self.requests)

    def on(self, url: str) -> tuple[AgentPlan, ...]:
        """All agents on one server."""
        return bind(self.scenario, (url,), self.model, self.alone)


def pattern_arms(ground: Ground) -> Arms:
    """The work on all servers, on one, on one that works on several requests at once, and one agent after the other.

    A server that a pattern does not use holds no model meanwhile: its memory is not that pattern's.
    """
    one = ground.urls[0]
    parallel = ground.on(ground.parallel_url) if ground.parallel_url else ()

    def arm(name: str, agents: tuple[AgentPlan, ...], slots: int) -> ArmPlan:
        return ArmPlan(name, agents, slots, absent=_elsewhere((*ground.agents, *parallel), agents))

    arms = [
        arm(DUAL, ground.agents, ground.slots),
        arm(SINGLE, ground.on(one), ground.slots),
        arm(SEQUENTIAL, ground.on(one), 1),
    ]
    if not parallel:
        return Arms(tuple(arms), {SINGLE_PARALLEL: "no server that works on several requests at once: --parallel-url"})
    return Arms((*arms, arm(SINGLE_PARALLEL, parallel, ground.slots)), {})


def control_arms(ground: Ground) -> Arms:
    """Each agent beside absent, idle, prefilling and decoding others; those that share its server are none of them.

    Raises:
        ConfigurationError: If all agents share one server.
    """
    agents = ground.agents
    if len({agent.url for agent in agents}) == 1:
        raise ConfigurationError(
            "--scenario controls: all agents share one server, and none can be kept apart from the others: "
            "give them servers of their own (--servers 2, or --url for each)"
        )
    arms: list[ArmPlan] = []
    for agent in agents:
        others = tuple(other for other in agents if other.url != agent.url)
        away = _elsewhere(agents, (agent,))
        arms += [
            ArmPlan(control_arm(ABSENT, agent.role), (agent,), 1, absent=away),
            ArmPlan(control_arm(IDLE, agent.role), (agent,), 1),
            ArmPlan(control_arm(PREFILL, agent.role), (agent,), 1, background=tuple(map(_prefilling, others))),
            ArmPlan(control_arm(DECODE, agent.role), (agent,), 1, background=tuple(map(_decoding, others))),
        ]
    return Arms(tuple(arms), {})


def _elsewhere(agents: Sequence[AgentPlan], here: Sequence[AgentPlan]) -> tuple[AgentPlan, ...]:
    """One agent for each server that those ``here`` do not use."""
    used = {agent.url for agent in here}
    return tuple({agent.url: agent for agent in agents if agent.url not in used}.values())


def _context(agent: AgentPlan) -> int:
    return int(agent.options.get("num_ctx", _USUAL_CONTEXT))


def _prefilling(agent: AgentPlan) -> AgentPlan:
    """Prompts of a good third of the context, one token each."""
    options = agent.options | {"num_predict": 1}
    return replace(agent, workflow=ONLY_PREFILL, options=options, padding=_context(agent) * 3 // 8)


def _decoding(agent: AgentPlan) -> AgentPlan:
    """Short prompts, long answers."""
    tokens = min(_LONG_ANSWERS * agent.options["num_predict"], _context(agent) // 2)
    return replace(agent, workflow=ONLY_DECODE, options=agent.options | {"num_predict": tokens}, padding=0)


def scaling_arms(ground: Ground) -> Arms:
    """Each agent alone, and the first 2, 4, 8 ... of them at once, all at last."""
    agents = ground.agents
    sizes = together_sizes(len(agents))
    arms = [ArmPlan(together_arm(size), agents[:size], min(size, ground.slots)) for size in sizes]
    return Arms((*solo_arms(agents), *arms), {})


def sampling_arms(ground: Ground) -> Arms:
    """Each agent alone, and all together with and without the sampler of resources."""
    together = ArmPlan(CONCURRENT, ground.agents, ground.slots)
    return Arms((*solo_arms(ground.agents), together, replace(together, name=UNSAMPLED, sampled=False)), {})


def drawing_arms(ground: Ground, *, drawn: bool) -> Arms:
    """Each agent alone, and all together with and without the live terminal; ``drawn``: there is one."""
    together = ArmPlan(CONCURRENT, ground.agents, ground.slots)
    arms = (*solo_arms(ground.agents), together)
    if not drawn:
        return Arms(arms, {UNDRAWN: "nothing is drawn here anyway: there is no live terminal"})
    return Arms((*arms, replace(together, name=UNDRAWN, drawn=False)), {})


def ladder_arms(ground: Ground, delay_s: float, gpu_share: float, stagger_s: float = 0.0) -> Arms:
    """The scenario as it is, and with each of the guide's remedies alone.

    Args:
        ground: The scenario and its servers.
        delay_s: Delay of each start after the one before it that is tried as a remedy, s.
        gpu_share: Share of the model that is in GPU memory, 0 to 1.
        stagger_s: The delay that the scenario has as it is, s.
    """
    agents = ground.agents
    together = ArmPlan(CONCURRENT, agents, ground.slots, stagger_s)
    arms = [*solo_arms(agents), together]
    left_out: dict[str, str] = {}
    if stagger_s:
        left_out[STAGGERED] = f"starts are staggered already, by {stagger_s:g} s"
    else:
        arms.append(replace(together, name=STAGGERED, stagger_s=delay_s))
    if any(_context(agent) > SMALL_CONTEXT for agent in agents):
        arms.append(replace(together, name=SMALLER_CONTEXT, agents=tuple(map(_smaller, agents))))
    else:
        left_out[SMALLER_CONTEXT] = f"no agent's num_ctx is above {SMALL_CONTEXT}"
    if 0 < gpu_share < 1:
        more = tuple(replace(agent, options=agent.options | {"num_gpu": ALL_LAYERS}) for agent in agents)
        arms.append(replace(together, name=MORE_GPU_LAYERS, agents=more))
    else:
        left_out[MORE_GPU_LAYERS] = "the model is in GPU memory already" if gpu_share else "the model is on no GPU"
    if len(ground.urls) > 1:
        together_there = ground.on(ground.urls[0])
        absent = _elsewhere(agents, together_there)
        arms.append(replace(together, name=ONE_SERVER, agents=together_there, absent=absent))
    else:
        left_out[ONE_SERVER] = "there is only one server"
    return Arms(tuple(arms), left_out)


def _smaller(agent: AgentPlan) -> AgentPlan:
    smaller = min(_context(agent), SMALL_CONTEXT)
    return replace(agent, options=agent.options | {"num_ctx": smaller})
