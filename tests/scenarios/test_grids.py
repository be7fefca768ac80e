"""Grids from a line of text and from TOML."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.errors import ConfigurationError
from harness.scenarios.grids import MOST_CELLS, parse_grid, parse_grid_file


def test_a_line_of_text_is_every_combination() -> None:
    """The last option changes fastest; spaces do not matter."""
    cells = parse_grid("chimera_homo: num_ctx = 512, 1024; temperature=0.6,0.8")
    assert [cell.name for cell in cells] == [
        "chimera_homo@num_ctx=512,temperature=0.6",
        "chimera_homo@num_ctx=512,temperature=0.8",
        "chimera_homo@num_ctx=1024,temperature=0.6",
        "chimera_homo@num_ctx=1024,temperature=0.8",
    ]


def test_several_scenarios_and_single_agents_may_be_named() -> None:
    """One after the other."""
    cells = parse_grid("chimera_homo,chimera_hetero:chimera2.num_gpu=60,80")
    assert [cell.name for cell in cells] == [
        f"{name}@chimera2.num_gpu={layers}" for name in ("chimera_homo", "chimera_hetero") for layers in (60, 80)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write SCENARIO:OPTION=NUMBER"),
        ("tr111", "write SCENARIO:OPTION=NUMBER"),
        ("chimera_homo", "write SCENARIO:OPTION=NUMBER"),
        ("chimera_homo:", "write SCENARIO:OPTION=NUMBER"),
        ("chimera_homo:num_ctx", "'num_ctx' is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=", "'num_ctx=' is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=512,", "is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=512;", "'' is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=many", "is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=nan", "is not OPTION=NUMBER,NUMBER"),
        ("chimera_homo:num_ctx=512;num_ctx=1024", "num_ctx stands there twice"),
        ("chimera:num_ctx=512", "unknown scenario 'chimera'; choose from: baseline_vs_chimera,"),
        ("chimera_homo,:num_ctx=512", "unknown scenario ''"),
        ("chimera_homo:colour=1", "unknown option 'colour'"),
        (f"chimera_homo:top_k={','.join(map(str, range(MOST_CELLS + 1)))}", "257 cells, more than 256"),
    ],
)
def test_a_line_that_is_no_grid_is_refused_in_one_line(text: str, words: str) -> None:
    """Saying what is wrong and what to write."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        parse_grid(text)
    assert "\n" not in str(raised.value)


@given(st.text(alphabet="chimera_homo:;=,.0159num_ctx ", max_size=40))
def test_any_line_is_a_grid_or_a_configuration_error(text: str) -> None:
    """Nothing else is raised."""
    with suppress(ConfigurationError):
        assert parse_grid(text)


FILE = """
runs = 7
passes = 2

[[grid]]
scenario = ["chimera_homo", "chimera_hetero"]
phase = "one"
num_gpu = [60, 80]
num_ctx = 512

[[grid]]
scenario = "chimera_homo"
temperature = [0.6, 0.8]
chimera2.num_ctx = [1024]
"""


def test_a_file_holds_several_grids_and_how_often_they_are_measured() -> None:
    """Each with its phase; a number may stand for a list of one."""
    sweep = parse_grid_file(FILE, "grid.toml")
    assert [(cell.phase, cell.name) for cell in sweep.cells] == [
        ("one", "chimera_homo@num_ctx=512,num_gpu=60"),
        ("one", "chimera_homo@num_ctx=512,num_gpu=80"),
        ("one", "chimera_hetero@num_ctx=512,num_gpu=60"),
        ("one", "chimera_hetero@num_ctx=512,num_gpu=80"),
        ("", "chimera_homo@chimera2.num_ctx=1024,temperature=0.6"),
        ("", "chimera_homo@chimera2.num_ctx=1024,temperature=0.8"),
    ]
    assert (sweep.runs, sweep.passes) == (7, 2)


GRID = '[[grid]]\nscenario = "chimera_homo"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("= 1", "is not valid TOML"),
        ("", r"tables \[\[grid\]\]"),
        ("grid = []", "has no cell"),
        ('grid = "x"', r"tables \[\[grid\]\]"),
        ("[grid]\nnum_ctx = 1", r"tables \[\[grid\]\]"),
        (f"runs = 0\n{GRID}", "runs must be a whole number of at least 1, got 0"),
        (f"passes = true\n{GRID}", "passes must be a whole number of at least 1, got True"),
        (f"run = 5\n{GRID}", "unknown 'run'; known: runs, passes"),
        ("[[grid]]\nnum_ctx = 512", "grid 1: scenario must be a name or a list of names, got None"),
        ("[[grid]]\nscenario = []", "scenario must be a name or a list of names"),
        ('[[grid]]\nscenario = ["chimera_homo", 1]', "scenario must be a name or a list of names"),
        ('[[grid]]\nscenario = "nobody"', "grid 1: unknown scenario 'nobody'"),
        (f"{GRID}phase = 1", "phase must be a text"),
        (f'{GRID}num_ctx = "512"', "num_ctx must be a number or a list of numbers, got '512'"),
        (f"{GRID}num_ctx = []", "num_ctx must be a number or a list of numbers"),
        (f"{GRID}num_ctx = [true]", "num_ctx must be a number or a list of numbers"),
        (f'{GRID}chimera2.num_ctx = "x"', "chimera2.num_ctx must be a number"),
        (f"{GRID}chimera2.x.num_ctx = 1", "chimera2.x must be a number"),
        (f"{GRID}top_k = {list(range(200))}\n{GRID}top_k = {list(range(200))}", "more than 256 cells"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused_with_its_name(text: str, words: str) -> None:
    """And the number of the grid."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        parse_grid_file(text, "grid.toml")
    assert "grid.toml" in str(raised.value) or "has no cell" in str(raised.value)
