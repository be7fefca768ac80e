"""Scenarios and studies bound to the session's servers: who runs where, with which threads and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.measure import AgentPlan, RequestSettings, ScenarioPlan, bind
from harness.measure.studies import (
    Arms,
    Ground,
    control_arms,
    drawing_arms,
    ladder_arms,
    pattern_arms,
    sampling_arms,
    scaling_arms,
)
from harness.plugin.options import Settings
from harness.records import Block, ServerInfo, Session
from harness.records.session import BASE, solo_arm
from harness.scenarios import PROFILES, Scenario, Study
from harness.scenarios.studies import MITIGATION, PATTERN_STUDIES, study_kind
from harness.servers.host import is_local, threads_per_server, usable_cores

Options = dict[str, dict[str, dict[str, float]]]
"""Per scenario and role, the Ollama options of every request, and what else of it was asked for."""


def num_threads(settings: Settings, infos: Sequence[ServerInfo]) -> tuple[tuple[int | None, ...], str]:
    """``num_thread`` by server (None sends none), and the reason in words."""
    count = len(infos)
    if settings.num_thread is not None:
        return (settings.num_thread or None,) * count, "--num-thread"
    if any(info.size_vram > 0 for info in infos):
        return (None,) * count, "not sent, the model is in GPU memory"
    if not all(is_local(info.url) for info in infos):
        return (None,) * count, "not sent, the servers' cores are not known: set --num-thread on CPU-only hosts"
    cores = usable_cores()
    return threads_per_server(count, cores, settings.selection.pins), f"no GPU: {cores} usable cores, {count} servers"


def threads_alone(settings: Settings, together: Sequence[int | None]) -> int | None:
    """``num_thread`` of a server that is used alone: on CPUs all that it may use."""
    if settings.num_thread is not None or together[0] is None:
        return together[0]
    pins = settings.selection.pins
    return threads_per_server(1, usable_cores(), pins[:1])[0]


@dataclass(frozen=True, slots=True)
class Planner:
    """Binds scenarios to servers.

    Attributes:
        settings: The checked options.
        session: Servers, model and profile.
        threads: ``num_thread`` by server.
        parallel_url: The server that works on several requests at once, or None.
        drawn: There is a live terminal.
    """

    settings: Settings
    session: Session
    threads: tuple[int | None, ...]
    parallel_url: str | None
    drawn: bool = False

    @property
    def _urls(self) -> tuple[str, ...]:
        return tuple(server.url for server in self.session.servers)

    @property
    def _requests(self) -> RequestSettings:
        tokens = self.settings.num_predict or PROFILES[self.session.profile].num_predict
        return RequestSettings(tokens, self.settings.seed, self.threads, self.settings.padding)

    def scenario(self, scenario: Scenario) -> ScenarioPlan:
        """A scenario's plan."""
        return ScenarioPlan(
            name=scenario.name,
            agents=bind(scenario, self._urls, self.session.model, self._requests),
            runs=self.settings.stopping.runs,
            seed=self.settings.seed,
            max_concurrent=self.session.max_concurrent,
            deadline_s=self.settings.deadline_s,
            stagger_s=self.settings.stagger_s,
        )

    def study(self, study: Study) -> tuple[ScenarioPlan, Mapping[str, str]]:
        """A study's plan, and the arms that cannot be run here, with the reason."""
        ground = self._ground(self.settings.studied[study.scenario])
        kind = study_kind(study.name)
        if kind in PATTERN_STUDIES:
            return self._compared(study.name, ground, pattern_arms(ground))
        if kind == "drawing":
            return self._compared(study.name, ground, drawing_arms(ground, drawn=self.drawn))
        arms = {"controls": control_arms, "scaling": scaling_arms, "sampling": sampling_arms}[kind]
        return self._compared(study.name, ground, arms(ground))

    def ladder(self, scenario: str, blocks: Sequence[Block]) -> tuple[ScenarioPlan, Mapping[str, str]]:
        """The plan that tries remedies on a scenario, whose measured blocks tell how far to stagger."""
        cells = {each.name: each for each in self.settings.scenarios}  # of a sweep, if there is one
        ground = self._ground(cells.get(scenario) or self.settings.studied[scenario])
        size = sum(info.size for info in self.session.servers)
        share = sum(info.size_vram for info in self.session.servers) / size if size else 0.0
        arms = ladder_arms(ground, _mean_solo_s(blocks) / len(ground.agents), share, self.settings.stagger_s)
        return self._compared(MITIGATION + scenario, ground, arms)

    def _ground(self, scenario: Scenario) -> Ground:
        alone = replace(self._requests, num_threads=(threads_alone(self.settings, self.threads),))
        return Ground(
            scenario=scenario,
            urls=self._urls,
            parallel_url=self.parallel_url,
            model=self.session.model,
            requests=self._requests,
            alone=alone,
            slots=self.session.max_concurrent,
        )

    def _compared(self, name: str, ground: Ground, arms: Arms) -> tuple[ScenarioPlan, Mapping[str, str]]:
        plan = ScenarioPlan(
            name=name,
            agents=ground.agents,
            runs=self.settings.study_runs,
            seed=self.settings.seed,
            max_concurrent=ground.slots,
            deadline_s=self.settings.deadline_s,
            compared=arms.compared,
        )
        return plan, arms.left_out


def _mean_solo_s(blocks: Sequence[Block]) -> float:
    """Mean wall time of the solo runs, s; 0 if there are none."""
    walls = [
        run.wall_ns / 1e9
        for block in blocks
        for run in block.runs
        for agent in run.agents
        if run.arm == solo_arm(agent.role)
    ]
    return sum(walls) / len(walls) if walls else 0.0


def base_plan(plan: ScenarioPlan, urls: Sequence[str], model: str, options: dict[str, float]) -> ScenarioPlan:
    """The same scenario on the base: its servers and model, its options over the scenario's."""
    agents = tuple(
        replace(agent, url=urls[i % len(urls)], model=model, options=agent.options | options)
        for i, agent in enumerate(plan.agents)
    )
    return replace(plan, agents=agents, side=BASE)


def options_of(plans: Mapping[str, ScenarioPlan]) -> Options:
    """What every agent sends, as a journal keeps it; its prompt's padding and the stagger of starts too, if any.

    Sessions that differ in any of that cannot be compared, and one cannot go on with the other's journal.
    """

    def sent(plan: ScenarioPlan, agent: AgentPlan) -> dict[str, float]:
        more = {"prompt_words": agent.padding, "stagger_s": plan.stagger_s}
        return agent.options | {name: value for name, value in more.items() if value}

    return {name: {agent.role: sent(plan, agent) for agent in plan.agents} for name, plan in plans.items()}
