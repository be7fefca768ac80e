"""The trace: valid by a strict reader, nested, and with the times and tokens of the records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import Block, ServerDurations
from harness.report import JudgedSession
from harness.report.exports import trace
from harness.report.exports.lanes import GRID_NS, Slice, flattened, in_lanes, nested
from harness.report.exports.trace import trace_json
from harness.scenarios import Stopping
from harness.testing import build_session
from tests.report.exports.sessions import EMPTY, GOOD, HOSTILE, SESSIONS
from tests.report.exports.trace_format import Event, problems, read_trace
from tests.strategies import BLOCKS

GRID_US = Fraction(GRID_NS, 1000)


def events_of(judged: JudgedSession) -> list[Event]:
    """The events of a session's trace."""
    return read_trace(trace_json(judged))[1]


def tracks(events: list[Event]) -> dict[str, tuple[int, int]]:
    """Process and thread by the track's name."""
    return {event["args"]["name"]: (event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_trace_is_valid_whatever_the_session(name: str) -> None:
    """No fault found by the strict reader: fields, nesting, names of tracks, arrows."""
    assert problems(trace_json(SESSIONS[name])) == []


@settings(max_examples=20)
@given(BLOCKS)
def test_a_trace_is_valid_whatever_was_recorded(block: Block) -> None:
    """Ends before starts, tokens before they were asked for, instants of 2^63: told without a partial overlap."""
    judged = JudgedSession(build_session([block]), "/j.jsonl", Stopping(5))
    assert [each for each in problems(trace_json(judged)) if "overlap" in each or "order" in each] == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_lanes_hold_every_slice_once_and_none_overlaps_another(spans: list[tuple[int, int]]) -> None:
    """Whatever the slices; and those put into another lie in it."""
    slices = [Slice(str(place), start, start + length) for place, (start, length) in enumerate(spans)]
    laid = nested(Slice("outer", 10, 40), slices)
    lanes = in_lanes(laid)
    held = [each.name for lane in lanes for each in flattened(lane)]
    assert sorted(held) == sorted(["outer", *(each.name for each in slices)])
    for lane in lanes:
        assert all(one.end <= other.start for one, other in pairwise(lane))
    for each in (each for each in laid if each.inside):
        assert all(each.start <= one.start and one.end <= each.end for one in each.inside)


def test_every_agent_and_server_has_a_track() -> None:
    """Eight agents have eight tracks; the session, the servers and the sampler have theirs."""
    assert {f"agent-{n}" for n in range(8)} < tracks(events_of(SESSIONS["eight agents"])).keys()
    assert tracks(events_of(GOOD)).keys() >= {"blocks", "A", "B", "http://127.0.0.1:1", "sampled runs"}


def test_overlapping_requests_of_an_agent_have_lanes_of_their_own() -> None:
    """Two requests in flight at the same time do not lie in each other."""
    assert {"C", "C (2)", "C (3)"} <= tracks(events_of(SESSIONS["odd"])).keys()


def test_phases_cover_each_request_and_sum_to_its_length() -> None:
    """Queue, prefill and decode follow each other from the sending to the end, to the grid's step."""
    events = events_of(GOOD)
    lanes = [track for name, track in tracks(events).items() if name in {"A", "A (2)"}]  # the arms start together
    mine = [event for event in events if event["ph"] == "X" and (event["pid"], event["tid"]) in lanes]
    requests = [event for event in mine if event["name"] == "ask"]
    phases = [event for event in mine if event["name"] in {"loading", "queue", "prefill", "decode"}]
    assert len(requests) == 2 * 5
    assert sum(each["dur"] for each in phases) == sum(each["dur"] for each in requests)
    records = [
        request.ended_ns - request.sent_ns
        for block in GOOD.session.blocks
        for run in block.runs
        for agent in run.agents
        if agent.role == "A"
        for request in agent.requests
    ]
    assert abs(sum(each["dur"] for each in requests) - Fraction(sum(records), 1000)) <= len(records) * GRID_US


def test_every_token_is_there_and_at_its_instant() -> None:
    """As many marks as tokens, in a track of its agent; tokens of one instant are one mark that says how many."""
    events = events_of(GOOD)
    marks = [event for event in events if event["ph"] == "i"]
    assert len(marks) == 5 * 4 * 10
    first = GOOD.session.blocks[0].runs[0].agents[0].requests[0]
    instants = {event["ts"] for event in marks}
    assert {Fraction(stamp // GRID_NS * GRID_NS, 1000) for stamp in first.token_ns} <= instants


def test_tokens_of_one_instant_are_one_mark() -> None:
    """Three tokens that came in one read are told as three at once."""
    (block, *_) = GOOD.session.blocks
    (run, *_) = block.runs
    (agent, *_) = run.agents
    together = replace(agent.requests[0], token_ns=(5000, 5000, 5000))
    one = replace(block, runs=(replace(run, agents=(replace(agent, requests=(together,)),)),))
    (mark,) = (e for e in events_of(replace(EMPTY, session=build_session([one]))) if e["ph"] == "i")
    assert mark["args"] == {"tokens": 3}


def test_of_very_many_tokens_some_are_told_and_the_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trace stays small enough to be opened; what it left out is no secret."""
    monkeypatch.setattr(trace, "MOST_TOKENS", 100)
    document, events = read_trace(trace_json(GOOD))
    assert sum(event["ph"] == "i" for event in events) == 5 * 4 * 5
    assert document["otherData"]["tokens"] == "200, one in 2 of each request"


def test_arguments_say_which_block_arm_and_request_it_was() -> None:
    """Block, arm, nonce and tokens stand with a request; a block says whether it could be judged."""
    events = events_of(SESSIONS["odd"])
    request = next(event for event in events if event["ph"] == "X" and event["name"] == "ask")
    assert {"block", "arm", "nonce", "tokens", "ttft_ms"} <= request["args"].keys()
    blocks = [event["args"] for event in events if event["ph"] == "X" and event["pid"] == 1 and "side" in event["args"]]
    assert [each.get("valid") for each in blocks] == [None, True, False]
    assert blocks[2]["reasons"] == "deadline"


def test_counters_have_what_the_sampler_told() -> None:
    """One value of each at the start of each run; what nobody told is no value."""
    counters = [event for event in events_of(GOOD) if event["ph"] == "C"]
    assert Counter(event["name"] for event in counters)["GPU power, W"] == 5 * 3
    cores = next(event["args"] for event in counters if event["name"] == "CPU, cores")
    assert cores == {"http://127.0.0.1:1": Fraction(3, 2)}


def test_servers_are_told_by_their_own_durations() -> None:
    """Prefill and decode of a server sum to what it said, and an arrow leads there from each request."""
    events = events_of(GOOD)
    servers = [event for event in events if event["ph"] == "X" and event["pid"] == 3]
    told = sum(
        request.server.total_ns
        for block in GOOD.session.blocks
        for run in block.runs
        for agent in run.agents
        for request in agent.requests
        if request.server
    )
    parts = sum(event["dur"] for event in servers if event["name"] in {"load", "queue", "prefill", "decode"})
    assert abs(parts - Fraction(told, 1000)) <= 2 * 20 * GRID_US
    assert sum(event["ph"] == "s" for event in events) == 20


def test_times_start_at_the_first_instant_and_the_file_has_its_date() -> None:
    """Microseconds from 0, and the first of them since 1970."""
    document, events = read_trace(trace_json(GOOD))
    assert min(event["ts"] for event in events if "ts" in event) == 0
    assert document["otherData"]["first_instant_unix_ns"] == 1  # the anchor is 1 ns, at 2 ns of 1970


def test_damaged_durations_do_not_spoil_the_nesting() -> None:
    """A server that tells of centuries: beyond what a double holds exactly every slice ends at the same place."""
    (block, *_) = GOOD.session.blocks
    (run, *_) = block.runs
    (agent, *_) = run.agents
    told = ServerDurations(2**63 - 1, 125 * (2**53 + 1), 125 * 3, 2**62, 1, 1)
    damaged = replace(agent.requests[0], server=told)
    one = replace(block, runs=(replace(run, agents=(replace(agent, requests=(damaged,)),)),))
    assert problems(trace_json(replace(EMPTY, session=build_session([one])))) == []


def test_hostile_names_are_harmless_in_a_trace() -> None:
    """Escapes, NUL and marks that turn text round are shown as what they are."""
    data = trace_json(SESSIONS["hostile"])
    _, events = read_trace(data)
    assert all(event["name"].isprintable() for event in events)
    assert all(value.isprintable() for e in events for value in e.get("args", {}).values() if isinstance(value, str))
    assert HOSTILE.encode() not in data
