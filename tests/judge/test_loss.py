"""Where every lost per cent went: worked examples, pure cases, and what must hold for any spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import block_figures
from harness.judge.loss import (
    Loss,
    agent_losses,
    block_loss,
    in_flight_ns,
    mean_agent_losses,
    mean_loss,
)
from harness.records import AgentRun, Block, RequestRecord, Run, ServerDurations
from harness.records.session import CONCURRENT, solo_arm
from harness.testing import build_agent_run, build_block, build_request, build_run

TERMS = ("useful", "contention", "load", "orchestration", "imbalance")
NAMES = tuple(field.name for field in fields(Loss))
SPLIT = {term: [name for name in NAMES if name.startswith(f"{term}_")] for term in TERMS[1:2] + TERMS[3:]}


def shown(loss: Loss) -> dict[str, float]:
    """The shares that are not 0."""
    return {name: share for name in NAMES if (share := round(getattr(loss, name), 12))}


def together(block: Block, agents: Mapping[str, Sequence[RequestRecord]], finished_ms: Mapping[str, float]) -> Block:
    """The block with the agents' requests and ends in its concurrent run."""
    runs = [build_agent_run(role, finished_ms[role], requests=requests) for role, requests in agents.items()]
    concurrent = replace(build_run(CONCURRENT, runs), finished_ns=block.runs[-1].finished_ns)
    return replace(block, runs=(*block.runs[:-1], concurrent))


def of_one_agent(alone: Sequence[RequestRecord], in_company: Sequence[RequestRecord], wall_ms: float) -> Block:
    """A block of the agent ``A``, both of whose runs take as long as the arm."""
    arms = {solo_arm("A"): alone, CONCURRENT: in_company}
    runs = [build_run(arm, [build_agent_run("A", wall_ms, requests=requests)]) for arm, requests in arms.items()]
    return replace(build_block(), runs=tuple(runs), order=tuple(arms))


def test_the_worked_example() -> None:
    """S = (10, 8), X = (13, 9), L = (0, 2), o = (.5, .4) within 13.8 s, in the design's own figures."""
    block = together(
        build_block({"A": 10_000, "B": 8_000}, wall_ms=13_800),
        {
            "A": [build_request(sent_ms=500, duration_ms=13_000)],
            "B": [build_request(sent_ms=400, duration_ms=11_000, load_ms=2_000)],
        },
        {"A": 13_500, "B": 11_400},
    )
    loss = block_loss(block)
    assert [round(100 * getattr(loss, term), 1) for term in TERMS] == [65.2, 14.5, 7.2, 5.4, 7.6]
    assert 100 * loss.orchestration_client == pytest.approx(100 * 0.9 / 27.6)
    assert 100 * loss.orchestration_join == pytest.approx(100 * 0.6 / 27.6)
    assert 100 * loss.imbalance_inherent == pytest.approx(100 * 2.0 / 27.6)
    assert 100 * loss.imbalance_induced == pytest.approx(100 * 0.1 / 27.6)
    assert 100 * loss.contention_decode == pytest.approx(100 * 4.0 / 27.6)
    first, second = (part.loss for part in agent_losses(block))
    assert [round(getattr(first, term) * 27.6, 6) for term in TERMS] == [10.0, 3.0, 0.0, 0.8, 0.0]
    assert [round(getattr(second, term) * 27.6, 6) for term in TERMS] == [8.0, 1.0, 2.0, 0.7, 2.1]


@given(st.integers(1, 10**6))
def test_agents_that_slow_each_other_down_twice_lose_half_to_contention(solo_ms: int) -> None:
    """The guide says 2.0 and nothing lost; measured it is 1.0, and the other half has a name."""
    block = build_block({"A": solo_ms, "B": solo_ms}, {"A": 2 * solo_ms, "B": 2 * solo_ms})
    figures, loss = block_figures(block), block_loss(block)
    assert (figures.guide_speedup, figures.measured_speedup) == (2.0, 1.0)
    assert (loss.useful, loss.contention) == (0.5, 0.5)
    assert (loss.load, loss.orchestration, loss.imbalance) == (0.0, 0.0, 0.0)


def test_agents_that_do_not_disturb_each_other_lose_nothing() -> None:
    """As long together as alone: all of it is useful."""
    assert shown(block_loss(build_block())) == {"useful": 1.0}


def test_unequal_agents_that_do_not_disturb_each_other_lose_by_being_unequal() -> None:
    """Alone 1 s and 0.6 s: the second has nothing to do for 0.4 of 2 s, and nobody induced that."""
    loss = block_loss(build_block({"A": 1000, "B": 600}))
    assert shown(loss) == {"useful": 0.8, "imbalance": 0.2, "imbalance_inherent": 0.2}


def test_an_imbalance_that_only_company_makes_is_induced() -> None:
    """Equal alone, and one is slowed down: the other's waiting for it is not inherent."""
    loss = block_loss(build_block({"A": 1000, "B": 1000}, {"A": 2000, "B": 1000}))
    assert shown(loss) == {
        "useful": 0.5,
        "contention": 0.25,
        "contention_decode": 0.25,
        "imbalance": 0.25,
        "imbalance_induced": 0.25,
    }


def test_a_reload_that_only_company_causes_is_load_and_not_contention() -> None:
    """Both took 1 s more, and their servers told of 1 s of load."""
    both = {"A": 1000.0, "B": 1000.0}
    loss = block_loss(build_block(both, {"A": 2000, "B": 2000}, load_ms=both))
    assert shown(loss) == {"useful": 0.5, "load": 0.5}


def test_one_slot_of_the_coordinator_is_a_wait_and_not_contention() -> None:
    """With --max-concurrent 1 the second waits for the first, and the first for the end of the second."""
    loss = block_loss(build_block(wait_ms={"B": 1000}))
    assert shown(loss) == {
        "useful": 0.5,
        "orchestration": 0.25,
        "orchestration_wait": 0.25,
        "imbalance": 0.25,
        "imbalance_induced": 0.25,
    }


def test_a_start_that_was_staggered_is_neither_a_wait_nor_the_clients_work() -> None:
    """The second starts 500 ms later, as asked: a part of its own, beside the first one's waiting for its end."""
    block = build_block()
    concurrent = block.runs[-1]
    late = build_agent_run("B", 1000, wait_ms=500)
    late = replace(late, queued_ns=late.admitted_ns)
    run = build_run(CONCURRENT, [concurrent.agents[0], late])
    loss = block_loss(replace(block, runs=(*block.runs[:-1], run)))
    assert shown(loss) == {
        "useful": pytest.approx(2 / 3),
        "orchestration": pytest.approx(1 / 6),
        "orchestration_stagger": pytest.approx(1 / 6),
        "imbalance": pytest.approx(1 / 6),
        "imbalance_induced": pytest.approx(1 / 6),
    }


def test_work_of_the_client_is_counted_against_the_work_alone() -> None:
    """Outside requests 100 ms alone and 250 ms together, asked to sent among it: 150 ms are lost."""
    alone = [build_request(sent_ms=100, duration_ms=900)]
    in_company = [build_request(sent_ms=250, asked_before_ms=150, duration_ms=900)]
    block = of_one_agent(alone, in_company, 1000)
    late = build_run(CONCURRENT, [build_agent_run("A", 1150, requests=in_company)])
    loss = block_loss(replace(block, runs=(block.runs[0], late)))
    assert loss.orchestration_client * 1150 == pytest.approx(150.0)
    assert loss.orchestration == loss.orchestration_client
    assert loss.useful * 1150 == pytest.approx(1000.0)


def test_what_lies_outside_the_runs_of_agents_is_the_join() -> None:
    """After the last agent 200 ms for each; what the solo arms had of it is useful, and off the client's part."""
    block = build_block({"A": 1000, "B": 1000}, wall_ms=1200)
    assert shown(block_loss(block)) == {
        "useful": round(2000 / 2400, 12),
        "orchestration": round(400 / 2400, 12),
        "orchestration_join": round(400 / 2400, 12),
    }
    first, *rest = block.runs
    longer = block_loss(replace(block, runs=(replace(first, finished_ns=first.finished_ns + 60_000_000), *rest)))
    assert longer.useful * 2400 == pytest.approx(2060)
    assert longer.orchestration_client * 2400 == pytest.approx(-60)
    assert longer.orchestration_join * 2400 == pytest.approx(400)
    assert longer.imbalance_inherent * 2400 == pytest.approx(60)
    assert longer.imbalance_induced * 2400 == pytest.approx(-60)


def test_agents_that_are_faster_together_have_negative_contention() -> None:
    """No term is clipped: what company gained is shown as such."""
    loss = block_loss(build_block({"A": 1000, "B": 1000}, {"A": 800, "B": 800}))
    assert shown(loss) == {"useful": 1.25, "contention": -0.25, "contention_decode": -0.25}


def test_contention_is_split_by_the_servers_fields() -> None:
    """100 ms more of queue, 200 of prefill, 300 of decode, and 50 that no field tells."""
    alone = build_request(ttft_ms=100, duration_ms=1000)
    in_company = build_request(queue_ms=100, ttft_ms=300, outside_ms=50, duration_ms=1650)
    runs = [build_run(solo_arm("A"), [build_agent_run("A", 1000, requests=[alone])])]
    runs.append(build_run(CONCURRENT, [build_agent_run("A", 1650, requests=[in_company])]))
    loss = block_loss(replace(build_block(), runs=tuple(runs), order=(solo_arm("A"), CONCURRENT)))
    parts = {name: round(getattr(loss, name) * 1650, 6) for name in SPLIT["contention"]}
    assert parts == {
        "contention_queue": 100.0,
        "contention_prefill": 200.0,
        "contention_decode": 300.0,
        "contention_unattributed": 50.0,
    }


@pytest.mark.parametrize("silent", [(True, True), (False, True), (True, False)])
def test_what_a_server_did_not_tell_in_both_arms_is_unattributed(silent: tuple[bool, bool]) -> None:
    """The fields of one arm alone would be a difference to nothing: neither load nor a split comes of them."""
    arms = [build_request(load_ms=30, duration_ms=1000), build_request(load_ms=330, duration_ms=1500)]
    alone, in_company = (
        replace(request, server=None) if off else request for request, off in zip(arms, silent, strict=True)
    )
    runs = [build_run(solo_arm("A"), [build_agent_run("A", 1000, requests=[alone])])]
    runs.append(build_run(CONCURRENT, [build_agent_run("A", 1500, requests=[in_company])]))
    loss = block_loss(replace(build_block(), runs=tuple(runs), order=(solo_arm("A"), CONCURRENT)))
    third = round(1 / 3, 12)
    assert shown(loss) == {
        "useful": round(2 / 3, 12),
        "contention": third,
        "contention_unattributed": third,
    }


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=6))
def test_time_in_flight_is_what_the_requests_cover(spans: list[tuple[int, int]]) -> None:
    """Overlapping or nested, each ns counts once; spans apart are summed."""
    requests = [replace(build_request(), sent_ns=sent, ended_ns=sent + length) for sent, length in spans]
    covered = {instant for sent, length in spans for instant in range(sent, sent + length)}
    assert in_flight_ns(requests) == len(covered)


def test_requests_in_flight_together_wait_for_one_load_once() -> None:
    """Two gathered requests of 1 s that both tell of the same 400 ms of load: 400 of 1000 ms, and not 800."""
    gathered = [build_request(name=name, load_ms=400, duration_ms=1000) for name in "ab"]
    alone = [build_request(name=name, duration_ms=600) for name in "ab"]
    loss = block_loss(of_one_agent(alone, gathered, 1000))
    assert loss.load == pytest.approx(0.4)
    assert loss.contention == pytest.approx(0.0)
    assert [getattr(loss, name) for name in SPLIT["contention"]] == pytest.approx([0.0] * 4)


def test_an_invalid_block_has_no_loss() -> None:
    """As for its figures: ask first."""
    with pytest.raises(ValueError, match="is not valid"):
        block_loss(build_block(error="interrupted"))
    with pytest.raises(ValueError, match="is not valid"):
        agent_losses(build_block(error="interrupted"))


def test_the_useful_share_is_the_measured_efficiency() -> None:
    """The same figure under both names, joins and all."""
    block = build_block({"A": 1000, "B": 700}, {"A": 1300, "B": 1200}, wall_ms=1333)
    assert 100 * block_loss(block).useful == pytest.approx(block_figures(block).measured_efficiency_pct, rel=1e-14)


PLAIN = build_request(tokens=1)
SILENT_OR_NOT = st.booleans()
LIMITS = st.sampled_from([3, 10**4, 10**12, 2**62])
LONGEST_RATIO = 10**12


@st.composite
def requests_of(draw: st.DrawFn, instants: st.SearchStrategy[int], count: int, *, apart: bool) -> list[RequestRecord]:
    """Requests of one agent with any spans: before its run, after its end, over each other unless ``apart``."""
    requests: list[RequestRecord] = []
    for _ in range(count):
        before, sent, length, total, load, prompt_eval, eval_ = draw(st.tuples(*[instants] * 7))
        if apart and requests:
            sent += requests[-1].ended_ns
        requests.append(
            replace(
                PLAIN,
                asked_ns=sent - before,
                sent_ns=sent,
                ended_ns=sent + length + 1,
                token_ns=(sent + length + 1,),
                server=ServerDurations(total, load, prompt_eval, eval_, 0, 0) if draw(SILENT_OR_NOT) else None,
            )
        )
    return requests


@st.composite
def blocks_of(draw: st.DrawFn, *, agents: int | None = None, apart: bool = False) -> Block:
    """Valid blocks of any spans: agents may end after their run, or before their own requests do."""
    limit = draw(LIMITS)
    instants = st.integers(0, limit)
    counts = draw(st.lists(st.integers(1, 2), min_size=agents or 1, max_size=agents or 3))
    roles = {f"agent {position}": count for position, count in enumerate(counts)}

    def run(arm: str, *wanted: str) -> Run:
        started, length = draw(st.tuples(instants, instants))
        runs = []
        for role in wanted:
            queued, wait, finished = draw(st.tuples(*[instants] * 3))
            requests = tuple(draw(requests_of(instants, roles[role], apart=apart)))
            runs.append(AgentRun(role, "", queued, queued + wait, finished, requests))
        return Run(arm, started, started + length + 1 + limit // LONGEST_RATIO, tuple(runs))

    runs = [*(run(solo_arm(role), role) for role in roles), run(CONCURRENT, *roles)]
    return replace(build_block(), runs=tuple(runs), order=tuple(each.arm for each in runs))


def assert_sums(loss: Loss) -> None:
    """The five terms sum to 1, and the parts of each to it: exactly, and so in any order."""
    assert sum(getattr(loss, term) for term in TERMS) == 1.0
    for term, parts in SPLIT.items():
        assert sum(getattr(loss, part) for part in parts) == getattr(loss, term)


@given(blocks_of())
def test_the_terms_sum_to_one_for_any_spans(block: Block) -> None:
    """Also if agents were a billion times faster together, if nothing fits, or if no server told anything."""
    assert_sums(block_loss(block))


@given(blocks_of())
def test_the_agents_parts_sum_to_the_blocks(block: Block) -> None:
    """Term by term, the splits too; each agent's own parts to 1/n."""
    loss, parts = block_loss(block), [part.loss for part in agent_losses(block)]
    precision = 1e-14 * max(1.0, *(abs(getattr(part, name)) for part in parts for name in NAMES))
    for name in NAMES:
        assert abs(fsum(getattr(part, name) for part in parts) - getattr(loss, name)) <= precision
    for part in parts:
        assert abs(sum(getattr(part, term) for term in TERMS) - 1 / len(parts)) <= precision


@given(blocks_of(), st.data())
def test_permuting_the_agents_permutes_their_parts(block: Block, data: st.DataObject) -> None:
    """Agents are a set, and so are the arms of a block: its own terms stay the same to the last digit."""
    concurrent = block.runs[-1]
    permuted = replace(concurrent, agents=tuple(data.draw(st.permutations(concurrent.agents))))
    runs = tuple(data.draw(st.permutations((*block.runs[:-1], permuted))))
    other = replace(block, runs=runs)
    assert block_loss(other) == block_loss(block)
    by_role = {part.role: part for part in agent_losses(block)}
    assert agent_losses(other) == tuple(by_role[run.role] for run in permuted.agents)


@given(blocks_of(apart=True))
def test_each_term_is_the_designs_formula(block: Block) -> None:
    """Written down once more in fractions, as the design has it, for requests one after the other."""

    def flight(run: AgentRun) -> int:
        return sum(request.ended_ns - request.sent_ns for request in run.requests)

    concurrent = block.runs[-1]
    n, wall = len(concurrent.agents), concurrent.wall_ns
    solo = [next(run for run in block.runs if run.arm == solo_arm(agent.role)) for agent in concurrent.agents]
    alone = [flight(run.agents[0]) for run in solo]
    walls = [run.wall_ns for run in solo]
    load = [
        sum(
            two.server.load_ns - one.server.load_ns
            for one, two in zip(run.agents[0].requests, agent.requests, strict=True)
            if one.server and two.server
        )
        for run, agent in zip(solo, concurrent.agents, strict=True)
    ]
    in_flight = [flight(agent) for agent in concurrent.agents]
    ends = [agent.finished_ns - concurrent.started_ns for agent in concurrent.agents]
    client = [end - there for end, there in zip(ends, in_flight, strict=True)]
    solo_client = [all_ - there for all_, there in zip(walls, alone, strict=True)]
    numerators = {
        "useful": sum(walls),
        "contention": sum(in_flight) - sum(load) - sum(alone),
        "load": sum(load),
        "orchestration": sum(client) - sum(solo_client) + n * (wall - max(ends)),
        "imbalance": sum(max(ends) - end for end in ends),
        "imbalance_inherent": sum(max(walls) - each for each in walls),
        "orchestration_join": n * (wall - max(ends)),
        "orchestration_wait": sum(agent.wait_ns for agent in concurrent.agents)
        - sum(run.agents[0].wait_ns for run in solo),
    }
    loss = block_loss(block)
    largest = max(1.0, *(abs(getattr(loss, name)) for name in NAMES))
    for name, numerator in numerators.items():
        assert abs(Fraction(getattr(loss, name)) - Fraction(numerator, n * wall)) <= 1e-14 * largest, name


def test_the_mean_over_blocks_is_arithmetic_and_still_sums() -> None:
    """A block that lost nothing and one that lost half: a quarter is lost, whatever their lengths."""
    quiet = build_block()
    slow = build_block({"A": 50, "B": 50}, {"A": 100, "B": 100}, solo_ttft_ms=10, concurrent_ttft_ms=10)
    mean = mean_loss([block_loss(quiet), block_loss(slow)])
    assert (mean.useful, mean.contention) == (0.75, 0.25)
    assert_sums(mean)


@given(st.lists(blocks_of(agents=2), min_size=1, max_size=3))
def test_means_sum_as_their_blocks_do(blocks: list[Block]) -> None:
    """To 1, exactly, however many blocks there are."""
    assert_sums(mean_loss([block_loss(block) for block in blocks]))


def test_the_mean_of_agents_is_taken_by_agent() -> None:
    """Each keeps its own parts."""
    blocks = [build_block({"A": 1000, "B": 1000}, {"A": 1000 + more, "B": 1000}, wall_ms=2000) for more in (200, 600)]
    first, second = mean_agent_losses([agent_losses(block) for block in blocks])
    assert (first.role, second.role) == ("A", "B")
    assert first.loss.contention == pytest.approx(0.1)
    assert second.loss.contention == 0.0
