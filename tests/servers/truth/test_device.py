"""The virtual device, in simulated time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.servers.truth.device import Device, Job
from harness.servers.truth.spec import DeviceSpec
from tests.servers.truth.simulation import Simulated, Simulation, everywhere

MS = 1_000_000
WORK = st.integers(0, 50 * MS).map(float)
FACTOR = st.floats(1, 8)
ROW = st.fixed_dictionaries({"prefill": FACTOR, "decode": FACTOR})
REQUEST = st.builds(Simulated, WORK, st.lists(WORK, max_size=5))


def test_a_request_alone_takes_its_work() -> None:
    """First token after the prefill, then one after each gap, to the ns."""
    simulation = Simulation(DeviceSpec(interference=everywhere(4.0)))
    request = simulation.add(Simulated(10 * MS, [3 * MS, 5 * MS]))
    simulation.run()
    assert request.ends_ns == [10 * MS, 13 * MS, 18 * MS]


@given(work=st.integers(1, 100 * MS), factor=FACTOR, others=st.integers(1, 4))
def test_equal_jobs_that_interfere_take_the_factor_as_long(work: int, factor: float, others: int) -> None:
    """Several others slow a job by the strongest factor once, not by each anew."""
    simulation = Simulation(DeviceSpec(interference=everywhere(factor)))
    requests = [simulation.add(Simulated(work)) for _ in range(others + 1)]
    simulation.run()
    assert [request.ends_ns[0] for request in requests] == pytest.approx([work * factor] * (others + 1), abs=2)


def test_of_several_phases_the_strongest_factor_holds() -> None:
    """A load and a prefill beside it slow a decode by the larger of the two, not by both."""
    simulation = Simulation(DeviceSpec(interference={"decode": {"prefill": 2.0, "load": 3.0}}))
    decoding = simulation.add(Simulated(10 * MS, phase="decode"))
    simulation.add(Simulated(100 * MS))
    simulation.add(Simulated(100 * MS, phase="load"))
    simulation.run()
    assert decoding.ends_ns == [30 * MS]


@given(requests=st.lists(REQUEST, min_size=1, max_size=6), starts=st.lists(st.integers(0, 40 * MS), min_size=6))
def test_without_interference_nobody_feels_another(requests: list[Simulated], starts: list[int]) -> None:
    """Each ends when it would have ended alone."""
    simulation = Simulation(DeviceSpec())
    begun = sorted(zip(starts, requests, strict=False), key=lambda pair: pair[0])
    for start, request in begun:
        simulation.run(start)
        simulation.add(request)
    simulation.run()
    for start, request in begun:
        assert request.ends_ns[-1] == pytest.approx(start + request.prefill_ns + sum(request.gaps_ns), abs=2)


@given(
    requests=st.lists(REQUEST, min_size=1, max_size=5),
    starts=st.lists(st.integers(0, 60 * MS), min_size=5),
    factors=st.fixed_dictionaries(
        {phase: st.fixed_dictionaries({"prefill": FACTOR, "decode": FACTOR}) for phase in ("prefill", "decode")}
    ),
)
def test_work_is_conserved(requests: list[Simulated], starts: list[int], factors: dict[str, dict[str, float]]) -> None:
    """What a job gets, its rate times the time, adds up to its work, however often the rate changes."""
    simulation = Simulation(DeviceSpec(interference=factors))
    waiting = sorted(zip(starts, requests, strict=False), key=lambda pair: pair[0])
    got = {id(request): 0.0 for request in requests}
    instant = 0
    while waiting or math.isfinite(simulation.device.next_ns()):
        following = math.ceil(min(simulation.device.next_ns(), waiting[0][0] if waiting else math.inf))
        for request in requests:
            if request.job is not None and request.job.lane is not None:
                rate = 1 / simulation.device.slowdown(request.job.lane.phase)
                got[id(request)] += (following - instant) * rate
        instant = following
        simulation.run(instant)
        while waiting and waiting[0][0] <= instant:
            simulation.add(waiting.pop(0)[1])
    for request in requests:
        assert got[id(request)] == pytest.approx(request.prefill_ns + sum(request.gaps_ns), abs=20)


@given(rates=st.lists(st.floats(1, 500), min_size=1, max_size=8), pool=st.floats(5, 1000), factor=FACTOR)
def test_the_pool_is_never_exceeded_and_never_wasted(rates: list[float], pool: float, factor: float) -> None:
    """Together they get the pool, or all that they want if that is less; all are scaled alike."""
    simulation = Simulation(DeviceSpec(pool_tok_s=pool, interference={"decode": {"decode": factor}}))
    for rate in rates:
        simulation.add(Simulated(1e12, phase="decode", tok_s=rate))
    interference = factor if len(rates) > 1 else 1.0
    wanted = sum(rates) / interference
    got = sum(rates) / simulation.device.slowdown("decode")
    assert got == pytest.approx(min(pool, wanted))


def test_a_pool_for_one_halves_two() -> None:
    """Each of two that want 100 tokens a second of a pool of 100 gets 50."""
    simulation = Simulation(DeviceSpec(pool_tok_s=100.0))
    two = [simulation.add(Simulated(0, [10 * MS] * 4, tok_s=100.0)) for _ in range(2)]
    simulation.run()
    for request in two:
        assert request.ends_ns[-1] == pytest.approx(80 * MS, abs=10)


def test_interference_begins_and_ends_with_the_other_and_only_for_the_phase_named() -> None:
    """Decode runs at half speed for just as long as somebody is in prefill; prefill does not mind."""
    simulation = Simulation(DeviceSpec(interference={"decode": {"prefill": 2.0}}))
    decoding = simulation.add(Simulated(0, [100 * MS]))
    simulation.run(10 * MS)
    prefilling = simulation.add(Simulated(20 * MS))
    simulation.run()
    assert prefilling.ends_ns == [30 * MS]
    assert decoding.ends_ns[-1] == pytest.approx(110 * MS, abs=2)  # 20 ms of the 100 at half speed


def test_a_job_does_not_interfere_with_itself() -> None:
    """The factor of decode on decode needs another one in decode."""
    simulation = Simulation(DeviceSpec(interference={"decode": {"decode": 3.0}}))
    request = simulation.add(Simulated(0, [10 * MS]))
    simulation.run()
    assert request.ends_ns[-1] == pytest.approx(10 * MS, abs=2)


def test_a_job_that_leaves_is_forgotten_at_once() -> None:
    """The other one is alone again from that instant on, and the one that left never ends."""
    simulation = Simulation(DeviceSpec(interference=everywhere(2.0)))
    stays, leaves = simulation.add(Simulated(100 * MS)), simulation.add(Simulated(100 * MS))
    simulation.run(50 * MS)
    simulation.drop(leaves)
    simulation.drop(leaves)
    simulation.run()
    assert stays.ends_ns == [125 * MS]
    assert leaves.ends_ns == []


def test_a_spilled_job_is_slower_and_wants_less_of_the_pool() -> None:
    """Its own factor holds beside that of the others."""
    simulation = Simulation(DeviceSpec(interference=everywhere(2.0)))
    slow, fast = simulation.add(Simulated(10 * MS, slowdown=3.0)), simulation.add(Simulated(30 * MS))
    simulation.run()
    assert slow.ends_ns == fast.ends_ns == [60 * MS]
    pooled = Simulation(DeviceSpec(pool_tok_s=50.0))
    pooled.add(Simulated(1e9, phase="decode", slowdown=2.0, tok_s=100.0))
    assert pooled.device.slowdown("decode") == 1.0


def test_a_new_specification_holds_for_what_runs() -> None:
    """Half the work at the old rate, half at the new one."""
    simulation = Simulation(DeviceSpec())
    two = [simulation.add(Simulated(100 * MS)) for _ in range(2)]
    simulation.run(50 * MS)
    simulation.device.reconfigure(DeviceSpec(interference=everywhere(2.0)), 50 * MS)
    simulation.run()
    assert [request.ends_ns for request in two] == [[150 * MS]] * 2


def test_an_instant_of_the_past_counts_as_the_latest() -> None:
    """The server may learn of an arrival after it has dealt with what came later."""
    device = Device(DeviceSpec())
    ends: list[int] = []

    def add(work_ns: float, at_ns: int) -> None:
        def finished(at_ns: int) -> None:
            ends.append(at_ns)
            device.leave(job, at_ns)

        job = Job(finished)
        device.enter(job, "prefill", work_ns, at_ns)

    add(10.0, 100)
    device.run_next()
    add(10.0, 50)
    device.run_next()
    assert ends == [110, 120]


def test_gaps_follow_the_schedule_exactly_over_a_long_stream() -> None:
    """Nothing adds up: token 100 000 is where 100 000 gaps put it."""
    simulation = Simulation(DeviceSpec())
    request = simulation.add(Simulated(1 * MS, [0.1 * MS + 1 / 3] * 100_000))
    simulation.run()
    assert request.ends_ns[-1] == pytest.approx(1 * MS + 100_000 * (0.1 * MS + 1 / 3), abs=10)


@pytest.mark.parametrize("jobs", [10, 1000])
def test_an_arrival_without_interference_touches_no_other_job(jobs: int) -> None:
    """Marks of those that run stay what they were, however many they are."""
    simulation = Simulation(DeviceSpec())
    requests = [simulation.add(Simulated(0, [MS] * 3)) for _ in range(jobs)]
    simulation.run(0)
    marks = [request.job.mark for request in requests if request.job]
    lanes = [request.job.lane for request in requests if request.job]
    simulation.add(Simulated(MS))
    assert [request.job.mark for request in requests if request.job] == marks
    assert {(lane.rate, lane.anchor_ns) for lane in lanes if lane} == {(1.0, 0)}
