"""What ``pytest perf`` collects (the fidelity benchmark has to be asked for by its path), and the loop it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LoopFactory

_FIDELITY = Path(__file__).with_name("fidelity")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves the benchmark out unless an argument lies in its folder."""
    if collection_path != _FIDELITY:
        return None
    asked = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(_FIDELITY) for path in asked) else True


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Measures on uvloop where it exists."""
    return measuring_loops()
