"""Made-up sessions: blocks whose noise is drawn here, with a fixed seed, instead of recorded."""

from __future__ import annotations

import random
from dataclasses import replace

from harness.records import Block
from harness.records.session import BASE, CANDIDATE, Side
from harness.testing import build_block
from perf.verdicts.outcomes import Gate, Outcome, judge_recording
from perf.verdicts.recordings import METRICS, Recording
from perf.verdicts.worlds import MODEL, SCENARIO, Job, agents, plan_of, run_factors

SOLO_MS, TOGETHER_MS = 1000.0, 1250.0


def job(world: str = "quiet", change_pct: int = 0, number: int = 0, pairs: int = 30) -> Job:
    """A session's job."""
    return Job(world, change_pct, number, 1000 * change_pct + number, pairs)


def _block(index: int, side: Side, together_ms: float) -> Block:
    block = build_block(
        {"A": SOLO_MS, "B": SOLO_MS}, {"A": together_ms, "B": together_ms}, index=index, scenario=SCENARIO
    )
    return replace(block, side=side, warmup=index == 0)


def recording(job: Job, *, sd: float = 0.01) -> Recording:
    """A session with a warm-up pair, whose concurrent runs scatter by ``sd``, both sides alike but for the change."""
    noise = random.Random(job.name)  # noqa: S311 - noise, no secret
    sides: tuple[tuple[Side, float], ...] = ((BASE, 1.0), (CANDIDATE, 1 + job.change_pct / 100))
    blocks = [
        _block(index, side, TOGETHER_MS * factor * (1 + sd * noise.gauss(0, 1)))
        for index in range(job.pairs + 1)
        for side, factor in sides
    ]
    return Recording(job, tuple(blocks))


def dialled(job: Job, *, rest: float = 0.0) -> Outcome:
    """A paced session that came out as it was dialled in, but for a ``rest`` of this SD."""
    plan = plan_of(job, BASE, agents(("", ""), MODEL, {}))
    factors = run_factors(job, plan)
    noise = random.Random(job.name)  # noqa: S311 - noise, no secret
    walls = tuple(factors[index, "concurrent"] * (1 + rest * noise.gauss(0, 1)) for index in range(1, job.pairs + 1))
    return replace(
        judge_recording(recording(job)),
        indexes=tuple(range(1, job.pairs + 1)),
        base_s=walls,
        candidate_s=walls,
        differences=dict.fromkeys(METRICS, (0.0,) * job.pairs),
    )


def outcome(
    job: Job, *verdicts: Gate, base_s: tuple[float, ...] = (1.0,) * 30, candidate_s: tuple[float, ...] = (1.0,) * 30
) -> Outcome:
    """A judged session of which only this is known."""
    return Outcome(job, verdicts, 0, tuple(range(1, len(base_s) + 1)), base_s, candidate_s, {})
