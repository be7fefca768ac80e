"""A block's records folded into figures; the reasons why a block cannot be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import fmean

from harness.judge import metrics
from harness.records import AgentRun, Block
from harness.records.session import CONCURRENT, solo_arm


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent in one block, alone and together.

    Attributes:
        role: The agent.
        solo_ttft_ms: Mean TTFT of its requests alone, ms.
        concurrent_ttft_ms: The same together.
        solo_tok_s: Output tokens over time in requests, alone.
        concurrent_tok_s: The same together.
        slowdown: Time in requests together over alone.
        wait_ms: Coordinator's wait in the concurrent run, ms.
    """

    role: str
    solo_ttft_ms: float
    concurrent_ttft_ms: float
    solo_tok_s: float
    concurrent_tok_s: float
    slowdown: float
    wait_ms: float


@dataclass(frozen=True, slots=True)
class BlockFigures:
    """Figures of one valid block; times in s unless their name says ms.

    Attributes:
        index: The block's index.
        concurrent_wall_s: Wall time of the concurrent run.
        sequential_estimate_s: The guide's sum of durations measured while concurrent.
        sequential_measured_s: Sum of the solo wall times.
        guide_speedup, guide_efficiency_pct: The guide's figures.
        measured_speedup, measured_efficiency_pct: Against the solo baselines.
        efficiency_bound_pct: The best measured efficiency that these solo times allow.
        aggregate_tok_s: Tokens of all agents over the concurrent wall time.
        ttft_delta_signed_ms: First agent's concurrent TTFT less the last one's (TR110's sign).
        throughput_delta_signed_tok_s: Last agent's concurrent tok/s less the first one's (TR110's sign).
        agents: One each, in the scenario's order.
    """

    index: int
    concurrent_wall_s: float
    sequential_estimate_s: float
    sequential_measured_s: float
    guide_speedup: float
    guide_efficiency_pct: float
    measured_speedup: float
    measured_efficiency_pct: float
    efficiency_bound_pct: float
    aggregate_tok_s: float
    ttft_delta_signed_ms: float
    throughput_delta_signed_tok_s: float
    agents: tuple[AgentFigures, ...]


def invalid_reasons(block: Block) -> tuple[str, ...]:
    """Why a block cannot be judged, in words; empty for a valid one."""
    reasons = [block.error] if block.error else []
    missing = [arm for arm in block.order if block.run(arm) is None]
    if missing:
        reasons.append(f"not run: {', '.join(missing)}")
    for run in block.runs:
        for agent in run.agents:
            if agent.error and agent.error != block.error:
                reasons.append(f"{agent.role} in {run.arm}: {agent.error}")
            if not agent.error and not (agent.requests and all(request.token_ns for request in agent.requests)):
                reasons.append(f"{agent.role} in {run.arm}: a request gave no text")
    return tuple(reasons) or _differing_counts(block)


def _differing_counts(block: Block) -> tuple[str, ...]:
    concurrent = block.run(CONCURRENT)
    reasons = []
    for together in concurrent.agents if concurrent else ():
        alone = _solo(block, together.role)
        counts = {
            arm: [metrics.output_tokens(r) for r in run.requests]
            for arm, run in (("alone", alone), ("together", together))
        }
        if counts["alone"] != counts["together"]:
            reasons.append(
                f"{together.role} generated {counts['alone']} tokens alone and {counts['together']} together: "
                "the arms did different work (lower --num-predict, so that every answer reaches it)"
            )
    return tuple(reasons)


def _solo(block: Block, role: str) -> AgentRun:
    run = block.run(solo_arm(role))
    if run is None:
        raise ValueError(f"block {block.index} of {block.scenario} has no solo run of {role}")
    return run.agents[0]


def _service_ns(run: AgentRun) -> int:
    return sum(request.ended_ns - request.sent_ns for request in run.requests)


def _tokens(runs: Sequence[AgentRun]) -> int:
    return sum(metrics.output_tokens(r) for r in chain.from_iterable(run.requests for run in runs))


def _agent_figures(alone: AgentRun, together: AgentRun) -> AgentFigures:
    solo_ns, concurrent_ns = _service_ns(alone), _service_ns(together)
    return AgentFigures(
        role=together.role,
        solo_ttft_ms=fmean(metrics.ttft_ms(r) for r in alone.requests),
        concurrent_ttft_ms=fmean(metrics.ttft_ms(r) for r in together.requests),
        solo_tok_s=metrics.tokens_per_second(_tokens([alone]), solo_ns),
        concurrent_tok_s=metrics.tokens_per_second(_tokens([together]), concurrent_ns),
        slowdown=metrics.slowdown(solo_ns, concurrent_ns),
        wait_ms=together.wait_ns / 1e6,
    )


def block_figures(block: Block) -> BlockFigures:
    """Figures of a block.

    Raises:
        ValueError: If the block is not valid: ask :func:`invalid_reasons` first.
    """
    concurrent = block.run(CONCURRENT)
    if concurrent is None or invalid_reasons(block):
        raise ValueError(f"block {block.index} of {block.scenario} is not valid: {invalid_reasons(block)}")
    agents = tuple(_agent_figures(_solo(block, run.role), run) for run in concurrent.agents)
    durations = [float(run.duration_ns) for run in concurrent.agents]
    solo_walls = [float(run.wall_ns) for run in block.runs if run.arm != CONCURRENT]
    wall = float(concurrent.wall_ns)
    return BlockFigures(
        index=block.index,
        concurrent_wall_s=wall / 1e9,
        sequential_estimate_s=metrics.sequential_estimate(durations) / 1e9,
        sequential_measured_s=sum(solo_walls) / 1e9,
        guide_speedup=metrics.guide_speedup(durations, wall),
        guide_efficiency_pct=metrics.guide_efficiency_pct(durations, wall),
        measured_speedup=metrics.measured_speedup(solo_walls, wall),
        measured_efficiency_pct=metrics.measured_efficiency_pct(solo_walls, wall),
        efficiency_bound_pct=metrics.efficiency_bound_pct(solo_walls),
        aggregate_tok_s=metrics.tokens_per_second(_tokens(concurrent.agents), wall),
        ttft_delta_signed_ms=agents[0].concurrent_ttft_ms - agents[-1].concurrent_ttft_ms,
        throughput_delta_signed_tok_s=agents[-1].concurrent_tok_s - agents[0].concurrent_tok_s,
        agents=agents,
    )
