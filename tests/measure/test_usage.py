"""From samples to what a run used: known curves are integrated right, ends are interpolated, nothing is made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.usage import Stretch, resources_of
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.servers.nvml import Gpu, GpuProcess
from harness.servers.sampler import Sample
from harness.servers.trees import TreeUse

S = 1_000_000_000
ONE, TWO = "http://one", "http://two"
Curve = list[tuple[int, int]]


@st.composite
def _curves(draw: st.DrawFn) -> tuple[Curve, Stretch]:
    """A curve of straight lines, whole ns and values, and a stretch within it that its corners need not bound."""
    corners = sorted(draw(st.sets(st.integers(0, 10_000), min_size=2, max_size=12)))
    began_ns = draw(st.integers(0, 2**60))
    curve = [(began_ns + ms * S // 1000, draw(st.integers(0, 1000))) for ms in corners]
    ends = st.integers(curve[0][0], curve[-1][0])
    started_ns, finished_ns = sorted((draw(ends), draw(ends)))
    return curve, Stretch(started_ns, max(finished_ns, started_ns + 1) if started_ns < curve[-1][0] else finished_ns)


def _value(curve: Curve, at_ns: int) -> Fraction:
    """The curve at an instant, exactly."""
    for (before, low), (after, high) in pairwise(curve):
        if before <= at_ns <= after:
            return low + Fraction(high - low) * (at_ns - before) / (after - before)
    raise AssertionError("not on the curve")


def _area(curve: Curve, started_ns: int, finished_ns: int) -> Fraction:
    """The area below the curve, exactly, in units of value times seconds."""
    at = [started_ns, *(ns for ns, _ in curve if started_ns < ns < finished_ns), finished_ns]
    return sum(
        ((_value(curve, a) + _value(curve, b)) * (b - a) / 2 / S for a, b in pairwise(at)),
        start=Fraction(0),
    )


@given(_curves())
def test_the_energy_of_a_known_power_curve_is_its_area(drawn: tuple[Curve, Stretch]) -> None:
    """Exact for straight lines between the readings, wherever the run begins and ends between them."""
    curve, stretch = drawn
    energy_j = stretch.energy(power=curve, counter=())
    if stretch.length_s == 0:
        assert energy_j is None
    else:
        expected = float(_area(curve, stretch.started_ns, stretch.finished_ns))
        assert energy_j == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(_curves())
def test_energies_of_two_halves_are_that_of_the_whole(drawn: tuple[Curve, Stretch]) -> None:
    """Nothing is lost or counted twice where one run ends and the next begins."""
    curve, stretch = drawn
    middle_ns = (stretch.started_ns + stretch.finished_ns) // 2
    parts = [Stretch(stretch.started_ns, middle_ns), Stretch(middle_ns, stretch.finished_ns)]
    halves = [part.energy(power=curve, counter=()) or 0.0 for part in parts]
    whole = stretch.energy(power=curve, counter=()) or 0.0
    assert sum(halves) == pytest.approx(whole, rel=1e-9, abs=1e-6)


@given(_curves(), st.integers(0, 10_000))
def test_a_counter_gives_the_energy_of_a_steady_power_exactly(drawn: tuple[Curve, Stretch], power_w: int) -> None:
    """Also between its readings; the readings of the power do not matter then."""
    curve, stretch = drawn
    counter = [(at_ns, power_w * (at_ns - curve[0][0]) / S) for at_ns, _ in curve]
    energy_j = stretch.energy(power=curve, counter=counter)
    assert energy_j == pytest.approx(power_w * stretch.length_s, rel=1e-9, abs=1e-6)


@given(_curves())
def test_a_mean_lies_between_the_least_and_the_most(drawn: tuple[Curve, Stretch]) -> None:
    """Weighted by time, it leaves them nowhere."""
    curve, stretch = drawn
    mean = stretch.mean(curve)
    if mean is not None:
        values = [value for _, value in curve]
        assert min(values) - 1e-9 <= mean <= max(values) + 1e-9


def test_readings_that_do_not_reach_over_both_ends_say_nothing() -> None:
    """Nothing is extrapolated: not before the first, not after the last, not from none."""
    stretch = Stretch(1 * S, 3 * S)
    assert stretch.mean([(1 * S, 5.0), (3 * S, 5.0)]) == 5.0
    assert stretch.mean([(1 * S + 1, 5.0), (3 * S, 5.0)]) is None
    assert stretch.mean([(1 * S, 5.0), (3 * S - 1, 5.0)]) is None
    assert stretch.mean([]) is None
    assert stretch.mean([(0, None), (2 * S, 5.0), (4 * S, None)]) is None


def test_a_reading_that_failed_in_between_is_bridged() -> None:
    """By a straight line from the one before to the one after."""
    assert Stretch(0, 4 * S).mean([(0, 1.0), (1 * S, None), (4 * S, 3.0)]) == 2.0


def test_a_counter_that_fell_is_none_and_the_power_counts() -> None:
    """The driver was loaded anew: what it counted before is lost."""
    stretch = Stretch(0, 2 * S)
    fell = [(0, 100.0), (1 * S, 50.0), (2 * S, 170.0)]
    assert stretch.rise(fell) is None
    assert stretch.energy(power=[(0, 10.0), (2 * S, 20.0)], counter=fell) == pytest.approx(30.0)
    assert stretch.energy(power=[], counter=fell) is None


def _gpu(**figures: object) -> Gpu:
    return replace(Gpu("GPU-1", "H100"), **figures)  # type: ignore[arg-type]


def _samples(trees: Sequence[Sequence[TreeUse | None]], gpus: Sequence[tuple[Gpu, ...]] | None = None) -> list[Sample]:
    """One a second, from 0."""
    seen = gpus or [()] * len(trees)
    return [Sample(i * S, tuple(each), seen[i]) for i, each in enumerate(trees)]


def test_cores_are_cpu_seconds_over_the_run_between_its_ends() -> None:
    """Half of each outer second is the run's: 0.5 x 2 + 1 + 0.5 x 4 s in 2 s; memory is the most that was seen."""
    trees = [[TreeUse(cpu_s, rss, (7,))] for cpu_s, rss in ((10.0, 5), (12.0, 9), (13.0, 6), (17.0, 5))]
    used = resources_of(_samples(trees), [ONE], Stretch(S // 2, 5 * S // 2))
    assert used == Resources(4, (ServerUse(ONE, cpu_cores=2.0, rss_bytes=9),))


def test_each_server_has_its_own_tree() -> None:
    """In the order of their URLs."""
    trees = [[TreeUse(0.0, 1, (7,)), TreeUse(0.0, 2, (8,))], [TreeUse(1.0, 1, (7,)), TreeUse(0.5, 2, (8,))]]
    used = resources_of(_samples(trees), [ONE, TWO], Stretch(0, S))
    assert used.servers == (ServerUse(ONE, 1.0, 1), ServerUse(TWO, 0.5, 2))


def test_a_server_that_died_has_no_cores_but_the_memory_that_was_seen() -> None:
    """What it used to its end is not known; the other's figures stand."""
    trees: list[list[TreeUse | None]] = [
        [TreeUse(0.0, 5, (7,)), TreeUse(0.0, 1, (8,))],
        [None, TreeUse(1.0, 1, (8,))],
    ]
    used = resources_of(_samples(trees), [ONE, TWO], Stretch(0, S))
    assert used.servers == (ServerUse(ONE, None, 5), ServerUse(TWO, 1.0, 1))


def test_cpu_time_that_went_away_with_an_orphan_is_not_told() -> None:
    """Nobody waited for it: the sum falls, and what it had used meanwhile is lost."""
    trees = [[TreeUse(5.0, 1, (7, 9))], [TreeUse(3.0, 1, (7,))], [TreeUse(6.0, 1, (7,))]]
    assert resources_of(_samples(trees), [ONE], Stretch(0, 2 * S)).servers[0].cpu_cores is None


def test_of_the_cores_of_a_short_run_nothing_is_said() -> None:
    """The system counts in steps of 10 ms; memory is told all the same."""
    trees = [[TreeUse(0.0, 5, (7,))], [TreeUse(1.0, 5, (7,))]]
    assert resources_of(_samples(trees), [ONE], Stretch(0, S // 2 - 1)).servers == (ServerUse(ONE, None, 5),)
    assert resources_of(_samples(trees), [ONE], Stretch(0, S // 2)).servers == (ServerUse(ONE, 1.0, 5),)


def test_a_gpu_is_summed_up_with_those_who_are_on_it() -> None:
    """Means between the ends, the most memory, every reason, energy by the counter, and power by the energy."""
    first = _gpu(
        used=10, utilization_pct=0, sm_clock_mhz=1000, power_w=100.0, energy_j=1000.0, processes=(GpuProcess(8, 6),)
    )
    second = replace(first, used=14, utilization_pct=100, sm_clock_mhz=2000, energy_j=1300.0, throttle=("power cap",))
    third = replace(second, used=12, energy_j=1500.0, throttle=("power cap", "too hot"))
    trees = [[TreeUse(0.0, 1, (7,)), TreeUse(0.0, 1, (8, 9))]] * 3
    used = resources_of(_samples(trees, [(first,), (second,), (third,)]), [ONE, TWO], Stretch(S // 2, 3 * S // 2))
    (gpu,) = used.gpus
    assert gpu == GpuUse(
        uuid="GPU-1",
        name="H100",
        utilization_pct=87.5,
        memory_bytes=14,
        sm_clock_mhz=1875.0,
        power_w=250.0,
        energy_j=250.0,
        throttle=("power cap", "too hot"),
        servers=(TWO,),
    )


def test_a_gpu_that_tells_nothing_is_told_by_name() -> None:
    """Every figure None, and no error."""
    used = resources_of(_samples([[], []], [(_gpu(),)] * 2), [], Stretch(0, S))
    assert used == Resources(2, (), (GpuUse("GPU-1", "H100", None, None, None, None, None),))


def test_two_gpus_are_told_apart_and_a_servers_memory_is_added_up() -> None:
    """The most over all GPUs at one instant: 6 + 1, not 6 + 5; processes of others and untold sizes do not count."""
    one = [_gpu(used=10, processes=(GpuProcess(8, size), GpuProcess(99, 50))) for size in (6, 1)]
    two = [
        replace(_gpu(used=20, processes=(GpuProcess(9, size), GpuProcess(8, None))), uuid="GPU-2") for size in (1, 5)
    ]
    trees = [[TreeUse(0.0, 1, (8, 9)), TreeUse(0.0, 1, (7,))]] * 2
    used = resources_of(_samples(trees, list(zip(one, two, strict=True))), [ONE, TWO], Stretch(0, S))
    assert [server.gpu_memory_bytes for server in used.servers] == [7, None]
    told = [(gpu.uuid, gpu.memory_bytes, gpu.servers) for gpu in used.gpus]
    assert told == [("GPU-1", 10, (ONE,)), ("GPU-2", 20, (ONE,))]
