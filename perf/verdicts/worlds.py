"""What is recorded: worlds whose noise is dialled in, and changes for the worse. Pure data, settled by a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final

from harness.measure import AgentPlan, ScenarioPlan
from harness.records.session import BASE, CONCURRENT, Side
from harness.scenarios import Ask, Workflow
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig

SCENARIO = "pair"
ROLES = ("A", "B")
MODEL = "truth"
TTFT_MS, GAP_MS, TOKENS = 40.0, 10.0, 5
CONTENTION = 1.25
"""How much slower two requests of the base run together than alone."""
DEADLINE_S = 60.0
_PHASES = ("prefill", "decode")


@dataclass(frozen=True, slots=True)
class World:
    """A host with known noise.

    Attributes:
        name: Its key.
        title: Its name in tables.
        run_sd: SD of the logarithm of the factor that each run's durations have, both agents alike.
        session_sd: The same of the factor that a whole session has, both sides alike.
    """

    name: str
    title: str
    run_sd: float
    session_sd: float


PACED: Final[Mapping[str, World]] = {
    world.name: world
    for world in (World("quiet", "paced, quiet", 0.01, 0.0), World("shared", "paced, shared host", 0.03, 0.03))
}
"""Worlds of ground-truth servers."""
EMBEDDED: Final = "embedded"
"""The world of the real engine, whose noise nobody knows."""
CHANGES: Final = (0, 5, 10)
"""By how many per cent the candidate's concurrent runs take longer; 0 is base against base (A/A)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One session that is to be recorded.

    Attributes:
        world: Key of its world.
        change_pct: What the candidate is worse by, %.
        number: Number of the session among those of its world and change, from 0.
        seed: Of its noise, its coins and the order of arms.
        pairs: Pairs of blocks after the warm-up pair.
    """

    world: str
    change_pct: int
    number: int
    seed: int
    pairs: int

    @property
    def name(self) -> str:
        """Name of its file, without the ending."""
        return f"{self.world}-{self.change_pct:02}-{self.number:04}"


def plan_jobs(seed: int, pairs: int, counts: Mapping[tuple[str, int], int]) -> list[Job]:
    """Sessions in the order of recording, all kinds spread evenly over it: what the host does meets all alike.

    Args:
        seed: Of everything.
        pairs: Pairs of blocks in each session.
        counts: Number of sessions by world and change.
    """
    found = [
        (number / count, Job(world, change_pct, number, _seed(seed, world, change_pct, number), pairs))
        for (world, change_pct), count in counts.items()
        for number in range(count)
    ]
    return [job for _, job in sorted(found, key=lambda each: each[0])]


def _seed(*parts: object) -> int:
    return _random(*parts).randrange(2**31)


def _random(*parts: object) -> random.Random:
    return random.Random(":".join(map(str, parts)))  # noqa: S311 - noise, no secret


async def _one_call(ask: Ask) -> None:
    await ask("call", "hello")


ONE_CALL: Final[Mapping[str, Workflow]] = {"one call": _one_call}


def agents(urls: Sequence[str], model: str, options: Mapping[str, float]) -> tuple[AgentPlan, ...]:
    """One agent a server, each with one call."""
    return tuple(AgentPlan(role, "one call", url, model, dict(options)) for role, url in zip(ROLES, urls, strict=True))


def plan_of(job: Job, side: Side, agents: tuple[AgentPlan, ...]) -> ScenarioPlan:
    """One side of a session."""
    return ScenarioPlan(SCENARIO, agents, job.pairs, job.seed, len(agents), DEADLINE_S, side)


def run_factors(job: Job, plan: ScenarioPlan) -> dict[tuple[int, str], float]:
    """The factor of every run's durations, by index of the block and arm, in the order in which they are run."""
    world = PACED[job.world]
    session = world.session_sd * _random(job.seed, "session").gauss(0.0, 1.0)
    noise = _random(job.seed, plan.side)
    return {
        (index, arm): exp(session + world.run_sd * noise.gauss(0.0, 1.0))
        for index in range(job.pairs + 1)
        for arm in plan.order(index)
    }


def truth_config(job: Job, plan: ScenarioPlan) -> TruthConfig:
    """A ground-truth server that does to each run of a session what its factor says.

    The candidate's change is worse contention: its interference is stronger than the base's, so that the wall time
    of its concurrent runs and its slowdown are worse by that share, and nothing of what it does alone.
    """
    worse = 1.0 if plan.side == BASE else 1.0 + job.change_pct / 100
    factors = run_factors(job, plan)
    script = [
        _behaviour(factor) for (_, arm), factor in factors.items() for _ in (ROLES if arm == CONCURRENT else ROLES[:1])
    ]
    device = DeviceSpec(interference={mine: dict.fromkeys(_PHASES, CONTENTION * worse) for mine in _PHASES})
    return replace(TruthConfig(), behaviour=_behaviour(1.0), script=tuple(script), device=device)


def _behaviour(factor: float) -> Behaviour:
    return Behaviour(ttft=Timing(ms=TTFT_MS * factor), gaps=Timing(ms=GAP_MS * factor), tokens=TOKENS)
