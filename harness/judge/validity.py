"""Why a block cannot be judged: what failed in it, and what disturbed it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.judge import metrics
from harness.judge.instrument import disturbances
from harness.records import AgentRun, Block, ModelMemory, Run
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import InstrumentLimits
from harness.scenarios.studies import DECODE, PREFILL


def invalid_reasons(
    block: Block, instrument: InstrumentLimits | None = None, reference: Sequence[ModelMemory] = ()
) -> tuple[str, ...]:
    """Why a block cannot be judged, in words; empty for a valid one.

    Args:
        block: The block.
        instrument: What may disturb it; None does not look at it.
        reference: Where the models were before it; () does not compare.
    """
    reasons = _failures(block, block.order) or _differing_counts(block)
    if reasons:
        return tuple(reasons)
    return disturbances(block, instrument, reference) if instrument else ()


def study_reasons(
    block: Block, instrument: InstrumentLimits | None = None, first: Block | None = None, arms: Sequence[str] = ()
) -> tuple[str, ...]:
    """Why a study's block cannot be judged, in words; empty for a valid one.

    Agents in the background are cut off when the others have ended, so their errors count for nothing; but they must
    have kept their servers busy until then.

    Args:
        block: The block.
        instrument: What may disturb it; None does not look at it.
        first: The study's first block: in each arm the models must lie where they lay in the same arm of it.
        arms: What the study's other blocks have run.
    """
    reasons = (
        _failures(block, tuple(dict.fromkeys((*block.order, *arms))))
        or [reason for run in block.runs for reason in _idle_background(run)]
        or _differing_arms(block)
    )
    if reasons or instrument is None:
        return tuple(reasons)
    found = list(disturbances(block, instrument))
    for run in block.runs:
        before = first.run(run.arm) if first is not None else None
        # An arm has the models where it needs them: only the same arm of another block can tell that one moved.
        alone = replace(block, runs=(), gpu_strangers=(), memory=run.memory)
        found += [f"{run.arm}: {reason}" for reason in disturbances(alone, instrument, before.memory if before else ())]
    return tuple(found)


def _failures(block: Block, arms: Sequence[str]) -> list[str]:
    """What was not run, or failed."""
    if block.error:  # what its agents say then only follows from it
        return [block.error]
    missing = [arm for arm in arms if block.run(arm) is None]
    reasons = [f"not run: {', '.join(missing)}"] if missing else []
    for run in block.runs:
        if run.wall_ns <= 0:
            reasons.append(f"{run.arm} ended before it began: its instants are damaged")
        for agent in run.agents:
            reason = _spoilt(agent)
            if reason:
                reasons.append(f"{agent.role} in {run.arm}: {reason}")
    return reasons


def _idle_background(run: Run) -> Iterator[str]:
    """Agents that were to keep a server busy and did not."""
    last_ns = max((agent.finished_ns for agent in run.agents), default=run.started_ns)
    if run.arm.partition(":")[0] in {PREFILL, DECODE} and not run.background:
        yield f"{run.arm}: nobody kept the other servers busy"
    for agent in run.background:
        if agent.finished_ns < last_ns:
            early_s = (last_ns - agent.finished_ns) / 1e9
            yield (
                f"{agent.role} in {run.arm} was to keep its server busy, and ended {early_s:.2f} s before the others: "
                f"{agent.error or 'its work was done'}"
            )


def _spoilt(agent: AgentRun) -> str | None:
    """Why an agent's run cannot be used, or None; a workflow may have caught its request's failure."""
    if agent.error:
        return agent.error
    failed = next((request for request in agent.requests if request.error), None)
    if failed:
        return f"request {failed.name!r} failed: {failed.error}"
    if not agent.requests or not all(request.token_ns for request in agent.requests):
        return "a request gave no text"
    if any(min(request.token_ns[0], request.ended_ns) <= request.sent_ns for request in agent.requests):
        return "a request was answered before it was sent: its instants are damaged"
    return None


def solo_run(block: Block, role: str) -> AgentRun:
    """An agent's run alone.

    Raises:
        ValueError: If the block has none.
    """
    run = block.run(solo_arm(role))
    if run is None:
        raise ValueError(f"block {block.index} of {block.scenario} has no solo run of {role}")
    return run.agents[0]


def _different_work(role: str, one: tuple[list[int], str], other: tuple[list[int], str]) -> str:
    return (
        f"{role} generated {one[0]} tokens {one[1]} and {other[0]} {other[1]}: "
        "the arms did different work (lower --num-predict, so that every answer reaches it)"
    )


def _tokens(run: AgentRun) -> list[int]:
    return [metrics.output_tokens(request) for request in run.requests]


def _differing_arms(block: Block) -> list[str]:
    """Agents whose answers were not as long in every arm; the first arm that differs from the first is told."""
    counts: dict[str, list[tuple[list[int], str]]] = {}
    for run in block.runs:
        for agent in run.agents:
            counts.setdefault(agent.role, []).append((_tokens(agent), f"in {run.arm}"))
    return [
        _different_work(role, told[0], other)
        for role, told in counts.items()
        if (other := next((each for each in told if each[0] != told[0][0]), None))
    ]


def _differing_counts(block: Block) -> list[str]:
    concurrent = block.run(CONCURRENT)
    reasons = []
    for together in concurrent.agents if concurrent else ():
        alone = solo_run(block, together.role)
        if _tokens(alone) != _tokens(together):
            reasons.append(_different_work(together.role, (_tokens(alone), "alone"), (_tokens(together), "together")))
    return reasons
