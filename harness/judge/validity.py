"""Why a block cannot be judged: what failed in it, and what disturbed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.judge import metrics
from harness.judge.instrument import disturbances
from harness.records import AgentRun, Block, ModelMemory, RequestRecord, Run
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import InstrumentLimits
from harness.scenarios.studies import DECODE, PREFILL

LOADED_AGAIN_NS = 250_000_000
"""A load duration from which a model was loaded, ns: the smallest one takes Ollama and the embedded engine 300 ms and
more, a warm server 3-10 ms (27 where two were seen to fight for the CPU)."""
_NOTABLE = 0.02
_NONCE_TOKENS, _CUT = 8, 0.1
"""Prompts differ by the tokens of their nonces (8 digits); one that is shorter by more, and by so much, was cut."""


def invalid_reasons(
    block: Block, instrument: InstrumentLimits | None = None, reference: Sequence[ModelMemory] = ()
) -> tuple[str, ...]:
    """Why a block cannot be judged, in words; empty for a valid one.

    Args:
        block: The block.
        instrument: What may disturb it; None does not look at it.
        reference: Where the models were before it; () does not compare.
    """
    reasons = _failures(block, block.order) or _differing_work(block)
    if reasons:
        return tuple(reasons)
    return (*disturbances(block, instrument, reference), *_loads(block)) if instrument else ()


def study_reasons(
    block: Block,
    instrument: InstrumentLimits | None = None,
    reference: Mapping[str, Sequence[ModelMemory]] | None = None,
    arms: Sequence[str] = (),
) -> tuple[str, ...]:
    """Why a study's block cannot be judged, in words; empty for a valid one.

    Agents in the background are cut off when the others have ended, so their errors count for nothing; but they must
    have kept their servers busy until then.

    Args:
        block: The block.
        instrument: What may disturb it; None does not look at it.
        reference: By arm, where the models were in it before; None does not compare.
        arms: What the study's other blocks have run.
    """
    reasons = (
        _failures(block, tuple(dict.fromkeys((*block.order, *arms))))
        or [reason for run in block.runs for reason in _idle_background(run)]
        or _differing_arms(block)
    )
    if reasons or instrument is None:
        return tuple(reasons)
    found = [*disturbances(block, instrument), *_loads(block)]
    for run in block.runs:
        # An arm has the models where it needs them: only the same arm of another block can tell that one moved.
        alone = replace(block, runs=(), gpu_strangers=(), memory=run.memory)
        before = (reference or {}).get(run.arm, ())
        found += [f"{run.arm}: {reason}" for reason in disturbances(alone, instrument, before)]
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


def _tokens(run: AgentRun) -> list[int]:
    return [metrics.output_tokens(request) for request in run.requests]


def _prompts(run: AgentRun) -> list[int]:
    """Tokens of each prompt; 0 where the server does not tell."""
    return [request.server.prompt_eval_count if request.server else 0 for request in run.requests]


def _different_work(one: AgentRun, where: str, other: AgentRun, there: str) -> str | None:
    """In what two runs of an agent differ, in words, or None."""
    if _tokens(one) != _tokens(other):
        return (
            f"{one.role} generated {_tokens(one)} tokens {where} and {_tokens(other)} {there}: "
            "the arms did different work (lower --num-predict, so that every answer reaches it)"
        )
    prompts = list(zip(_prompts(one), _prompts(other), strict=True))
    if any(min(pair) and max(pair) - min(pair) > max(_NONCE_TOKENS, _CUT * max(pair)) for pair in prompts):
        return (
            f"{one.role} had prompts of {_prompts(one)} tokens read {where} and of {_prompts(other)} {there}: "
            "the arms did different work (a context that is too small cuts prompts: give it a larger num_ctx)"
        )
    return None


def _differing_arms(block: Block) -> list[str]:
    """Agents that did not do the same in every arm; the first arm that differs from the first is told."""
    ran: dict[str, list[tuple[AgentRun, str]]] = {}
    for run in block.runs:
        for agent in run.agents:
            ran.setdefault(agent.role, []).append((agent, f"in {run.arm}"))
    told = (
        next((found for other in others if (found := _different_work(*first, *other))), None)
        for first, *others in ran.values()
    )
    return [each for each in told if each]


def _differing_work(block: Block) -> list[str]:
    """Agents that did not do the same alone and together."""
    concurrent = block.run(CONCURRENT)
    pairs = [(solo_run(block, together.role), together) for together in (concurrent.agents if concurrent else ())]
    return [found for alone, together in pairs if (found := _different_work(alone, "alone", together, "together"))]


def _loads(block: Block) -> Iterator[str]:
    """Requests that had to wait for their model, though nobody shares their server: it was loaded before the arm."""
    for run in block.runs:
        every = (*run.agents, *run.background)
        urls = [agent.url for agent in every]
        for agent in every:
            longest_ns = max((_load_ns(each) for each in agent.requests), default=0)
            if urls.count(agent.url) == 1 and longest_ns > LOADED_AGAIN_NS:
                yield (
                    f"{agent.role} in {run.arm} waited {longest_ns / 1e9:.2f} s for its model to be loaded again: "
                    "another client had it unloaded, or its runner died; keep others off that server"
                )


def _load_ns(request: RequestRecord) -> int:
    """The server's load duration, ns; 0 if it is next to nothing of the request, as on a server that is starved."""
    load_ns = request.server.load_ns if request.server else 0
    return load_ns if load_ns > _NOTABLE * (request.ended_ns - request.sent_ns) else 0
