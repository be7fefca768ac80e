"""A block's records folded into figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from statistics import fmean, geometric_mean

from harness.judge import metrics
from harness.judge.statistics import quantile
from harness.judge.validity import invalid_reasons, solo_run
from harness.records import AgentRun, Block
from harness.records.session import CONCURRENT


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One agent in one arm; means over its requests unless said otherwise, None where the records do not tell.

    Attributes:
        ttft_ms: Time to first token, ms.
        end_to_end_ms: End-to-end latency, ms.
        tpot_ms: Time per output token after the first, ms.
        itl_p50_ms: Median of all inter-token latencies of the arm, ms.
        itl_p99_ms: Their 99th percentile, ms.
        tokens: Output tokens of all requests.
        tok_s: Output tokens over the time in requests.
        decode_tok_s: The server's own decode rate, tok/s.
        load_ms: The server's own load duration (arrival to runner), ms.
        queue_ms: The server's rest: total less load, prompt and eval, ms; the wait for a slot is in it.
        prompt_ms: The server's own prompt evaluation, ms.
        eval_ms: The server's own decode, ms.
    """

    ttft_ms: float
    end_to_end_ms: float
    tpot_ms: float | None
    itl_p50_ms: float | None
    itl_p99_ms: float | None
    tokens: float
    tok_s: float
    decode_tok_s: float | None
    load_ms: float | None
    queue_ms: float | None
    prompt_ms: float | None
    eval_ms: float | None


@dataclass(frozen=True, slots=True)
class AgentFigures:
    """One agent in one block, alone and together.

    Attributes:
        role: The agent.
        solo: Its figures alone.
        concurrent: Its figures together.
        slowdown: Time in requests together over alone.
        wait_ms: Coordinator's wait in the concurrent run, ms.
    """

    role: str
    solo: ArmFigures
    concurrent: ArmFigures
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
        slowdown: Time in requests of all agents, together over alone.
        ttft_ratio: TTFT together over alone, geometric mean over the agents.
        fairness: Jain's index of the agents' progress (time in requests alone over together): 1 if slowed alike.
        concurrent_ttft_ms: TTFT together, geometric mean over the agents, ms.
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
    slowdown: float
    ttft_ratio: float
    fairness: float
    concurrent_ttft_ms: float
    aggregate_tok_s: float
    ttft_delta_signed_ms: float
    throughput_delta_signed_tok_s: float
    agents: tuple[AgentFigures, ...]


def service_ns(run: AgentRun) -> int:
    """Time of an agent's requests from sent to ended, ns."""
    return sum(request.ended_ns - request.sent_ns for request in run.requests)


def tokens_of(runs: Sequence[AgentRun]) -> int:
    """Output tokens of agents."""
    return sum(metrics.output_tokens(r) for r in chain.from_iterable(run.requests for run in runs))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def arm_figures(run: AgentRun) -> ArmFigures:
    """Figures of an agent's run, all of whose requests ended well."""
    gaps = [gap for request in run.requests for gap in metrics.inter_token_latencies_ms(request)]
    servers = [request.server for request in run.requests if request.server is not None]
    tokens = tokens_of([run])
    return ArmFigures(
        ttft_ms=fmean(metrics.ttft_ms(r) for r in run.requests),
        end_to_end_ms=fmean(metrics.end_to_end_ms(r) for r in run.requests),
        tpot_ms=_mean(metrics.tpot_ms(r) for r in run.requests),
        itl_p50_ms=quantile(gaps, 0.5) if gaps else None,
        itl_p99_ms=quantile(gaps, 0.99) if gaps else None,
        tokens=tokens,
        tok_s=metrics.tokens_per_second(tokens, service_ns(run)),
        decode_tok_s=_mean(metrics.decode_rate(r) for r in run.requests),
        load_ms=_mean(server.load_ns / 1e6 for server in servers),
        queue_ms=_mean(metrics.queue_ns(server) / 1e6 for server in servers),
        prompt_ms=_mean(server.prompt_eval_ns / 1e6 for server in servers),
        eval_ms=_mean(server.eval_ns / 1e6 for server in servers),
    )


def mean_arm(arms: Sequence[ArmFigures]) -> ArmFigures:
    """Means of each figure over n >= 1 arms; None where none of them has it."""
    names = [field.name for field in fields(ArmFigures)]
    return ArmFigures(**{name: _mean(getattr(arm, name) for arm in arms) for name in names})  # type: ignore[arg-type]


def _agent_figures(alone: AgentRun, together: AgentRun) -> AgentFigures:
    return AgentFigures(
        role=together.role,
        solo=arm_figures(alone),
        concurrent=arm_figures(together),
        slowdown=metrics.slowdown(service_ns(alone), service_ns(together)),
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
    agents = tuple(_agent_figures(solo_run(block, run.role), run) for run in concurrent.agents)
    solo_services = [service_ns(solo_run(block, run.role)) for run in concurrent.agents]
    services = [service_ns(run) for run in concurrent.agents]
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
        slowdown=metrics.slowdown(sum(solo_services), sum(services)),
        fairness=metrics.fairness(solo_services, services),
        ttft_ratio=geometric_mean(agent.concurrent.ttft_ms / agent.solo.ttft_ms for agent in agents),
        concurrent_ttft_ms=geometric_mean(agent.concurrent.ttft_ms for agent in agents),
        aggregate_tok_s=metrics.tokens_per_second(tokens_of(concurrent.agents), wall),
        ttft_delta_signed_ms=agents[0].concurrent.ttft_ms - agents[-1].concurrent.ttft_ms,
        throughput_delta_signed_tok_s=agents[-1].concurrent.tok_s - agents[0].concurrent.tok_s,
        agents=agents,
    )
