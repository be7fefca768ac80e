"""A recorded session judged: by our gates, and what the other judge needs of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from harness.judge import Verdict, judge_scenario
from perf.verdicts.recordings import METRICS, TERMS, Recording
from perf.verdicts.worlds import SCENARIO, Job


@dataclass(frozen=True, slots=True)
class Gate:
    """One of our gates in one session.

    Attributes:
        metric: What was compared.
        verdict: What it said.
        pairs: Pairs at which it was decided, or all that there were.
    """

    metric: str
    verdict: Verdict
    pairs: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One session; pairs are the valid ones, in the order of measuring.

    Attributes:
        job: What was recorded.
        gates: One for each metric.
        invalid: Pairs that could not be judged.
        indexes: Index of each pair.
        base_s: Wall time of the base's concurrent run of each pair, s.
        candidate_s: The same of the candidate.
        differences: By metric, ln candidate - ln base of each pair.
    """

    job: Job
    gates: tuple[Gate, ...]
    invalid: int
    indexes: tuple[int, ...]
    base_s: tuple[float, ...]
    candidate_s: tuple[float, ...]
    differences: dict[str, tuple[float, ...]]


def judge_recording(recording: Recording) -> Outcome:
    """Judges a session as ``pytest perf`` would: pair by pair, each gate until it is decided."""
    summary = judge_scenario(SCENARIO, recording.blocks, TERMS)
    pairs = list(zip(summary.blocks, summary.base, strict=True))
    if summary.verdict is Verdict.INVALID:
        gates = tuple(Gate(metric, Verdict.INVALID, len(pairs)) for metric in METRICS)
    else:
        gates = tuple(Gate(each.metric, each.verdict, each.decided_at or len(pairs)) for each in summary.changes)
    return Outcome(
        job=recording.job,
        gates=gates,
        invalid=len(summary.invalid),
        indexes=tuple(candidate.index for candidate, _ in pairs),
        base_s=tuple(base.concurrent_wall_s for _, base in pairs),
        candidate_s=tuple(candidate.concurrent_wall_s for candidate, _ in pairs),
        differences={
            metric: tuple(log(getattr(candidate, metric)) - log(getattr(base, metric)) for candidate, base in pairs)
            for metric in METRICS
        },
    )


def by_kind(outcomes: Sequence[Outcome]) -> dict[tuple[str, int], list[Outcome]]:
    """Sessions by world and change, in the order of their numbers."""
    found: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in sorted(outcomes, key=lambda each: each.job.name):
        found.setdefault((outcome.job.world, outcome.job.change_pct), []).append(outcome)
    return found
