"""What the arms of a scenario used: cores, memory, power and energy; and what a token costs alone and together.

Servers are those that agents of the scenario use, in whatever arm; a base's, or another pattern's, are none of them.
Energy is that of whole boards over whole runs, at idle too: the GPUs that these servers were seen on, or all of them
where that is not told. A model that waits for its turn draws power, and alone its GPU draws it for one agent's tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import log
from statistics import fmean

from harness.judge import metrics
from harness.judge.statistics import Estimate, log_estimate, mean_estimate
from harness.records import Block, Run
from harness.records.resources import GpuUse, Resources
from harness.records.session import CONCURRENT, solo_arm


@dataclass(frozen=True, slots=True)
class ArmUse:
    """What one arm used over n >= 1 blocks; None where nobody told, or not of all servers or GPUs.

    Attributes:
        arm: Its name.
        cpu_cores: Cores that all servers together kept busy, mean over blocks.
        rss_bytes: The most resident memory of all servers together in any block, if all peaked at once.
        gpu_memory_bytes: The most GPU memory in use, likewise.
        utilization_pct: Share of the time in which a kernel ran, mean over GPUs and blocks, %.
        sm_clock_mhz: Clock of the multiprocessors, mean over GPUs and blocks, MHz.
        power_w: Power of all GPUs together, mean over blocks, W.
        energy_j: Energy of all GPUs together over a run, mean over blocks, J.
        joules_per_token: That energy over the output tokens of the run's agents, mean over blocks, J; None if agents
            in the background had a share in it.
        throttle: Why a GPU's clock was held down at some time, in words.
    """

    arm: str
    cpu_cores: Estimate | None
    rss_bytes: int | None
    gpu_memory_bytes: int | None
    utilization_pct: Estimate | None
    sm_clock_mhz: Estimate | None
    power_w: Estimate | None
    energy_j: Estimate | None
    joules_per_token: Estimate | None
    throttle: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceFigures:
    """What a scenario used.

    Attributes:
        arms: One each that was sampled: each agent alone, all together, and others as they were run first.
        alone_joules_per_token: Energy of every agent's run alone over the tokens of all of them, mean over blocks, J.
        together_joules_per_token: The same of the concurrent run.
        energy_ratio: Together over alone, geometric mean over blocks; below 1.0 running together saves energy.
    """

    arms: tuple[ArmUse, ...]
    alone_joules_per_token: Estimate | None
    together_joules_per_token: Estimate | None
    energy_ratio: Estimate | None


def resource_figures(blocks: Sequence[Block]) -> ResourceFigures | None:
    """What n valid blocks of one scenario used; None if nothing was sampled."""
    blocks = [own_use(block) for block in blocks]
    sampled = dict.fromkeys(run.arm for block in blocks for run in block.runs if run.resources is not None)
    if not sampled:
        return None
    roles = (agent.role for block in blocks for run in _arm(block, CONCURRENT) for agent in run.agents)
    told = dict.fromkeys((*map(solo_arm, roles), CONCURRENT))
    arms = [arm for arm in (told | sampled) if arm in sampled]
    alone = [joules_per_token(_alone(block)) for block in blocks]
    together = [joules_per_token(_arm(block, CONCURRENT)) for block in blocks]
    ratios = [b / a for a, b in zip(alone, together, strict=True) if a and b]
    return ResourceFigures(
        arms=tuple(_arm_use(arm, [run for block in blocks for run in _arm(block, arm)]) for arm in arms),
        alone_joules_per_token=_mean(alone),
        together_joules_per_token=_mean(together),
        energy_ratio=log_estimate([log(ratio) for ratio in ratios]) if ratios else None,
    )


def energy_j(run: Run) -> float | None:
    """Energy of the servers' GPUs over a run, J; None if it was not told of all of them.

    Source: the boards' energy counters, or the integral of their power (:mod:`harness.measure.usage`).
    """
    return None if run.resources is None else _sum(gpu.energy_j for gpu in servers_gpus(run.resources))


def servers_gpus(used: Resources) -> tuple[GpuUse, ...]:
    """The GPUs that servers were seen on; all of them if none was seen on any."""
    return tuple(gpu for gpu in used.gpus if gpu.servers) or used.gpus


def own_use(block: Block) -> Block:
    """The block without what was sampled of servers that none of its arms uses, and of GPUs that only these are on."""
    urls = {agent.url for run in block.runs for agent in (*run.agents, *run.background)}

    def own(used: Resources) -> Resources:
        servers = tuple(server for server in used.servers if server.url in urls)
        placed = any(gpu.servers for gpu in used.gpus)
        return replace(
            used, servers=servers, gpus=tuple(gpu for gpu in used.gpus if not placed or urls & {*gpu.servers})
        )

    return replace(
        block, runs=tuple(replace(run, resources=run.resources and own(run.resources)) for run in block.runs)
    )


def _arm(block: Block, arm: str) -> tuple[Run, ...]:
    run = block.run(arm)
    return () if run is None else (run,)


def _alone(block: Block) -> tuple[Run, ...]:
    """The run of every agent alone; () if not all were run."""
    roles = [agent.role for run in _arm(block, CONCURRENT) for agent in run.agents]
    runs = tuple(run for role in roles for run in _arm(block, solo_arm(role)))
    return runs if len(runs) == len(roles) else ()


def joules_per_token(runs: Sequence[Run]) -> float | None:
    """Energy of these runs over the output tokens of their agents, J; None if agents in the background had a share."""
    total_j = _sum(energy_j(run) for run in runs)
    tokens = sum(metrics.output_tokens(request) for run in runs for agent in run.agents for request in agent.requests)
    if total_j is None or not tokens or any(run.background for run in runs):
        return None
    return total_j / tokens


def _arm_use(arm: str, runs: Sequence[Run]) -> ArmUse:
    used = [run.resources for run in runs if run.resources is not None]
    gpus = [servers_gpus(each) for each in used]
    return ArmUse(
        arm=arm,
        cpu_cores=_mean(_sum(server.cpu_cores for server in each.servers) for each in used),
        rss_bytes=_most(_sum(server.rss_bytes for server in each.servers) for each in used),
        gpu_memory_bytes=_most(_sum(gpu.memory_bytes for gpu in each) for each in gpus),
        utilization_pct=_mean(_over(each, lambda gpu: gpu.utilization_pct) for each in gpus),
        sm_clock_mhz=_mean(_over(each, lambda gpu: gpu.sm_clock_mhz) for each in gpus),
        power_w=_mean(_sum(gpu.power_w for gpu in each) for each in gpus),
        energy_j=_mean(energy_j(run) for run in runs),
        joules_per_token=_mean(joules_per_token([run]) for run in runs),
        throttle=tuple(dict.fromkeys(reason for each in gpus for gpu in each for reason in gpu.throttle)),
    )


def _sum(values: Iterable[float | None]) -> float | None:
    """Their sum; None if there are none, or one is not told."""
    every = list(values)
    told = [value for value in every if value is not None]
    return sum(told) if every and len(told) == len(every) else None


def _over(gpus: Sequence[GpuUse], figure: Callable[[GpuUse], float | None]) -> float | None:
    """The mean of a figure over GPUs; None if one does not tell it."""
    told = [value for value in map(figure, gpus) if value is not None]
    return fmean(told) if told and len(told) == len(gpus) else None


def _mean(values: Iterable[float | None]) -> Estimate | None:
    """Mean over the blocks that tell it."""
    told = [value for value in values if value is not None]
    return mean_estimate(told) if told else None


def _most(values: Iterable[float | None]) -> int | None:
    """The largest of what is told."""
    return max((round(value) for value in values if value is not None), default=None)
