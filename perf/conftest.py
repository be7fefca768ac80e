"""What ``pytest perf`` collects (the benchmarks have to be asked for by their path), and the loop it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.measure import measuring_loops
from harness.measure.loop import LoopFactory

_BENCHMARKS = tuple(Path(__file__).with_name(name) for name in ("fidelity", "verdicts"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves a benchmark out unless an argument lies in its folder."""
    if collection_path not in _BENCHMARKS:
        return None
    asked = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(collection_path) for path in asked) else True


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, LoopFactory]:
    """Measures on uvloop where it exists."""
    return measuring_loops()
