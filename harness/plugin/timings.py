"""Recorded durations handed to pytest-benchmark, which then stores and compares them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import pytest

from harness.judge import ScenarioSummary


class RecordedTimer:
    """A timer that pytest-benchmark reads and that moves only by recorded durations, s."""

    __name__ = "recorded_durations"

    def __init__(self) -> None:
        """Starts at 0."""
        self._now_s = 0.0

    def __call__(self) -> float:
        """The present reading, s."""
        return self._now_s

    def advance(self, duration_s: float) -> None:
        """Moves by one recorded duration."""
        self._now_s += duration_s


@pytest.fixture
def recorded_timer(request: pytest.FixtureRequest) -> RecordedTimer:
    """Makes this test's `benchmark` read recorded durations; must come before `benchmark` among the fixtures."""
    timer = RecordedTimer()
    request.node.add_marker(pytest.mark.benchmark(timer=timer, group="concurrent run"))
    return timer


@pytest.fixture
def store_timings(recorded_timer: RecordedTimer, benchmark: Callable[..., object]) -> Callable[[ScenarioSummary], None]:
    """Hands the recorded wall times of a scenario's concurrent runs to pytest-benchmark, with its figures.

    The blocks are measured before (their number and order are not pytest-benchmark's to choose); a round is one
    recorded concurrent run.
    """

    def store(summary: ScenarioSummary) -> None:
        durations = cycle([block.concurrent_wall_s for block in summary.blocks])
        benchmark.extra_info.update(  # type: ignore[attr-defined]
            verdict=summary.verdict.value,
            **{name: estimate.point for name, estimate in summary.estimates.items()},
        )
        benchmark.pedantic(  # type: ignore[attr-defined]
            lambda: recorded_timer.advance(next(durations)), rounds=len(summary.blocks), iterations=1
        )

    return store
