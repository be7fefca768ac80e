"""Whatever meets a real socket is tested on both event loops: the standard one, and uvloop where it exists."""

from __future__ import annotations

import asyncio

import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LoopFactory

_ON_A_SOCKET = {"test_transport", "test_requests_over_a_socket", "test_stamped", "test_against_the_truth"}


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Both loops for the modules that meet a socket."""
    standard: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    return standard | measuring_loops() if item.path.stem in _ON_A_SOCKET else standard
