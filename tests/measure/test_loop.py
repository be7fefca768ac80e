"""The measuring event loop: which one it is, and the watch of its lag."""

from __future__ import annotations

import asyncio
import importlib
import time

import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LagWatch, loop_name
from harness.testing import FakeClock

MS = 1_000_000


def test_uvloop_is_taken_where_it_exists() -> None:
    """The factory makes a loop of the library that it is named after."""

    async def name() -> str:
        return loop_name()

    ((expected, factory),) = measuring_loops().items()
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(name()) == expected


def test_without_uvloop_asyncio_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform without uvloop gets the standard loop."""

    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    assert list(measuring_loops()) == ["asyncio"]


@pytest.mark.asyncio
async def test_a_blocked_loop_is_seen_by_every_instant_that_was_due() -> None:
    """A loop held up for 50 ms made five callbacks late, by 50, 40, 30, 20 and 10 ms; one sample would hide four."""
    clock = FakeClock()
    with LagWatch(clock) as watch:
        clock.advance(60 * MS)
    assert watch.lag().samples == 6
    assert watch.lag().max_ns == 50 * MS
    assert watch.lag().p99_ns == 50 * MS


@pytest.mark.asyncio
async def test_a_real_loop_that_is_blocked_is_caught() -> None:
    """Blocking the running loop shows in the lag; the time before and after does not hide it."""
    with LagWatch() as watch:
        await asyncio.sleep(0.03)
        time.sleep(0.2)  # noqa: ASYNC251 - the fault that is to be seen
        await asyncio.sleep(0)
    assert watch.lag().max_ns >= 150 * MS


@pytest.mark.asyncio
async def test_a_watch_that_was_over_at_once_has_no_samples() -> None:
    """Nothing was due yet: nothing is claimed."""
    with LagWatch(FakeClock()) as watch:
        pass
    assert watch.lag().samples == 0
