"""What drawing costs the instrument: each arm is measured as it says, by the real thing."""

from __future__ import annotations

import pytest

from harness.report.live.display import Display
from perf.live.__main__ import table
from perf.live.arms import ARMS, TITLES, any_terminal, joined, measure, scene_of


@pytest.mark.asyncio
async def test_each_arm_is_a_calibration_and_has_its_line() -> None:
    """The same tokens in all; only where it is drawn, the drawing process has something to do."""
    with any_terminal() as terminal, Display(terminal, 2) as display:
        found = {arm: [await measure(arm, 2, 1, None, display)] for arm in ARMS}
        assert display.lives
        assert not display.shown
    lines = table({arm: joined(parts) for arm, parts in found.items()}, 2)
    assert [line.strip().startswith(title) for line, title in zip(lines[1:], TITLES.values(), strict=True)] == [
        True
    ] * 3
    assert {part.results(2)[0].tokens for parts in found.values() for part in parts} == {32}


def test_a_scene_has_a_line_for_each_stream() -> None:
    """So a frame costs as much as with that many agents."""
    assert [sitter.seat for sitter in scene_of(3).sitters] == [0, 1, 2]
