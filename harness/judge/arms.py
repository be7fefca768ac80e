"""The arms of a study: the figures of each over the blocks, and against the arm it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log
from statistics import fmean, geometric_mean

from harness.judge import metrics
from harness.judge.figures import arm_figures, service_ns, tokens_of
from harness.judge.statistics import Estimate, log_estimate, mean_estimate
from harness.judge.validity import solo_run
from harness.records import AgentRun, Block, Run
from harness.records.resources import ServerUse
from harness.records.session import solo_arm

_S = 1e9
_LOCATED_AS_RATIOS = {"measured_speedup", "measured_efficiency_pct"}
_ROLE_FIGURES = ("ttft_ms", "end_to_end_ms", "tpot_ms", "itl_p50_ms", "itl_p99_ms", "tok_s")


@dataclass(frozen=True, slots=True)
class RoleSummary:
    """One agent in one arm, over the blocks.

    Attributes:
        role: The agent.
        estimates: Means by name: ``service_s`` (time in requests) and ``ttft_ms``, ``end_to_end_ms``, ``tpot_ms``,
            ``itl_p50_ms``, ``itl_p99_ms``, ``tok_s`` as in :class:`harness.judge.figures.ArmFigures`.
        against: Ratios of them to the same agent's in the arm it is compared with, paired block by block.
    """

    role: str
    estimates: Mapping[str, Estimate]
    against: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm of a study, over the blocks; what the records do not tell in every block is left out.

    Attributes:
        arm: The arm.
        reference: The arm it is compared with; None if with none.
        estimates: Means (of speedup and efficiency: geometric) by name, see :func:`arm_values`.
        against: Ratios of them to the reference arm's, paired block by block, so that a drift of the session cancels;
            only of figures that are above 0 everywhere.
        agents: Its agents, in the scenario's order.
    """

    arm: str
    reference: str | None
    estimates: Mapping[str, Estimate]
    against: Mapping[str, Estimate]
    agents: tuple[RoleSummary, ...]


def _total(values: Iterable[int | None]) -> float | None:
    """Sum; None if there is nothing, or if one is not known."""
    known = list(values)
    return None if not known or None in known else float(sum(value for value in known if value is not None))


def _memory(run: Run) -> dict[str, float | None]:
    """Memory of the servers that the arm's agents use; others may idle beside them with a model of their own."""
    used = {agent.url for agent in (*run.agents, *run.background)}
    models = {(each.url, each.model): each for each in run.memory if each.url in used}
    placed = models.values() if {url for url, _ in models} == used else ()
    servers = {each.url: each for each in (run.resources.servers if run.resources else ()) if each.url in used}
    whole = servers.values() if servers.keys() == used else ()

    def held(figure: Callable[[ServerUse], int | None]) -> float | None:
        return _total(figure(each) for each in whole)

    return {
        "model_bytes": _total(each.size for each in placed),
        "model_vram_bytes": _total(each.size_vram for each in placed),
        "rss_bytes": held(lambda each: each.rss_bytes),
        "gpu_memory_bytes": held(lambda each: each.gpu_memory_bytes),
    }


def _against_alone(block: Block, run: Run) -> dict[str, float]:
    """Speedup, efficiency and fairness of an arm, if the block has all of its agents alone too."""
    solos = [solo for agent in run.agents if (solo := block.run(solo_arm(agent.role))) is not None]
    if len(solos) < len(run.agents) or run.arm in {solo.arm for solo in solos}:
        return {}
    walls = [float(solo.wall_ns) for solo in solos]
    alone = [service_ns(solo_run(block, agent.role)) for agent in run.agents]
    return {
        "measured_speedup": metrics.measured_speedup(walls, float(run.wall_ns)),
        "measured_efficiency_pct": metrics.measured_efficiency_pct(walls, float(run.wall_ns)),
        "jain_index": metrics.fairness(alone, [service_ns(agent) for agent in run.agents]),
    }


def arm_values(block: Block, run: Run) -> dict[str, float]:
    """The figures of one arm of a valid block; what its records do not tell is left out.

    * ``wall_s``: from the start of the arm to the end of its last agent, s;
    * ``aggregate_tok_s``: tokens of its agents over it, tok/s;
    * ``ttft_ms``: time to first token, mean over an agent's requests, geometric mean over the agents, ms;
    * ``end_to_end_ms``: end-to-end latency, mean over all requests, ms;
    * ``wait_s``: from the start of the arm until an agent was let in (its turn, the stagger), mean over the agents, s;
      part of no latency;
    * ``load_s``: the server's load durations, summed over the requests, s: requests that wait for one load at the same
      time each count it;
    * ``queue_s``: the server's rest (:func:`harness.judge.metrics.queue_ns`), summed over the requests, s;
    * ``model_bytes``, ``model_vram_bytes``: the models, and what of them is in GPU memory, by ``/api/ps``; and
      ``rss_bytes``, ``gpu_memory_bytes``: what the servers' process trees held at most. All of them over the servers
      that the arm's agents use;
    * ``measured_speedup``, ``measured_efficiency_pct``: against its agents alone in the same block, and
      ``jain_index``: how equally they progress, as shares of their own pace alone.
    """
    requests = [request for agent in run.agents for request in agent.requests]
    servers = [request.server for request in requests if request.server is not None]
    told = len(servers) == len(requests)
    found: dict[str, float | None] = {
        "wall_s": run.wall_ns / _S,
        "aggregate_tok_s": metrics.tokens_per_second(tokens_of(run.agents), run.wall_ns),
        "ttft_ms": geometric_mean(fmean(map(metrics.ttft_ms, agent.requests)) for agent in run.agents),
        "end_to_end_ms": fmean(map(metrics.end_to_end_ms, requests)),
        "wait_s": fmean(agent.admitted_ns - run.started_ns for agent in run.agents) / _S,
        "load_s": sum(server.load_ns for server in servers) / _S if told else None,
        "queue_s": sum(map(metrics.queue_ns, servers)) / _S if told else None,
        **_memory(run),
        **_against_alone(block, run),
    }
    return {name: value for name, value in found.items() if value is not None}


def role_values(agent: AgentRun) -> dict[str, float]:
    """One agent's figures in one arm of a valid block."""
    figures = arm_figures(agent)
    told = {name: getattr(figures, name) for name in _ROLE_FIGURES}
    return {"service_s": service_ns(agent) / _S} | {name: value for name, value in told.items() if value is not None}


Values = Sequence[Mapping[str, float]]
"""Figures by name, one mapping a block."""


def _everywhere(blocks: Values) -> list[str]:
    return [name for name in blocks[0] if all(name in block for block in blocks)] if blocks else []


def _means(blocks: Values) -> dict[str, Estimate]:
    return {
        name: log_estimate([log(block[name]) for block in blocks])
        if name in _LOCATED_AS_RATIOS
        else mean_estimate([block[name] for block in blocks])
        for name in _everywhere(blocks)
    }


def log_ratios(blocks: Values, references: Values, name: str) -> list[float]:
    """Natural logs of one figure over the reference's, one value a block; both are above 0."""
    return [log(block[name]) - log(other[name]) for block, other in zip(blocks, references, strict=True)]


def _ratios(blocks: Values, references: Values) -> dict[str, Estimate]:
    both = [name for name in _everywhere(blocks) if name in _everywhere(references)]
    positive = [name for name in both if all(block[name] > 0 for block in (*blocks, *references))]
    return {name: log_estimate(log_ratios(blocks, references, name)) for name in positive}


@dataclass(frozen=True, slots=True)
class ArmValues:
    """One arm's figures, block by block.

    Attributes:
        arm: Of the arm as a whole.
        roles: Of each of its agents, by role.
    """

    arm: Values
    roles: Mapping[str, Values]


def measured_arms(blocks: Sequence[Block], arms: Sequence[str]) -> dict[str, ArmValues]:
    """The figures of each arm of valid blocks, all of which have all of these arms."""
    found = {}
    for arm in arms:
        runs = [(block, run) for block in blocks if (run := block.run(arm)) is not None]
        roles = {
            agents[0].role: [role_values(agent) for agent in agents]
            for agents in zip(*(run.agents for _, run in runs), strict=True)
        }
        found[arm] = ArmValues([arm_values(block, run) for block, run in runs], roles)
    return found


def summarise(arm: str, found: Mapping[str, ArmValues], reference: str | None) -> ArmSummary:
    """An arm over n >= 1 blocks; it is compared with ``reference`` if that is among ``found``."""
    values = found[arm]
    other = found.get(reference) if reference is not None else None
    return ArmSummary(
        arm=arm,
        reference=reference if other else None,
        estimates=_means(values.arm),
        against=_ratios(values.arm, other.arm) if other else {},
        agents=tuple(
            RoleSummary(role, _means(each), _ratios(each, other.roles[role]) if other and role in other.roles else {})
            for role, each in values.roles.items()
        ),
    )
