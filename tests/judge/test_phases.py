"""What an agent was doing when: the phases of requests, of agents, and of several agents seen as one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.phases import LOADING_FROM_NS, PHASES, Interval, agent_phases, request_phases
from harness.records import AgentRun, RequestRecord
from harness.testing import build_agent_run, build_request
from tests.strategies import AGENT_RUNS, INSTANTS, REQUESTS

MS = 1_000_000


def shown(intervals: tuple[Interval, ...]) -> list[tuple[str, float, float]]:
    """In ms."""
    return [(each.phase, each.start_ns / MS, each.end_ns / MS) for each in intervals]


def test_a_request_goes_through_all_its_phases() -> None:
    """A load of 100 ms, a wait of 50, a prefill of 200, and the rest is decode."""
    request = build_request(sent_ms=10, load_ms=100, queue_ms=50, ttft_ms=200, duration_ms=1000)
    assert shown(request_phases(request)) == [
        ("loading", 10, 110),
        ("queue", 110, 160),
        ("prefill", 160, 360),
        ("decode", 360, 1010),
    ]


@pytest.mark.parametrize(("load_ms", "first"), [(49, "queue"), (50, "loading")])
def test_the_bookkeeping_of_a_warm_server_is_no_load(load_ms: float, first: str) -> None:
    """Below 50 ms it has only read the request and found its runner: that is the queue."""
    phases = shown(request_phases(build_request(load_ms=load_ms, ttft_ms=100)))
    assert phases[0] == (first, 0, load_ms)
    assert phases[1][0] == "prefill"
    assert LOADING_FROM_NS == 50 * MS


def test_a_silent_server_makes_all_up_to_the_first_token_prefill() -> None:
    """Nobody can say where the queue ended."""
    request = replace(build_request(queue_ms=50, ttft_ms=200, duration_ms=1000), server=None)
    assert shown(request_phases(request)) == [("prefill", 0, 250), ("decode", 250, 1000)]


def test_a_server_that_leaves_out_its_prefill_makes_all_after_the_load_prefill() -> None:
    """Absent and zero are the same on the wire."""
    request = build_request(load_ms=60, queue_ms=50, ttft_ms=200, duration_ms=1000)
    assert request.server is not None
    request = replace(request, server=replace(request.server, prompt_eval_ns=0))
    assert shown(request_phases(request)) == [("loading", 0, 60), ("prefill", 60, 310), ("decode", 310, 1000)]


def test_a_server_that_tells_of_more_than_there_was_is_cut_to_what_there_was() -> None:
    """The client's instants bound everything: a prefill cannot begin before the request was sent."""
    request = build_request(ttft_ms=100, duration_ms=300)
    assert request.server is not None
    told = replace(request.server, prompt_eval_ns=10**12)
    assert shown(request_phases(replace(request, server=told))) == [("prefill", 0, 100), ("decode", 100, 300)]
    loaded = replace(request.server, load_ns=10**12)
    assert shown(request_phases(replace(request, server=loaded))) == [("loading", 0, 100), ("decode", 100, 300)]


def test_decode_lasts_until_the_stream_ends() -> None:
    """A request that was cut off 50 ms after its last token was making the next one; one without a token prefilled."""
    request = build_request(ttft_ms=100, duration_ms=300, error="cut off")
    assert shown(request_phases(replace(request, ended_ns=350 * MS)))[-1] == ("decode", 100, 350)
    assert shown(request_phases(replace(request, token_ns=(), token_chunk=()))) == [("prefill", 0, 300)]


def test_an_agent_is_idle_before_between_and_after_its_requests() -> None:
    """Two requests in a run of a second."""
    requests = [build_request(sent_ms=sent, ttft_ms=100, duration_ms=200) for sent in (100, 400)]
    agent = build_agent_run("A", 600, requests=requests)
    assert shown(agent_phases(agent, 0, 1000 * MS)) == [
        ("idle", 0, 100),
        ("prefill", 100, 200),
        ("decode", 200, 300),
        ("idle", 300, 400),
        ("prefill", 400, 500),
        ("decode", 500, 600),
        ("idle", 600, 1000),
    ]


def test_of_several_requests_at_once_the_most_demanding_phase_counts() -> None:
    """A prefill inside another request's decode, of one agent or of two seen as one."""
    decodes = build_request(ttft_ms=100, duration_ms=600)
    prefills = build_request(sent_ms=200, queue_ms=50, ttft_ms=100, duration_ms=300)
    expected = [("prefill", 0, 100), ("decode", 100, 250), ("prefill", 250, 350), ("decode", 350, 600)]
    one = build_agent_run("A", 600, requests=[decodes, prefills])
    assert shown(agent_phases(one, 0, 600 * MS)) == expected
    two = [build_agent_run("A", 600, requests=[decodes]), build_agent_run("B", 500, requests=[prefills])]
    assert shown(agent_phases(two, 0, 600 * MS)) == expected


def test_an_agent_without_requests_is_idle_and_a_run_without_length_has_no_phase() -> None:
    """Also what nobody did is covered."""
    agent = build_agent_run(requests=[])
    assert shown(agent_phases(agent, 0, MS)) == [("idle", 0, 1)]
    assert agent_phases(agent, MS, MS) == agent_phases(agent, 2 * MS, MS) == ()


@given(REQUESTS)
def test_the_phases_of_any_request_follow_each_other(request: RequestRecord) -> None:
    """Whatever was recorded: in order, none without length, and together from its sending to its end."""
    pieces = request_phases(request)
    assert all(each.start_ns < each.end_ns for each in pieces)
    assert all(one.end_ns == other.start_ns for one, other in pairwise(pieces))


@given(st.lists(AGENT_RUNS, max_size=3), INSTANTS, INSTANTS)
def test_the_phases_of_any_agents_tile_the_run(agents: list[AgentRun], started: int, finished: int) -> None:
    """From its start to its end without gap or overlap, and neighbours differ."""
    tiles = agent_phases(agents, started, finished)
    assert bool(tiles) == (started < finished)
    if tiles:
        assert (tiles[0].start_ns, tiles[-1].end_ns) == (started, finished)
    assert all(each.start_ns < each.end_ns and each.phase in PHASES for each in tiles)
    assert all(one.end_ns == other.start_ns and one.phase != other.phase for one, other in pairwise(tiles))


SPANS = st.lists(
    st.builds(
        lambda sent, load, queue, ttft, decode: build_request(
            sent_ms=sent, load_ms=load, queue_ms=queue, ttft_ms=ttft, duration_ms=load + queue + ttft + decode
        ),
        *(st.integers(0, 300) for _ in range(5)),
    ),
    max_size=4,
)


@given(SPANS, SPANS, st.integers(0, 2000))
def test_at_any_instant_several_agents_do_the_most_demanding_of_what_each_does(
    first: list[RequestRecord], second: list[RequestRecord], instant_ms: int
) -> None:
    """Seen as one they prefill if one of them does, else decode, load, queue."""
    agents = [build_agent_run(role, 1, requests=requests) for role, requests in (("A", first), ("B", second))]
    window = 0, 2001 * MS

    def at(who: AgentRun | list[AgentRun]) -> str:
        instant = instant_ms * MS
        return next(each.phase for each in agent_phases(who, *window) if each.start_ns <= instant < each.end_ns)

    order = ("prefill", "decode", "loading", "queue", "idle")
    assert at(agents) == min((at(agent) for agent in agents), key=order.index)
