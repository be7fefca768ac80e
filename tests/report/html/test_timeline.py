"""The timeline's runs, packed."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest

from harness.records import Run
from harness.records.session import CONCURRENT
from harness.report.html import timeline as module
from harness.report.html.timeline import HEADINGS, timeline
from harness.testing import build_agent_run, build_block, build_request, build_run, build_session
from tests.report.html.sessions import ROLES, block, blocks, every_verdict, judged


def packed(found: module.Timeline) -> Any:  # noqa: ANN401 - JSON
    """What its script gets."""
    assert found.packed is not None
    return found.packed


def one(run: Run) -> module.Timeline:
    """The timeline of a session with one run."""
    measured = replace(build_block(scenario="s"), runs=(run,), order=(run.arm,))
    return timeline(judged(build_session(), {}, {"s": [measured]}))


def test_every_token_and_phase_comes_back_to_the_microsecond() -> None:
    """Differences add up to the instants of the record, and phases to the length of the run."""
    measured = block("s", 1, 1.5)
    found = packed(timeline(judged(build_session(), {"s": [measured]})))
    for run, told in zip(measured.runs, found["runs"], strict=True):
        assert told["w"] == run.wall_ns // 1000
        for agent, each in zip(run.agents, told["g"], strict=True):
            stamps = [(at - run.started_ns) // 1000 for request in agent.requests for at in request.token_ns]
            assert list(accumulate(each["t"])) == stamps
            assert sum(length for _, length in each["p"]) == pytest.approx(told["w"], abs=len(each["p"]))


def test_a_phase_has_its_name_and_a_wait_its_ends() -> None:
    """Load, queue, prefill and decode, in the order of the request, after the coordinator's wait."""
    request = build_request(sent_ms=10.0, load_ms=60.0, queue_ms=5.0, ttft_ms=20.0, duration_ms=200.0)
    found = packed(one(build_run("concurrent", [build_agent_run("A", 200.0, wait_ms=10.0, requests=[request])])))
    agent = found["runs"][0]["g"][0]
    names = [found["phases"][place] for place, _ in agent["p"]]
    assert names == ["idle", "loading", "queue", "prefill", "decode"]
    assert agent["w"] == [0, 10_000]
    assert [length for _, length in agent["p"]] == [10_000, 60_000, 5_000, 20_000, 115_000]


def test_the_slowest_run_of_a_failed_scenario_is_shown_first() -> None:
    """Who opens the report sees the trouble."""
    found = timeline(every_verdict())
    first = packed(found)["runs"][found.first]
    names = packed(found)["names"]
    assert (names[first["s"]], names[first["a"]], names[first["l"]]) == ("chimera_homo", CONCURRENT, "the slowest")
    assert found.words.startswith("chimera_homo, block ")


def test_the_median_run_of_a_scenario_that_passed_is_shown_first() -> None:
    """What is usual, where nothing is wrong."""
    measured = [*blocks("calm", 1.01, 2), block("calm", 3, 1.2)]
    found = timeline(judged(build_session(), {"calm": measured}))
    shown = packed(found)["runs"][found.first]
    assert packed(found)["names"][shown["l"]] == "the median"


def test_what_is_not_judged_is_named() -> None:
    """Warm-up blocks and invalid ones can be looked at, and say what they are."""
    bad = replace(block("s", 3, 1.0), error="died")
    found = packed(timeline(judged(build_session(), {"s": [*blocks("s", 1.0, 2), bad]})))
    labels = {run["b"]: found["names"][run["l"]] for run in found["runs"]}
    assert (labels[0], labels[3]) == ("warm-up", "invalid")


def test_a_request_is_a_row() -> None:
    """With its phases in ms, its tokens, and the begin of what it answered; a failed one says why."""
    good = replace(build_request(name="ask", ttft_ms=20.0, duration_ms=110.0, tokens=10), text="long " * 40)
    failed = build_request(name="again", sent_ms=110.0, ttft_ms=10.0, duration_ms=50.0, tokens=0, error="reset\x1b")
    found = one(build_run("concurrent", [build_agent_run("A", 200.0, requests=[good, failed])]))
    assert dict(zip(HEADINGS, found.table.rows[0], strict=True)) == {
        "agent": "A",
        "request": "ask",
        "sent": "0.0",
        "load": "0.0",
        "queue": "0.0",
        "prefill": "20.0",
        "decode": "90.0",
        "tokens": "10",
        "longest gap": "10.0",
        "what came": f"{'long ' * 12}...",
    }
    assert found.table.rows[1][-1] == "failed: reset\\x1b"
    assert found.table.rows[1][-2] == "-"


def test_agents_in_the_background_are_there_and_marked() -> None:
    """They are part of what happened."""
    beside = build_agent_run(ROLES[1], 100.0, error="cancelled")
    run = replace(build_run("decode:A", [build_agent_run("A", 100.0)]), background=(beside,))
    assert [each.get("b") for each in packed(one(run))["runs"][0]["g"]] == [None, 1]


def test_of_too_many_runs_those_with_several_agents_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page stays small, and says what is not in it."""
    measured = blocks("s", 1.2, 3)
    monkeypatch.setattr(module, "MOST_TOKENS", 500)
    found = timeline(judged(build_session(), {"s": measured}))
    kept = packed(found)
    assert found.left_out == 12 - len(kept["runs"]) > 0
    assert [kept["names"][run["a"]] for run in kept["runs"]].count(CONCURRENT) == 4


def test_a_session_that_ran_nothing_has_no_timeline() -> None:
    """And no run is drawn."""
    assert timeline(judged(build_session(), {})).packed is None
