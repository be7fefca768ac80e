"""What a session knows: this package's scenarios, studies and workflows, and those that users bring, checked.

Nothing is registered anywhere: a catalogue is a value that is handed down.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite

from harness.records.errors import ConfigurationError
from harness.scenarios.catalogue import CHIMERA, CHIMERA2, SCENARIOS, AgentSpec, RunnerOptions, Scenario
from harness.scenarios.profiles import PROFILES
from harness.scenarios.studies import STUDIES, Study, study_of
from harness.scenarios.sweeps import TR110
from harness.scenarios.thresholds import DEFAULT_SCENARIO, METRICS
from harness.scenarios.workflows import ENDLESS_WORKFLOWS, WORKFLOWS, Workflow

FEWEST_AGENTS = 2
_GROUPS = (CHIMERA, CHIMERA2)
_RESERVED = (DEFAULT_SCENARIO, TR110, *STUDIES)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NUMBERED = re.compile(r".*-\d+")
_EXAMPLE = '("Writer", write)'


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Scenarios and workflows by name.

    Attributes:
        scenarios: All scenarios.
        workflows: The workflows that their agents have keys of.
        own: Where each scenario that users brought comes from, by its name.
    """

    scenarios: Mapping[str, Scenario] = field(default_factory=lambda: SCENARIOS)
    workflows: Mapping[str, Workflow] = field(default_factory=lambda: {**WORKFLOWS, **ENDLESS_WORKFLOWS})
    own: Mapping[str, str] = field(default_factory=dict)

    @property
    def usual(self) -> tuple[str, ...]:
        """What is measured where nobody chose: the users' own scenarios, or the guide's if they brought none."""
        return tuple(self.own or self.scenarios)

    def study(self, name: str) -> Study | None:
        """The study of this name (``patterns``, or ``patterns:mine``), or None."""
        return study_of(name, self.scenarios)

    def known(self, name: str) -> bool:
        """True for the name of a scenario or a study."""
        return name in self.scenarios or self.study(name) is not None

    def names(self) -> str:
        """All that ``known`` says yes to, in words."""
        return f"{', '.join((*self.scenarios, *STUDIES))}; a study of another scenario as {next(iter(STUDIES))}:NAME"

    def added(self, given: object, source: str) -> Catalogue:
        """The catalogue with more scenarios.

        Args:
            given: What a user's hook returned: scenarios.
            source: Whose hook, for messages.

        Raises:
            ConfigurationError: If it is not that, or two things have one name; in one line that says what to write.
        """
        scenarios, workflows, own = dict(self.scenarios), dict(self.workflows), dict(self.own)
        for scenario in _each_scenario(given, source):
            where = f"{source}: scenario {scenario.name!r}"
            _check_name(scenario, source, where)
            if scenario.name in scenarios:
                whose = own.get(scenario.name, "this package")
                raise ConfigurationError(f"{where} is there already, from {whose}: give it another name")
            agents = tuple(_each_agent(scenario, where))
            _check_agents(agents, where)
            _check_limits(scenario, where)
            keyed = [_keyed(scenario, agent, workflows, where) for agent in agents]
            scenarios[scenario.name] = replace(scenario, agents=tuple(agent for agent, _ in keyed))
            workflows |= {agent.key: workflow for agent, workflow in keyed}
            own[scenario.name] = source
        return Catalogue(scenarios, workflows, own)


def _each_scenario(given: object, source: str) -> Iterator[Scenario]:
    if given is None:
        return
    scenarios = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else (given,)
    for scenario in scenarios:
        if not isinstance(scenario, Scenario):
            raise ConfigurationError(
                f"{source}: pytest_concurrency_scenarios must return Scenarios, [Scenario(...)], not {_shown(scenario)}"
            )
        yield scenario


def _shown(value: object) -> str:
    kind = type(value).__name__
    return f"the {kind} {str(value)[:40]!r}" if isinstance(value, str | bytes | int | float) else f"a {kind}"


def _check_name(scenario: Scenario, source: str, where: str) -> None:
    name = scenario.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{source}: a scenario's name must be a word of letters, digits, _ and -, not {_shown(name)}"
        )
    if name in _RESERVED:
        raise ConfigurationError(f"{where}: this name is taken for something else: give it another one")
    if not isinstance(scenario.title, str) or not scenario.title.strip():
        raise ConfigurationError(f"{where}: its title must be some words, not {_shown(scenario.title)}")


def _each_agent(scenario: Scenario, where: str) -> Iterator[AgentSpec]:
    agents: object = scenario.agents
    if not isinstance(agents, Iterable) or isinstance(agents, str | bytes):
        raise ConfigurationError(f"{where}: its agents must be AgentSpecs, not {_shown(agents)}")
    for agent in agents:
        if not isinstance(agent, AgentSpec):
            raise ConfigurationError(f"{where}: each agent must be an AgentSpec{_EXAMPLE}, not {_shown(agent)}")
        yield agent


def _check_agents(agents: tuple[AgentSpec, ...], where: str) -> None:
    if len(agents) < FEWEST_AGENTS:
        raise ConfigurationError(f"{where} has {len(agents) or 'no'} agent: what agents cost each other takes two")
    seen: set[str] = set()
    for agent in agents:
        role: object = agent.role
        if not isinstance(role, str) or not _NAME.fullmatch(role) or _NUMBERED.fullmatch(role) or role in _GROUPS:
            raise ConfigurationError(
                f"{where}: a role must be a word of letters, digits, _ and -, without a number at its end as in "
                f"Writer-2 (--agents gives those) and other than {' and '.join(_GROUPS)}, not {_shown(role)}"
            )
        if role in seen:
            raise ConfigurationError(f"{where}: two agents have the role {role!r}: give each a role of its own")
        seen.add(role)
        if agent.group not in (None, *_GROUPS):
            raise ConfigurationError(
                f"{where}: {role}'s group must be None, {' or '.join(map(repr, _GROUPS))}, not {_shown(agent.group)}"
            )
        if not isinstance(agent.options, RunnerOptions):
            shown = _shown(agent.options)
            raise ConfigurationError(f"{where}: {role}'s options must be RunnerOptions(...), not {shown}")
        for name, value in asdict(agent.options).items():
            if value is not None and not _is_number(value):
                raise ConfigurationError(f"{where}: {role}'s {name} must be a number, not {_shown(value)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _check_limits(scenario: Scenario, where: str) -> None:
    limits: object = scenario.limits
    if not isinstance(limits, Mapping):
        raise ConfigurationError(f'{where}: its limits must be {{"measured_speedup": 1.0}}, not {_shown(limits)}')
    for name, value in limits.items():
        if name in PROFILES and isinstance(value, Mapping):
            for metric, number in value.items():
                _check_limit(metric, number, f"{where}, {name}")
        else:
            _check_limit(name, value, where)


def _check_limit(metric: object, value: object, where: str) -> None:
    if metric not in METRICS:
        raise ConfigurationError(
            f"{where}: no limit can be on {metric!r}: metrics are {', '.join(METRICS)}; profiles, with a table of "
            f"limits each, {', '.join(PROFILES)}"
        )
    if not _is_number(value):
        raise ConfigurationError(f"{where}: the limit of {metric} must be a number, not {_shown(value)}")


def _keyed(
    scenario: Scenario, agent: AgentSpec, workflows: Mapping[str, Workflow], where: str
) -> tuple[AgentSpec, Workflow]:
    """The agent with its workflow's key in place of a function, and the workflow."""
    workflow: object = agent.workflow
    if isinstance(workflow, str):
        if workflow not in WORKFLOWS:
            raise ConfigurationError(
                f"{where}: {agent.role}'s workflow {workflow!r} is unknown: give an `async def` function, or one of "
                f"{', '.join(WORKFLOWS)}"
            )
        return agent, workflows[workflow]
    if not callable(workflow) or not (
        inspect.iscoroutinefunction(workflow) or inspect.iscoroutinefunction(workflow.__call__)
    ):
        what = f"the function {workflow.__name__}" if inspect.isroutine(workflow) else _shown(workflow)
        raise ConfigurationError(
            f"{where}: {agent.role}'s workflow must be a coroutine function, `async def {agent.role.lower()}(ask)`, "
            f"not {what}"
        )
    try:
        inspect.signature(workflow).bind(object())
    except TypeError:
        raise ConfigurationError(
            f"{where}: {agent.role}'s workflow must take one argument, `async def {agent.role.lower()}(ask)`"
        ) from None
    return replace(agent, workflow=f"{scenario.name}/{agent.role}"), workflow
