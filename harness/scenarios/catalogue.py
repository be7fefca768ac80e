"""The three scenarios of the guide, and the options their agents send to Ollama."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from harness.scenarios.workflows import Workflow

CHIMERA = "chimera"
CHIMERA2 = "chimera2"


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """Options of one agent's requests; None is not sent, so the server's default holds.

    Attributes:
        num_gpu: Layers on the GPU.
        num_ctx: Context length, tokens.
        temperature: Sampling temperature.
        top_p: Nucleus sampling's share.
        top_k: Sampling's number of candidates.
        repeat_penalty: Penalty on repeated tokens.
    """

    num_gpu: int | None = None
    num_ctx: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repeat_penalty: float | None = None

    def sent(self) -> dict[str, float]:
        """The options that are sent, by Ollama's names."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent of a scenario.

    Attributes:
        role: Its name, unique in the scenario.
        workflow: Its workflow: ``async def mine(ask)``, or the key of a known one, such as ``insight``.
        options: What it sends with each request.
        group: Command-line group (``chimera`` or ``chimera2``) that may override the options, or None.
    """

    role: str
    workflow: str | Workflow
    options: RunnerOptions = RunnerOptions()
    group: str | None = None

    @property
    def key(self) -> str:
        """Key of its workflow; a catalogue puts it in the function's place.

        Raises:
            TypeError: If the scenario is in no catalogue yet.
        """
        if not isinstance(self.workflow, str):
            raise TypeError(f"the workflow of {self.role} has no key: its scenario is in no catalogue yet")
        return self.workflow


@dataclass(frozen=True, slots=True)
class Scenario:
    """Agents that run together; agent ``i`` talks to server ``i``, modulo the servers' number.

    Attributes:
        name: Its name on the command line.
        title: What it is, in words.
        agents: Two or more.
        limits: Limits of its own by metric, for every profile; under a profile's name those that hold only there, over
            the others: ``{"measured_speedup": 1.0, "gpu": {"measured_speedup": 1.2}}``. They go over the default ones
            of the thresholds' table; what that table says of the scenario by name goes over them.
    """

    name: str
    title: str
    agents: tuple[AgentSpec, ...]
    limits: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict, hash=False)


def _chimera(num_gpu: int, num_ctx: int, temperature: float) -> RunnerOptions:
    return RunnerOptions(num_gpu, num_ctx, temperature, top_p=0.9, top_k=40, repeat_penalty=1.1)


def _pair(name: str, title: str, first: AgentSpec, second: AgentSpec) -> Scenario:
    return Scenario(name, title, (first, second))


def _collector(options: RunnerOptions, group: str | None) -> AgentSpec:
    return AgentSpec("DataCollector", "data_collector", options, group)


def _insight(options: RunnerOptions, group: str | None) -> AgentSpec:
    return AgentSpec("Insight", "insight", options, group)


SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        _pair(
            "baseline_vs_chimera",
            "Ollama's defaults beside a tuned agent",
            _collector(RunnerOptions(), None),
            _insight(_chimera(80, 512, 0.8), CHIMERA),
        ),
        _pair(
            "chimera_hetero",
            "two tuned agents with different options",
            _collector(_chimera(80, 512, 0.8), CHIMERA),
            _insight(_chimera(100, 1024, 1.0), CHIMERA2),
        ),
        _pair(
            "chimera_homo",
            "two tuned agents with the same options",
            _collector(_chimera(80, 2048, 1.0), CHIMERA),
            _insight(_chimera(80, 2048, 1.0), CHIMERA2),
        ),
    )
}


def with_agents(scenario: Scenario, count: int) -> Scenario:
    """The scenario with so many agents: its own again and again, numbered from the second time on."""
    own = scenario.agents
    turns = [divmod(position, len(own)) for position in range(count)]
    agents = (replace(own[i], role=own[i].role if turn == 0 else f"{own[i].role}-{turn + 1}") for turn, i in turns)
    return replace(scenario, agents=tuple(agents))


def with_overrides(scenario: Scenario, overrides: Mapping[str, RunnerOptions]) -> Scenario:
    """The scenario with the options that a group (``chimera``, ``chimera2``) sets put in place of its own."""

    def changed(agent: AgentSpec) -> AgentSpec:
        given = overrides.get(agent.group or "")
        if given is None:
            return agent
        values = {name: value for name, value in asdict(given).items() if value is not None}
        return replace(agent, options=replace(agent.options, **values))

    return replace(scenario, agents=tuple(changed(agent) for agent in scenario.agents))
