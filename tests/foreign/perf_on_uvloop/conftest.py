import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LoopFactory


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    return measuring_loops()
