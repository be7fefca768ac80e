from collections.abc import Callable

import pytest

from harness.judge import ScenarioSummary
from harness.measure import loop_name


@pytest.mark.asyncio(loop_scope="session")
async def test_scenario(measured: ScenarioSummary, assert_verdict: Callable[[ScenarioSummary], None]) -> None:
    """Measured on the loop that the folder's conftest.py chose."""
    assert loop_name() == "uvloop"
    assert_verdict(measured)
