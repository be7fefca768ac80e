"""Resources, block by block."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.records import Block
from harness.records.resources import ServerUse
from harness.report.html.usage import scenario_usage, usage_group
from harness.testing import build_session
from tests.report.html.sessions import block, blocks, judged


def titles(figure: Any) -> list[str]:  # noqa: ANN401 - Plotly's
    """Titles of a figure's panels."""
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_every_quantity_that_was_told_has_a_panel() -> None:
    """CPU and memory everywhere; memory, power and energy of a GPU where there is one."""
    plain = usage_group("s", blocks("s", 1.0, 2)[1:], "u")
    board = usage_group("s", blocks("s", 1.0, 2, gpu=True)[1:], "u")
    assert plain is not None
    assert board is not None
    assert titles(plain.plots[0].figure) == ["CPU, cores of all servers", "resident memory, MiB"]
    assert titles(board.plots[0].figure)[2:] == ["GPU memory, MiB", "GPU power, W", "energy, J a token"]
    assert board.notes[0].startswith("energy of a token: alone")


def test_a_value_stands_at_its_block() -> None:
    """A block without an arm, or without samples, leaves a gap and shifts nothing."""
    first, second, third = blocks("s", 1.0, 3)[1:]
    second = replace(second, runs=tuple(replace(run, resources=None) for run in second.runs))
    group = usage_group("s", [first, second, third], "u")
    assert group is not None
    assert group.plots[0].table.headings == ("arm", "what", "block 1", "block 2", "block 3")
    assert [row[3] for row in group.plots[0].table.rows] == ["-"] * 6


def test_servers_of_others_are_not_counted() -> None:
    """A session's other servers idle beside the scenario; the plot agrees with the table below it."""

    def crowded(each: Block) -> Block:
        runs = []
        for run in each.runs:
            assert run.resources is not None
            more = (*run.resources.servers, ServerUse("http://127.0.0.1:99", 9.0, 2**40))
            runs.append(replace(run, resources=replace(run.resources, servers=more)))
        return replace(each, runs=tuple(runs))

    alone, beside = (usage_group("s", each, "u") for each in ([block("s", 1, 1.0)], [crowded(block("s", 1, 1.0))]))
    assert alone == beside


def test_what_was_not_sampled_is_not_shown() -> None:
    """A scenario without samples has no group."""
    bare = [replace(each, runs=tuple(replace(run, resources=None) for run in each.runs)) for each in blocks("s", 1, 2)]
    assert scenario_usage(judged(build_session(), {"s": bare}).scenarios) == []
