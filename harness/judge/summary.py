"""A session judged: per scenario the figures, contention, gates and verdict. Reads records only, no server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.judge.contention import Symptom, symptoms
from harness.judge.figures import AgentFigures, BlockFigures, block_figures, invalid_reasons, mean_arm
from harness.judge.gate import Gate, Verdict, judge_mean, judge_share, overall
from harness.judge.statistics import Estimate, mean_estimate, share_estimate
from harness.records import Block
from harness.records.session import GIVE_UP_AFTER
from harness.scenarios import ContentionRules, InstrumentLimits, Limit

OVERLAP_PCT = 95.0
PARALLEL_PCT = 80.0
CONTENTION_RATE = "contention_rate"


@dataclass(frozen=True, slots=True)
class ScenarioSummary:
    """One scenario judged.

    Attributes:
        name: The scenario.
        verdict: The worst of its gates; INVALID if it was given up or most blocks could not be judged;
            INCONCLUSIVE if it has no limit.
        blocks: Figures of the valid blocks, in order; the warm-up block is not among them.
        invalid: Reasons by index of each block that could not be judged.
        symptoms: Symptoms by index of each valid block that showed any.
        estimates: Mean and interval by metric name.
        agents: Means over the valid blocks, one each.
        gates: One for each limit.
        overlap_only: True if the agents overlap but do not run in parallel: guide >= 95 %, measured < 80 %.
    """

    name: str
    verdict: Verdict
    blocks: tuple[BlockFigures, ...]
    invalid: Mapping[int, tuple[str, ...]]
    symptoms: Mapping[int, tuple[Symptom, ...]]
    estimates: Mapping[str, Estimate]
    agents: tuple[AgentFigures, ...]
    gates: tuple[Gate, ...]
    overlap_only: bool


_MEANS = (
    "guide_efficiency_pct",
    "guide_speedup",
    "measured_efficiency_pct",
    "measured_speedup",
    "efficiency_bound_pct",
    "aggregate_tok_s",
    "concurrent_wall_s",
    "sequential_estimate_s",
    "sequential_measured_s",
    "ttft_delta_signed_ms",
    "throughput_delta_signed_tok_s",
)


def _values(blocks: Sequence[BlockFigures], metric: str) -> list[float]:
    return [float(getattr(block, metric)) for block in blocks]


def _gate(limit: Limit, blocks: Sequence[BlockFigures], fired: Mapping[int, tuple[Symptom, ...]]) -> Gate:
    if limit.metric == CONTENTION_RATE:
        estimate = share_estimate(len(fired), len(blocks))
        worst = max(blocks, key=lambda b: len(fired.get(b.index, ())))
        return Gate(limit, estimate, judge_share(limit, estimate), worst.index, len(fired.get(worst.index, ())))
    values = _values(blocks, limit.metric)
    estimate = mean_estimate(values)
    value, index = (min if limit.side == "min" else max)(zip(values, (b.index for b in blocks), strict=True))
    return Gate(limit, estimate, judge_mean(limit, estimate), index, value)


def _mean_agent(agents: Sequence[AgentFigures]) -> AgentFigures:
    return AgentFigures(
        role=agents[0].role,
        solo=mean_arm([a.solo for a in agents]),
        concurrent=mean_arm([a.concurrent for a in agents]),
        slowdown=fmean(a.slowdown for a in agents),
        wait_ms=fmean(a.wait_ms for a in agents),
    )


def unmeasured_scenario(name: str, reason: str) -> ScenarioSummary:
    """A scenario that could not be measured to its end; the reason stands where its first block's would."""
    return ScenarioSummary(name, Verdict.INVALID, (), {0: (reason,)}, {}, {}, (), (), overlap_only=False)


def judge_scenario(
    name: str,
    blocks: Sequence[Block],
    limits: Sequence[Limit],
    rules: ContentionRules,
    instrument: InstrumentLimits | None = None,
) -> ScenarioSummary:
    """Judges the blocks of one scenario; warm-up blocks are left out, invalid ones only counted.

    A scenario that ended while it warmed up is INVALID for the warm-up block's reasons, and one that ended with
    failed blocks in a row (a dead server) is INVALID however good its first blocks were.

    Args:
        name: The scenario.
        blocks: Its blocks, the warm-up block too.
        limits: What its figures must keep.
        rules: When a block shows contention.
        instrument: What the measuring process may lag; None does not look at it.
    """
    measured = [block for block in blocks if not block.warmup]
    # A scenario may die while it warms up: then that block's reasons are all there is to tell.
    invalid = {block.index: reasons for block in measured or blocks if (reasons := invalid_reasons(block, instrument))}
    valid = tuple(block_figures(block) for block in measured if block.index not in invalid)
    fired = {block.index: found for block in valid if (found := symptoms(block, rules))}
    given_up = [block.index in invalid for block in measured[-GIVE_UP_AFTER:]] == [True] * GIVE_UP_AFTER
    if given_up or len(valid) <= len(invalid):
        return ScenarioSummary(name, Verdict.INVALID, valid, invalid, fired, {}, (), (), overlap_only=False)
    estimates = {metric: mean_estimate(_values(valid, metric)) for metric in _MEANS}
    for metric in ("ttft_delta", "throughput_delta"):
        unit = "ms" if metric == "ttft_delta" else "tok_s"
        signed = _values(valid, f"{metric}_signed_{unit}")
        estimates[f"{metric}_{unit}"] = mean_estimate([abs(value) for value in signed])
    estimates[CONTENTION_RATE] = share_estimate(len(fired), len(valid))
    gates = tuple(_gate(limit, valid, fired) for limit in limits)
    return ScenarioSummary(
        name=name,
        verdict=overall([gate.verdict for gate in gates]) if gates else Verdict.INCONCLUSIVE,
        blocks=valid,
        invalid=invalid,
        symptoms=fired,
        estimates=estimates,
        agents=tuple(_mean_agent(agents) for agents in zip(*(b.agents for b in valid), strict=True)),
        gates=gates,
        overlap_only=estimates["guide_efficiency_pct"].point >= OVERLAP_PCT
        and estimates["measured_efficiency_pct"].point < PARALLEL_PCT,
    )
