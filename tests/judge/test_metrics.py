"""The formulas: worked examples, and what must hold for any durations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import metrics
from harness.records import RequestRecord
from harness.testing import build_request
from tests.strategies import DURATION, DURATION_LISTS

Ratio = Callable[[Sequence[float], float], float]
RATIOS: tuple[Ratio, ...] = (
    metrics.guide_speedup,
    metrics.guide_efficiency_pct,
    metrics.measured_speedup,
    metrics.measured_efficiency_pct,
    metrics.imbalance_share,
    metrics.join_tail_share,
)


def test_the_worked_example_of_the_two_families() -> None:
    """Alone 10 and 8 s, together 13 and 9 s within 13.8 s: the guide sees 79.7 %, the baselines 65.2 %."""
    assert metrics.guide_speedup([13.0, 9.0], 13.8) == pytest.approx(22 / 13.8)
    assert metrics.guide_efficiency_pct([13.0, 9.0], 13.8) == pytest.approx(79.71, abs=0.01)
    assert metrics.measured_speedup([10.0, 8.0], 13.8) == pytest.approx(18 / 13.8)
    assert metrics.measured_efficiency_pct([10.0, 8.0], 13.8) == pytest.approx(65.22, abs=0.01)
    assert metrics.efficiency_bound_pct([10.0, 8.0]) == pytest.approx(90.0)


@given(DURATION)
def test_two_agents_slowed_twice_score_perfect_by_the_guide_and_nothing_measured(solo: int) -> None:
    """The reason for the second family: the guide's speedup stays 2.0 where running together gained nothing."""
    together = 2 * solo
    assert metrics.guide_speedup([together, together], together) == 2.0
    assert metrics.measured_speedup([solo, solo], together) == 1.0


@given(DURATION_LISTS.flatmap(lambda values: st.tuples(st.just(values), st.permutations(values))), DURATION)
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_order_of_the_agents_changes_no_ratio(ratio: Ratio, lists: tuple[list[int], list[int]], wall: int) -> None:
    """Agents are a set, not a sequence."""
    given_, permuted = lists
    assert ratio(given_, wall) == ratio(permuted, wall)


@given(DURATION_LISTS, DURATION, st.integers(2, 10**6))
@pytest.mark.parametrize("ratio", RATIOS)
def test_the_unit_of_time_changes_no_ratio(ratio: Ratio, values: list[int], wall: int, factor: int) -> None:
    """Nanoseconds or years: a ratio has no unit."""
    scaled = ratio([factor * value for value in values], factor * wall)
    assert scaled == pytest.approx(ratio(values, wall), rel=1e-12, abs=1e-12)


@given(DURATION_LISTS, st.integers(0, 10**12))
def test_the_guides_efficiency_lies_between_0_and_100(values: list[int], tail: int) -> None:
    """A run cannot end before its longest agent, so no more than all agents overlap all the time."""
    efficiency = metrics.guide_efficiency_pct(values, max(values) + tail)
    assert 0 < efficiency <= 100 * (1 + 1e-12)


@given(DURATION_LISTS, st.integers(0, 10**12))
def test_the_guides_efficiency_is_what_imbalance_and_join_tail_leave(values: list[int], tail: int) -> None:
    """The exact identity of the docstring: contention is no term of it."""
    wall = max(values) + tail
    rest = 1 - metrics.imbalance_share(values, wall) - metrics.join_tail_share(values, wall)
    assert metrics.guide_efficiency_pct(values, wall) == pytest.approx(100 * rest, rel=1e-9, abs=1e-9)


@given(DURATION_LISTS, st.integers(0, 10**12))
def test_undisturbed_agents_reach_the_bound_and_none_exceeds_it(values: list[int], extra: int) -> None:
    """With a wall time of at least the longest solo time, the measured efficiency is at most its bound."""
    longest = max(values)
    bound = metrics.efficiency_bound_pct(values)
    assert metrics.measured_efficiency_pct(values, longest) == pytest.approx(bound, rel=1e-12)
    assert metrics.measured_efficiency_pct(values, longest + extra) <= bound * (1 + 1e-12)
    assert 0 < bound <= 100 * (1 + 1e-12)


@given(DURATION_LISTS, DURATION, DURATION)
def test_a_longer_wall_time_never_makes_better(values: list[int], wall: int, more: int) -> None:
    """Both families fall when the same work takes longer."""
    assert metrics.guide_speedup(values, wall + more) <= metrics.guide_speedup(values, wall)
    assert metrics.measured_speedup(values, wall + more) <= metrics.measured_speedup(values, wall)


def test_latencies_start_when_the_request_was_sent() -> None:
    """Neither the wait for the semaphore nor the client's preparation is part of a latency."""
    request = replace(build_request(sent_ms=50, ttft_ms=120, duration_ms=400, tokens=5), asked_ns=0)
    assert metrics.ttft_ms(request) == 120.0
    assert metrics.end_to_end_ms(request) == 400.0


def test_coalesced_tokens_give_no_inter_token_latency() -> None:
    """A gap of zero inside one read says nothing of the server."""
    request = replace(
        build_request(tokens=4), token_ns=(10_000_000, 10_000_000, 25_000_000, 30_000_000), token_chunk=(0, 0, 1, 2)
    )
    assert metrics.inter_token_latencies_ms(request) == (15.0, 5.0)


@pytest.mark.parametrize(("tokens", "counted", "expected"), [(1, 1, None), (0, 0, None), (5, 5, 25.0), (5, 11, 10.0)])
def test_time_per_output_token_counts_the_gaps(tokens: int, counted: int, expected: float | None) -> None:
    """From the first token to the last, over the tokens after the first, by the server's count."""
    request = build_request(ttft_ms=100, duration_ms=200, tokens=tokens, counted=counted)
    assert metrics.tpot_ms(request) == expected


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        (build_request(tokens=3, counted=9), 9),
        (build_request(tokens=3, counted=0), 3),
        (build_request(tokens=3, error="cut"), 3),
    ],
)
def test_output_tokens_are_the_servers_count_or_the_events(request_: RequestRecord, tokens: int) -> None:
    """A chunk is not a token, so the server's count goes first."""
    assert metrics.output_tokens(request_) == tokens


def test_the_decode_rate_leaves_the_first_token_out() -> None:
    """Its decode is billed to the prompt: 9 tokens in 900 ms are 10 a second."""
    assert metrics.decode_rate(build_request(ttft_ms=100, duration_ms=1000, tokens=10)) == pytest.approx(10.0)


@pytest.mark.parametrize("request_", [build_request(tokens=1), build_request(error="cut")])
def test_without_a_second_token_there_is_no_decode_rate(request_: RequestRecord) -> None:
    """One token, or no figures of the server's, give no rate."""
    assert metrics.decode_rate(request_) is None


@given(st.integers(1, 10**6), DURATION)
def test_throughput_is_tokens_by_seconds(tokens: int, duration_ns: int) -> None:
    """Twice the time is half the rate."""
    rate = metrics.tokens_per_second(tokens, duration_ns)
    assert metrics.tokens_per_second(tokens, 2 * duration_ns) == pytest.approx(rate / 2)
    assert metrics.tokens_per_second(1000, 2_000_000_000) == 500.0
    assert metrics.slowdown(duration_ns, 2 * duration_ns) == 2.0


@pytest.mark.parametrize(
    ("values", "index"),
    [([1.0], 1.0), ([3.0, 3.0, 3.0], 1.0), ([1.0, 0.0], 0.5), ([5.0, 0.0, 0.0, 0.0], 0.25), ([1.0, 3.0], 0.8)],
)
def test_jains_index_of_worked_examples(values: list[float], index: float) -> None:
    """All alike 1, one that has everything 1/n, and one with three times the other's 4^2 / (2 * 10)."""
    assert metrics.jain_index(values) == pytest.approx(index)


def test_nobody_having_anything_is_fair() -> None:
    """They are all alike."""
    assert metrics.jain_index([0.0, 0.0]) == 1.0


@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=9), st.floats(1e-3, 1e3))
def test_jains_index_lies_between_one_nth_and_one_in_any_unit(values: list[float], unit: float) -> None:
    """And does not change with the unit, as far as floats go."""
    index = metrics.jain_index(values)
    assert 1 / len(values) - 1e-12 <= index <= 1 + 1e-12
    scaled = [value * unit for value in values]
    if all(value == 0 or value > 1e-300 for value in [*values, *scaled]):
        assert metrics.jain_index(scaled) == pytest.approx(index)


def test_agents_that_are_slowed_alike_are_treated_fairly() -> None:
    """However unequal their work; if only one of two is slowed, by 3, it is (4/3)^2 / (2 * 10/9)."""
    assert metrics.fairness([1.0, 10.0], [2.0, 20.0]) == pytest.approx(1.0)
    assert metrics.fairness([1.0, 10.0], [3.0, 10.0]) == pytest.approx(0.8)
