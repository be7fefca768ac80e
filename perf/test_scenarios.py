"""Each scenario on whatever servers there are, against the limits of the host's profile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.judge import ScenarioSummary

Step = Callable[[ScenarioSummary], None]


@pytest.mark.asyncio(loop_scope="session")
async def test_scenario(measured: ScenarioSummary, store_timings: Step, assert_verdict: Step) -> None:
    """Two agents together keep the scenario's limits of efficiency and contention."""
    store_timings(measured)
    assert_verdict(measured)


@pytest.mark.gpu
@pytest.mark.ollama
@pytest.mark.asyncio(loop_scope="session")
async def test_scenario_on_gpu(measured: ScenarioSummary, store_timings: Step, assert_verdict: Step) -> None:
    """The same with the model in GPU memory, against the guide's own limits."""
    store_timings(measured)
    assert_verdict(measured)
