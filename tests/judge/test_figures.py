"""A block's figures, and why a block cannot be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import block_figures, invalid_reasons, metrics
from harness.judge.figures import mean_arm
from harness.records import AgentRun, Block, Run, ServerDurations
from harness.records.session import CONCURRENT, solo_arm
from harness.testing import build_agent_run, build_block, build_request, build_run
from tests.strategies import DURATION


def changed(block: Block, arm: str, role: str, change: Callable[[AgentRun], AgentRun]) -> Block:
    """The block with one agent's run changed in one arm."""

    def in_run(run: Run) -> Run:
        agents = tuple(change(agent) if agent.role == role else agent for agent in run.agents)
        return replace(run, agents=agents) if run.arm == arm else run

    return replace(block, runs=tuple(in_run(run) for run in block.runs))


def test_the_figures_of_the_worked_example() -> None:
    """Alone 10 and 8 s, together 13 and 9 s within 13.8 s, ten tokens each."""
    figures = block_figures(build_block({"A": 10_000, "B": 8_000}, {"A": 13_000, "B": 9_000}, wall_ms=13_800))
    assert figures.concurrent_wall_s == pytest.approx(13.8)
    assert figures.sequential_estimate_s == pytest.approx(22.0)
    assert figures.sequential_measured_s == pytest.approx(18.0)
    assert figures.guide_speedup == pytest.approx(22 / 13.8)
    assert figures.guide_efficiency_pct == pytest.approx(100 * 11 / 13.8)
    assert figures.measured_speedup == pytest.approx(18 / 13.8)
    assert figures.measured_efficiency_pct == pytest.approx(100 * 9 / 13.8)
    assert figures.efficiency_bound_pct == pytest.approx(90.0)
    assert figures.aggregate_tok_s == pytest.approx(20 / 13.8)
    assert [agent.slowdown for agent in figures.agents] == [pytest.approx(1.3), pytest.approx(9 / 8)]


def test_an_agents_figures_are_means_over_its_requests() -> None:
    """TTFT is the mean of its requests', throughput all its tokens over all its time in requests."""
    requests = [
        build_request(ttft_ms=100, duration_ms=1000, tokens=10),
        build_request(sent_ms=1500, ttft_ms=300, duration_ms=3000, tokens=30),
    ]
    alone = build_run(solo_arm("A"), [build_agent_run("A", 4500, requests=requests)])
    together = build_run(CONCURRENT, [build_agent_run("A", 4500, requests=requests)])
    block = replace(build_block(), order=(alone.arm, CONCURRENT), runs=(alone, together))
    (agent,) = block_figures(block).agents
    assert agent.solo.ttft_ms == pytest.approx(200.0)
    assert agent.solo.tok_s == pytest.approx(40 / 4.0)
    assert agent.slowdown == 1.0


def test_the_coordinators_wait_is_shown_and_slows_nobody_down() -> None:
    """An agent that was let in late has its wait beside its figures, not in them."""
    block = build_block()
    late = changed(block, CONCURRENT, "B", lambda _: build_agent_run("B", 1000, wait_ms=1000))
    agent = block_figures(late).agents[1]
    assert agent.wait_ms == 1000.0
    assert agent.slowdown == 1.0
    assert agent.concurrent.ttft_ms == agent.solo.ttft_ms


def test_the_signed_deltas_have_their_published_signs() -> None:
    """TTFT: first agent less the last; throughput: last less the first."""
    figures = block_figures(build_block({"A": 1000, "B": 1000}, {"A": 2000, "B": 1000}))
    assert figures.throughput_delta_signed_tok_s == pytest.approx(10.0 - 5.0)
    slower = changed(build_block(), CONCURRENT, "A", lambda _: build_agent_run("A", 1000, ttft_ms=350))
    assert block_figures(slower).ttft_delta_signed_ms == pytest.approx(250.0)


def _other_tokens(agent: AgentRun) -> AgentRun:
    return replace(agent, requests=(build_request(tokens=9),))


def _one_more_request(agent: AgentRun) -> AgentRun:
    return replace(agent, requests=(*agent.requests, build_request()))


def _no_text(agent: AgentRun) -> AgentRun:
    return replace(agent, requests=(build_request(tokens=0),))


def _no_request(agent: AgentRun) -> AgentRun:
    return replace(agent, requests=())


def _failed(agent: AgentRun) -> AgentRun:
    return replace(agent, error="request 'ask' failed: HTTP 500", requests=(build_request(error="HTTP 500"),))


def _failed_and_survived(agent: AgentRun) -> AgentRun:
    return replace(agent, requests=(build_request(error="ReadError"),))


@pytest.mark.parametrize("arm", [solo_arm("A"), CONCURRENT])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_other_tokens, "the arms did different work"),
        (_one_more_request, "the arms did different work"),
        (_no_text, "gave no text"),
        (_no_request, "gave no text"),
        (_failed, "HTTP 500"),
        (_failed_and_survived, "ReadError"),
    ],
)
def test_a_block_with_a_spoilt_arm_is_invalid(arm: str, change: Callable[[AgentRun], AgentRun], words: str) -> None:
    """Whichever arm is at fault, the reason names the agent, and no figures can be had."""
    block = changed(build_block(), arm, "A", change)
    reasons = "; ".join(invalid_reasons(block))
    assert "A" in reasons
    assert words in reasons
    with pytest.raises(ValueError, match="is not valid"):
        block_figures(block)


@pytest.mark.parametrize("arm", [solo_arm("A"), solo_arm("B"), CONCURRENT])
def test_a_block_without_an_arm_is_invalid(arm: str) -> None:
    """A block that ended before one of its arms names that arm."""
    block = build_block()
    short = replace(block, runs=tuple(run for run in block.runs if run.arm != arm))
    assert invalid_reasons(short) == (f"not run: {arm}",)
    with pytest.raises(ValueError, match="is not valid"):
        block_figures(short)


def test_a_block_that_ended_early_is_invalid_even_if_its_arms_are_whole() -> None:
    """The block's own error is the first reason."""
    assert invalid_reasons(build_block(error="interrupted")) == ("interrupted",)


def test_token_counts_are_compared_request_by_request() -> None:
    """Ten tokens as 4 and 6 are not the work of 6 and 4."""

    def split(first: int) -> Callable[[AgentRun], AgentRun]:
        requests = (build_request(tokens=first), build_request(tokens=10 - first))
        return lambda agent: replace(agent, requests=requests)

    block = changed(build_block(), solo_arm("A"), "A", split(4))
    assert invalid_reasons(changed(block, CONCURRENT, "A", split(4))) == ()
    (reason,) = invalid_reasons(changed(block, CONCURRENT, "A", split(6)))
    assert "[4, 6] tokens alone and [6, 4] together" in reason


@given(st.permutations(range(3)), DURATION, DURATION)
def test_the_order_of_arms_changes_no_figure(order: list[int], first: int, second: int) -> None:
    """A block's figures are those of its arms, in whatever order they were run."""
    block = build_block({"A": first / 1e3, "B": second / 1e3})
    turned = replace(block, runs=tuple(block.runs[i] for i in order), order=tuple(block.order[i] for i in order))
    assert block_figures(turned) == block_figures(block)


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=4).flatmap(lambda v: st.permutations(list(enumerate(v)))))
def test_the_order_of_agents_changes_no_ratio_of_a_block(agents: list[tuple[int, int]]) -> None:
    """Speedup and efficiency of both families are the same for a permuted scenario."""
    solo = {f"agent {name}": float(ms) for name, ms in agents}
    ordered = dict(sorted(solo.items()))
    one, other = (
        block_figures(build_block(each, {role: 2 * ms for role, ms in each.items()})) for each in (solo, ordered)
    )
    for metric in ("guide_speedup", "guide_efficiency_pct", "measured_speedup", "measured_efficiency_pct"):
        assert getattr(one, metric) == pytest.approx(getattr(other, metric), rel=1e-12)


def test_an_arms_figures_come_from_its_own_records() -> None:
    """Ten tokens from 100 to 1000 ms: gaps of 100 ms, and the server's own durations beside them."""
    arm = block_figures(build_block()).agents[0].solo
    assert (arm.ttft_ms, arm.end_to_end_ms, arm.tpot_ms) == (100.0, 1000.0, 100.0)
    assert arm.itl_p50_ms == pytest.approx(100.0)
    assert arm.itl_p99_ms == pytest.approx(100.0)
    assert (arm.tokens, arm.tok_s, arm.decode_tok_s) == (10, 10.0, 10.0)
    assert (arm.load_ms, arm.queue_ms, arm.prompt_ms, arm.eval_ms) == (0.0, 0.0, 100.0, 900.0)


def test_quantiles_of_gaps_are_over_all_gaps_and_not_over_means() -> None:
    """One stall among many gaps stays visible in the 99th percentile."""
    smooth = build_request(tokens=100, ttft_ms=10, duration_ms=1000)
    stall = replace(smooth, token_ns=(*smooth.token_ns[:50], *(ns + 500_000_000 for ns in smooth.token_ns[50:])))
    block = build_block()
    for arm in (solo_arm("A"), CONCURRENT):
        block = changed(block, arm, "A", lambda agent: replace(agent, requests=(smooth, stall)))
    figures = block_figures(block).agents[0].solo
    assert figures.itl_p50_ms == pytest.approx(10.0)
    assert figures.itl_p99_ms is not None
    assert metrics.inter_token_latencies_ms(stall)[49] == pytest.approx(510.0)
    assert 10.0 <= figures.itl_p99_ms < 510.0


def test_what_the_records_do_not_tell_is_none() -> None:
    """One token gives no gap, a server without figures no share of its time; a mean leaves these out."""
    bare = replace(build_request(tokens=1), server=None)
    block = build_block()
    for arm in (solo_arm("A"), CONCURRENT):
        block = changed(block, arm, "A", lambda agent: replace(agent, requests=(bare,)))
    arm_figures = block_figures(block).agents[0].solo
    silent = ("tpot_ms", "itl_p50_ms", "itl_p99_ms", "decode_tok_s", "load_ms", "queue_ms", "prompt_ms", "eval_ms")
    assert {getattr(arm_figures, name) for name in silent} == {None}
    other = block_figures(build_block()).agents[0].solo
    assert mean_arm([arm_figures, other]).eval_ms == other.eval_ms
    assert mean_arm([arm_figures]).eval_ms is None


def test_the_wait_for_a_slot_is_what_the_servers_total_leaves() -> None:
    """Total 1000 ms less load 100, prompt 200 and eval 300."""
    server = ServerDurations(1_000_000_000, 100_000_000, 200_000_000, 300_000_000, 5, 10)
    assert metrics.queue_ns(server) == 400_000_000
