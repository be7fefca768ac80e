"""The picture of a scene: what stands in it, at every size, and that no text steers the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from harness.records.board import ASKING, DONE, FAILED, IDLE, QUEUED, WORKING, Seen
from harness.report.live.area import Area
from harness.report.live.picture import Room, View, clock, picture
from harness.report.live.scene import Rest, Scene, Sitter
from tests.report.live.scenes import GAUGES, LOADS, SCENE, SEEN, VIEW, S, drawn, many

HOSTILE = "\x1b[31mred\x1b]0;title\x07[bold]x[/bold]\u202eevil\n\r\x00"
SIZES = st.tuples(st.integers(2, 200), st.integers(2, 60))


def _line(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_it_says_what_is_measured_and_how_far_it_has_come() -> None:
    """Scenario, step, block, arm, the time that is gone, and the time left less what has gone since it was said."""
    lines = drawn(VIEW)
    assert lines[0] == "chimera_homo (2 of 3), block 3 of at most 30"
    assert lines[1] == "arm 2 of 3: all agents at once"
    assert lines[2].endswith(" 0:04, at most about 4:06 left (3:16 to 5:29)")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"index": 0}, "chimera_homo (2 of 3), warm-up block"),
        ({"at_most": False, "step": ""}, "chimera_homo, block 3 of 30"),
        ({"unit": "pair", "side": "base"}, "chimera_homo (2 of 3), pair 3 of at most 30, base"),
        ({"index": None, "runs": 0}, "chimera_homo (2 of 3)"),
    ],
)
def test_the_title_tells_warm_ups_sides_and_what_has_not_begun(changes: dict[str, object], said: str) -> None:
    """A warm-up block is called one, a side of a pair is named, and before the first block nothing is claimed."""
    assert drawn(replace(VIEW, scene=replace(SCENE, **changes)))[0] == said  # type: ignore[arg-type]


def test_agents_are_shown_as_they_stream() -> None:
    """Tokens, tokens a second and TTFT of the request under way, beside what the agent reaches alone."""
    lines = drawn(VIEW)
    assert _line(lines, "DataCollector").split() == [
        "DataCollector",
        "decodes",
        "2",
        "17/24",
        "16.0",
        "99.2",
        "12.4",
        "12.0",
    ]
    assert _line(lines, "Insight").split() == ["Insight", "waits", "3.0", "s", "1", "-", "-", "-", "-", "-"]


@pytest.mark.parametrize(
    ("state", "background", "said"),
    [
        (IDLE, False, "-"),
        (QUEUED, False, "waits for its turn"),
        (WORKING, False, "is between requests"),
        (ASKING, False, "decodes"),
        (ASKING, True, "keeps it busy"),
        (DONE, False, "is done"),
        (FAILED, False, "failed"),
        (FAILED, True, "is ended"),
        (99, False, "-"),
    ],
)
def test_each_state_of_an_agent_has_its_words(state: int, background: bool, said: str) -> None:
    """What cut off agents of the background is no failure, and an unknown state is no crash."""
    scene = replace(SCENE, sitters=(Sitter("A", "u", 0, background=background),))
    line = _line(drawn(View(scene, {0: Seen(state, 1, S, S, S, 1)}, (), S)), "A ")
    assert line.removeprefix("A").strip().startswith(said)


def test_agents_that_are_not_in_the_arm_keep_their_line() -> None:
    """The area does not jump from arm to arm."""
    alone = replace(VIEW, scene=replace(SCENE, sitters=(SCENE.sitters[0], replace(SCENE.sitters[1], seat=None))))
    assert len(drawn(alone)) == len(drawn(VIEW))
    assert "not in this run" in _line(drawn(alone), "Insight")


def test_servers_and_gpus_have_their_load() -> None:
    """Cores and memory of a server, memory and work of a GPU."""
    lines = drawn(VIEW)
    assert _line(lines, "http").split() == ["http://127.0.0.1:11434", "0.98", "281", "MiB", "-"]
    assert _line(lines, "a GPU").split() == ["a", "GPU", "-", "1024", "of", "81920", "MiB", "93", "%"]


def test_gates_have_their_interval_limit_and_verdict() -> None:
    """The wider the terminal, the more of it: figures and the limit always, then the track, then the interval."""
    assert _line(drawn(VIEW), "measured eff").split() == (
        [
            "measured",
            "efficiency",
            "78.1",
            "%",
            "70.2",
            "to",
            "86.0",
            "%",
            "├───────────●───┃────────┤",
            "≥",
            "80.0",
            "%",
            "INCONCLUSIVE",
        ]
    )
    assert "●" in _line(drawn(VIEW, 80), "contention")
    assert _line(drawn(VIEW, 60), "contention").split() == ["contention", "rate", "50.0", "%", "≤", "33.0", "%", "FAIL"]


def test_a_terminal_without_more_than_ascii_gets_ascii() -> None:
    """Tracks, signs and ends of lines."""
    lines = drawn(VIEW, ascii_only=True)
    assert _line(lines, "contention").isascii()
    assert "o" in _line(lines, "measured s")


@given(SIZES, st.sampled_from([VIEW, many(9), View(Scene("x", 0), {}, (), 0)]))
def test_it_fits_every_terminal(size: tuple[int, int], view: View) -> None:
    """Never as wide as the terminal, which would break the line, and at least a line less than it is high."""
    columns, rows = size
    lines = drawn(view, columns, rows)
    assert len(lines) <= max(1, rows - 1)
    assert all(cell_len(line) < max(2, columns) for line in lines)


def test_what_has_no_room_is_left_out_in_order() -> None:
    """First the empty lines, then the servers, then the last agents; how many is said."""
    assert drawn(VIEW, rows=17).count("") == 3
    assert "" not in drawn(VIEW, rows=16)
    assert any(line.startswith("server") for line in drawn(VIEW, rows=14))
    assert not any(line.startswith("server") for line in drawn(VIEW, rows=13))
    assert "contention rate" in drawn(VIEW, rows=11)[-1]
    few = drawn(many(30), rows=12)
    assert any(line.startswith("agent-0") for line in few)
    assert "and 24 more" in few


@pytest.mark.parametrize("columns", [120, 80, 60])
def test_no_name_steers_the_terminal(columns: int) -> None:
    """Escapes, control characters and right-to-left marks are escaped, and markup is text."""
    scene = replace(
        SCENE,
        title=HOSTILE,
        arm=HOSTILE,
        side=HOSTILE,
        note=HOSTILE,
        sitters=(Sitter(HOSTILE, "u", 0),),
        gauges=(replace(GAUGES[0], name=HOSTILE, verdict=HOSTILE),),
    )
    view = View(scene, SEEN, (replace(LOADS[0], name=HOSTILE),), 4 * S)
    text = "\n".join(drawn(view, columns))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "[bold]" in text
    coloured = Console(force_terminal=True, color_system="truecolor", markup=True, width=columns, _environ={})
    written = Area(coloured).draw(picture(view, Room(columns - 1, 39)), columns, 40)
    assert "\x1b[31mred" not in written
    assert "\x1b]0" not in written
    assert "\u202e" not in written


def test_a_time_that_was_not_enough_is_none_left() -> None:
    """What takes longer than was thought has nothing left, and no negative time."""
    late = replace(VIEW, scene=replace(SCENE, rest=Rest(1.0, None, None, 0)))
    assert drawn(late)[2].endswith("about 0:00 left")


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (59.6, "1:00"), (3661, "1:01:01"), (-5, "0:00")])
def test_times_are_told_as_on_a_clock(seconds: float, said: str) -> None:
    """Minutes and seconds, and hours where there are any."""
    assert clock(seconds) == said
