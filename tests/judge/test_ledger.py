"""The ledger of a request: worked examples, and that it sums for whatever was recorded."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.ledger import (
    Ledger,
    agent_ledgers,
    mean_ledger,
    request_ledgers,
    server_phases,
)
from harness.records import AgentRun, ServerDurations
from harness.testing import build_agent_run, build_block, build_request
from tests.strategies import AGENT_RUNS

_MS = 1_000_000
TERMS = [field.name for field in fields(Ledger) if field.name.endswith("_ns") and field.name != "total_ns"]


def terms_ms(ledger: Ledger) -> dict[str, float]:
    """The terms that are not 0, ms."""
    return {name.removesuffix("_ns"): value / _MS for name in TERMS if (value := getattr(ledger, name))}


def test_the_worked_example_of_a_request() -> None:
    """Each span lands on the term of its name, and the server's decode is what is left of its total."""
    request = build_request(
        name="ingest",
        sent_ms=207,
        asked_before_ms=7,
        load_ms=30,
        queue_ms=20,
        ttft_ms=100,
        outside_ms=3,
        duration_ms=1000,
    )
    (ledger,) = request_ledgers(build_agent_run("A", 1007, wait_ms=200, requests=[request]))
    assert (ledger.role, ledger.name, ledger.index, ledger.total_ns / _MS) == ("A", "ingest", 0, 1207.0)
    assert terms_ms(ledger) == {
        "coordinator_wait": 200.0,
        "client": 7.0,
        "queue": 20.0,
        "load": 30.0,
        "prefill": 100.0,
        "decode": 847.0,
        "unattributed": 3.0,
    }


def test_a_connection_that_had_to_be_opened_has_a_term_of_its_own() -> None:
    """Asked to sent is the connection's set-up there, and client work elsewhere."""
    request = build_request(asked_before_ms=5, connected=True)
    (opened,) = request_ledgers(build_agent_run(requests=[request]))
    assert (opened.connection_ns, opened.client_ns) == (5 * _MS, 0)
    (reused,) = request_ledgers(build_agent_run(requests=[replace(request, connected=False)]))
    assert (reused.connection_ns, reused.client_ns) == (0, 5 * _MS)


def test_the_coordinators_wait_stands_on_the_request_that_was_asked_for_first() -> None:
    """Once a run, and not on the first record: of requests in flight together the later one may end first."""
    later, sooner = build_request(name="b", sent_ms=310, duration_ms=200), build_request(name="a", sent_ms=300)
    ledgers = request_ledgers(build_agent_run(wait_ms=300, requests=[later, sooner]))
    assert [(each.name, each.index, each.coordinator_wait_ns) for each in ledgers] == [
        ("b", 0, 0),
        ("a", 1, 300 * _MS),
    ]
    assert sum(each.total_ns for each in ledgers) == (300 + 200 + 1000) * _MS


def test_a_server_that_told_nothing_leaves_its_time_unattributed() -> None:
    """No phase is made up: sent to ended has no other name than the rest."""
    request = replace(build_request(asked_before_ms=5), server=None)
    (ledger,) = request_ledgers(build_agent_run(requests=[request]))
    assert terms_ms(ledger) == {"client": 5.0, "unattributed": 1000.0}


def test_a_server_without_a_total_has_no_queue() -> None:
    """Absent is not zero: a total of 0 less the phases would be a negative wait."""
    partial = ServerDurations(0, 10, 20, 30, 5, 10)
    assert server_phases(partial) == (10, 0, 20, 30)
    assert server_phases(replace(partial, total_ns=100)) == (10, 40, 20, 30)


def test_a_server_that_tells_of_more_than_passed_makes_the_rest_negative() -> None:
    """A clock of its own may run fast; the difference is shown and not clipped."""
    (ledger,) = request_ledgers(build_agent_run(requests=[build_request(outside_ms=-4)]))
    assert ledger.unattributed_ns == -4 * _MS
    assert ledger.decode_ns == 904 * _MS


@given(AGENT_RUNS)
def test_a_ledger_sums_exactly_to_its_total(run: AgentRun) -> None:
    """Whatever the instants and whatever the server told: in ns, without a rest."""
    ledgers = request_ledgers(run)
    assert [each.index for each in ledgers] == list(range(len(run.requests)))
    for ledger, request in zip(ledgers, run.requests, strict=True):
        assert sum(getattr(ledger, name) for name in TERMS) == ledger.total_ns
        assert ledger.total_ns - ledger.coordinator_wait_ns == request.ended_ns - request.asked_ns
    assert sum(each.coordinator_wait_ns for each in ledgers) == (run.wait_ns if run.requests else 0)


@given(st.lists(AGENT_RUNS.map(request_ledgers).filter(bool).map(lambda ledgers: ledgers[0]), min_size=1, max_size=5))
def test_the_terms_of_a_mean_ledger_sum_to_its_total(ledgers: list[Ledger]) -> None:
    """A mean of sums is the sum of means."""
    mean = mean_ledger(ledgers)
    terms = [getattr(mean, f"{name.removesuffix('_ns')}_ms") for name in TERMS]
    assert sum(terms) == pytest.approx(mean.total_ms, rel=1e-9, abs=1e-9 * max(map(abs, terms)))


def test_a_mean_ledger_is_over_requests_in_ms() -> None:
    """A wait of one request in two counts half."""
    run = build_agent_run(wait_ms=100, requests=[build_request(duration_ms=400), build_request(duration_ms=600)])
    mean = mean_ledger(request_ledgers(run))
    assert (mean.coordinator_wait_ms, mean.prefill_ms, mean.decode_ms, mean.total_ms) == (50.0, 100.0, 400.0, 550.0)


def test_each_agent_has_its_mean_ledger_alone_and_together() -> None:
    """Over the blocks that were given, in the scenario's order and from the agent's own records."""
    blocks = [
        build_block({"B": 1000, "A": 500}, {"B": 1000 + more, "A": 700}, load_ms={"A": 50}, wait_ms={"B": 8})
        for more in (200, 400)
    ]
    second, first = agent_ledgers(blocks)
    assert (second.role, first.role) == ("B", "A")
    assert (second.alone.total_ms, second.together.total_ms, second.together.decode_ms) == (1000.0, 1308.0, 1200.0)
    assert (second.alone.coordinator_wait_ms, second.together.coordinator_wait_ms) == (0.0, 8.0)
    assert (first.alone.total_ms, first.together.total_ms) == (500.0, 700.0)
    assert (first.alone.load_ms, first.together.load_ms) == (0.0, 50.0)
