"""Durations drawn from a timing."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest

from harness.servers.truth.draws import durations
from harness.servers.truth.spec import Timing

MS = 1_000_000


def _first(drawn: Iterator[float], count: int) -> list[float]:
    return list(itertools.islice(drawn, count))


def test_fixed_durations_are_all_equal() -> None:
    """In ns."""
    assert _first(durations(Timing(ms=2.5), ""), 3) == [2.5 * MS] * 3


def test_one_in_every_so_many_stalls() -> None:
    """The last of each group."""
    drawn = _first(durations(Timing("stalls", 10, 40, 4), ""), 9)
    assert drawn == [ms * MS for ms in (10, 10, 10, 50, 10, 10, 10, 50, 10)]
    assert _first(durations(Timing("stalls", 1, 2, 1), ""), 2) == [3 * MS] * 2


def test_a_trace_is_replayed_from_the_start_when_it_is_used_up() -> None:
    """In order."""
    assert _first(durations(Timing("trace", trace_ms=(1, 2)), ""), 5) == [MS, 2 * MS, MS, 2 * MS, MS]


def test_exponential_durations_depend_on_the_seed_alone() -> None:
    """The same seed draws the same, another one others."""
    timing = Timing("exponential", 10)
    same = [_first(durations(timing, "a"), 100) for _ in range(2)]
    assert same[0] == same[1] != _first(durations(timing, "b"), 100)


def test_exponential_durations_have_their_mean_and_shape() -> None:
    """The share above the mean is 1/e, within what 20 000 draws allow."""
    drawn = _first(durations(Timing("exponential", 10), "a"), 20_000)
    assert sum(drawn) / len(drawn) == pytest.approx(10 * MS, rel=0.05)
    assert sum(each > 10 * MS for each in drawn) / len(drawn) == pytest.approx(math.exp(-1), abs=0.02)
