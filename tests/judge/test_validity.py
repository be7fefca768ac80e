"""Blocks that cannot be judged: agents that did different work, and models that were loaded again in an arm.

What else makes a block invalid stands with what is judged: ``test_summary``, ``test_study``, ``test_instrument``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.judge import Verdict, invalid_reasons, judge_scenario
from harness.judge.validity import study_reasons
from harness.records import AgentRun, Block, RequestRecord, ServerDurations
from harness.scenarios import InstrumentLimits, Stopping, Terms
from harness.testing import build_block, build_study_block

LIMITS = InstrumentLimits()
MS = 1_000_000


def _in_arm(block: Block, arm: str, change: Callable[[ServerDurations], ServerDurations]) -> Block:
    """The block with what A's server told in an arm changed."""

    def changed(request: RequestRecord) -> RequestRecord:
        assert request.server is not None
        return replace(request, server=change(request.server))

    def edited(agent: AgentRun) -> AgentRun:
        return replace(agent, requests=tuple(map(changed, agent.requests))) if agent.role == "A" else agent

    runs = (replace(r, agents=tuple(map(edited, r.agents))) if r.arm == arm else r for r in block.runs)
    return replace(block, runs=tuple(runs))


def _prompt(block: Block, arm: str, tokens: int, usual: int) -> Block:
    for name in block.order:
        count = tokens if name == arm else usual
        block = _in_arm(block, name, lambda server, count=count: replace(server, prompt_eval_count=count))  # type: ignore[misc]
    return block


def _apart(block: Block) -> Block:
    """The block with a server for each agent."""
    urls = {agent.role: f"http://{agent.role}" for run in block.runs for agent in run.agents}
    runs = (replace(r, agents=tuple(replace(each, url=urls[each.role]) for each in r.agents)) for r in block.runs)
    return replace(block, runs=tuple(runs))


def _load(block: Block, arm: str, ms: float) -> Block:
    return _in_arm(block, arm, lambda server: replace(server, load_ns=round(ms * MS)))


@pytest.mark.parametrize(
    ("tokens", "usual", "same"), [(60, 68, True), (59, 68, False), (990, 900, True), (0, 68, True)]
)
def test_prompts_of_which_one_was_cut_are_different_work(tokens: int, usual: int, same: bool) -> None:
    """A few tokens are the nonce's, and a server that does not count them says nothing."""
    block = _prompt(build_block(), "concurrent", tokens, usual)
    assert (invalid_reasons(block) == ()) is same
    study = _prompt(build_study_block({"dual": {"A": 1000.0}, "single": {"A": 1000.0}}), "single", tokens, usual)
    assert (study_reasons(study) == ()) is same


def test_a_context_that_is_smaller_on_one_server_is_told_by_its_prompts() -> None:
    """It reads less, and so would seem to be faster."""
    block = build_study_block({"dual": {"A": 2000.0}, "single_parallel": {"A": 1000.0}})
    assert study_reasons(_prompt(block, "single_parallel", 256, 900)) == (
        "A had prompts of [900] tokens read in dual and of [256] in single_parallel: the arms did different work "
        "(a context that is too small cuts prompts: give it a larger num_ctx)",
    )


@pytest.mark.parametrize("arm", ["solo:A", "concurrent"])
def test_a_model_that_was_loaded_again_in_an_arm_spoils_the_block(arm: str) -> None:
    """It was there before the arm: a solo run that waits for a load would make company look cheap."""
    block = _apart(build_block())
    assert invalid_reasons(_load(block, arm, 200), LIMITS) == ()
    (reason,) = invalid_reasons(_load(block, arm, 300), LIMITS)
    assert reason.startswith(f"A in {arm} waited 0.30 s for its model to be loaded again: another client")
    assert invalid_reasons(_load(block, arm, 300)) == ()
    study = build_study_block({"dual": {"A": 1000.0, "B": 1000.0}, "sequential": {"A": 1000.0, "B": 1000.0}})
    (reason,) = study_reasons(_load(study, "dual", 300), LIMITS)
    assert reason.startswith("A in dual waited 0.30 s")


def test_a_scenario_of_which_the_model_is_evicted_in_every_block_is_invalid() -> None:
    """And no PASS, though each solo run that waits for a load makes running together look better."""
    blocks = [_load(_apart(build_block({"A": 3000.0, "B": 1000.0}, index=i)), "solo:A", 2000) for i in range(1, 5)]
    summary = judge_scenario("pair", blocks, Terms(instrument=LIMITS, stopping=Stopping(4, fixed=True)))
    assert summary.verdict is Verdict.INVALID


def test_agents_that_share_a_server_may_have_to_load() -> None:
    """Where their options differ each switch does, and that is what it costs."""
    block = build_block()
    assert invalid_reasons(_load(block, "concurrent", 300), LIMITS) == ()
    assert len(invalid_reasons(_load(block, "solo:A", 300), LIMITS)) == 1


def test_the_load_duration_of_a_starved_server_is_no_load() -> None:
    """Where everything takes fifty times as long, so does finding the runner."""
    block = _apart(build_block({"A": 20_000.0, "B": 20_000.0}))
    assert invalid_reasons(_load(block, "concurrent", 390), LIMITS) == ()
    assert len(invalid_reasons(_load(block, "concurrent", 410), LIMITS)) == 1
