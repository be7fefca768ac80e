"""Studies (``--scenario patterns``, ``controls``, ``scaling``, ``sampling``, ``drawing``): questions answered, nothing
asserted but that they were."""

from __future__ import annotations

import pytest

from harness.judge.study import StudySummary


@pytest.mark.asyncio(loop_scope="session")
async def test_study(studied: StudySummary) -> None:
    """The arms did the same work, in blocks that can be judged; the terminal tells what came out."""
    assert studied.arms
