"""What the tests of the whole chain share: the loop that measures, and somebody else's project."""

from __future__ import annotations

import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LoopFactory
from tests.plugin.conftest import foreign

__all__ = ["foreign"]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """On uvloop where it exists, as a session measures: it tells of a broken socket in its own way."""
    return measuring_loops()
