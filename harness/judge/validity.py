"""Why a block cannot be judged: what failed in it, and what disturbed it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge import metrics
from harness.judge.instrument import disturbances
from harness.records import AgentRun, Block, ModelMemory
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import InstrumentLimits


def invalid_reasons(
    block: Block, instrument: InstrumentLimits | None = None, reference: Sequence[ModelMemory] = ()
) -> tuple[str, ...]:
    """Why a block cannot be judged, in words; empty for a valid one.

    Args:
        block: The block.
        instrument: What may disturb it; None does not look at it.
        reference: Where the models were before it; () does not compare.
    """
    if block.error:  # what its agents say then only follows from it
        return (block.error,)
    missing = [arm for arm in block.order if block.run(arm) is None]
    reasons = [f"not run: {', '.join(missing)}"] if missing else []
    for run in block.runs:
        if run.wall_ns <= 0:
            reasons.append(f"{run.arm} ended before it began: its instants are damaged")
        for agent in run.agents:
            reason = _spoilt(agent)
            if reason:
                reasons.append(f"{agent.role} in {run.arm}: {reason}")
    if reasons or (reasons := _differing_counts(block)):
        return tuple(reasons)
    return disturbances(block, instrument, reference) if instrument else ()


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


def _differing_counts(block: Block) -> list[str]:
    concurrent = block.run(CONCURRENT)
    reasons = []
    for together in concurrent.agents if concurrent else ():
        counts = {
            arm: [metrics.output_tokens(request) for request in run.requests]
            for arm, run in (("alone", solo_run(block, together.role)), ("together", together))
        }
        if counts["alone"] != counts["together"]:
            reasons.append(
                f"{together.role} generated {counts['alone']} tokens alone and {counts['together']} together: "
                "the arms did different work (lower --num-predict, so that every answer reaches it)"
            )
    return reasons
