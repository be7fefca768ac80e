"""What is dialled in: jobs, factors of runs, and the servers' scripts."""

from __future__ import annotations

from collections import Counter
from math import log
from statistics import fmean, stdev

import pytest

from harness.judge import COMPARED_BY_DEFAULT
from harness.records.session import BASE, CANDIDATE, CONCURRENT, Side
from perf.verdicts.recordings import METRICS, TERMS
from perf.verdicts.worlds import (
    CONTENTION,
    GAP_MS,
    MODEL,
    PACED,
    TTFT_MS,
    agents,
    plan_jobs,
    plan_of,
    run_factors,
    truth_config,
)
from tests.perf_verdicts.sessions import job

AGENTS = agents(("http://one", "http://two"), MODEL, {})


def factors(side: Side, world: str = "shared", number: int = 0) -> dict[tuple[int, str], float]:
    """Factors of one side of a session."""
    session = job(world, number=number)
    return run_factors(session, plan_of(session, side, AGENTS))


def test_the_gates_are_those_of_a_session_with_a_base() -> None:
    """What is proved here is what users get."""
    assert TERMS.change is not None
    assert TERMS.change.metrics == METRICS == COMPARED_BY_DEFAULT
    assert (TERMS.stopping.runs, TERMS.stopping.fixed, TERMS.gates) == (30, False, 6)


def test_all_kinds_of_sessions_are_spread_over_the_recording() -> None:
    """Whatever the host does meanwhile, no kind has it alone; each session has a name and a seed of its own."""
    jobs = plan_jobs(7, 30, {("quiet", 0): 20, ("shared", 10): 4})
    assert len(jobs) == len({each.name for each in jobs}) == len({each.seed for each in jobs}) == 24
    assert Counter(each.world for each in jobs[:12]) == {"quiet": 10, "shared": 2}
    assert [each.number for each in jobs if each.world == "quiet"] == list(range(20))
    assert plan_jobs(7, 30, {("quiet", 0): 20, ("shared", 10): 4}) == jobs
    assert plan_jobs(8, 30, {("quiet", 0): 1})[0].seed != jobs[0].seed


def test_noise_is_of_the_size_that_was_asked_for() -> None:
    """SD of each run's factor within a session, and of the sessions' own; in the quiet world they have none."""
    for world in PACED.values():
        sessions = [[log(each) for each in factors(BASE, world.name, n).values()] for n in range(40)]
        assert fmean(map(stdev, sessions)) == pytest.approx(world.run_sd, rel=0.05)
        spread = stdev(map(fmean, sessions))
        assert spread == pytest.approx(max(world.session_sd, world.run_sd / 93**0.5), rel=0.35)


def test_a_sessions_shift_is_the_same_on_both_sides_and_its_noise_is_not() -> None:
    """It is what the host has that day: it cancels in pairs."""
    pairs = [(factors(BASE, number=n), factors(CANDIDATE, number=n)) for n in range(40)]
    assert pairs[0][0] != pairs[0][1]
    shifts = [fmean(map(log, base.values())) - fmean(map(log, candidate.values())) for base, candidate in pairs]
    assert stdev(shifts) == pytest.approx(PACED["shared"].run_sd * (2 / 93) ** 0.5, rel=0.35)


def test_a_script_gives_both_agents_of_a_run_its_factor() -> None:
    """In the order of arms: one request alone, two together; TTFT and gaps alike."""
    session = job(pairs=2)
    plan = plan_of(session, BASE, AGENTS)
    script = list(truth_config(session, plan).script)
    assert len(script) == 3 * 4
    wanted = run_factors(session, plan)
    for index in range(3):
        for arm in plan.order(index):
            for _ in range(2 if arm == CONCURRENT else 1):
                behaviour = script.pop(0)
                assert behaviour.ttft.ms == pytest.approx(TTFT_MS * wanted[index, arm])
                assert behaviour.gaps.ms == pytest.approx(GAP_MS * wanted[index, arm])


@pytest.mark.parametrize(("side", "slower"), [(BASE, CONTENTION), (CANDIDATE, CONTENTION * 1.1)])
def test_a_change_is_worse_contention_of_the_candidate_alone(side: Side, slower: float) -> None:
    """Every phase is slowed by every phase of another request, and nothing else differs."""
    session = job(change_pct=10, pairs=1)
    found = truth_config(session, plan_of(session, side, AGENTS)).device.interference
    assert [rate for row in found.values() for rate in row.values()] == pytest.approx([slower] * 4)
