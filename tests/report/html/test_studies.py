"""Studies, drawn and in tables."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import judge_study
from harness.report.html.studies import study_groups
from tests.report.html.sessions import pattern_blocks

PATTERNS = judge_study("patterns", pattern_blocks(), None)


def test_the_answer_comes_first_and_the_tables_are_the_terminals() -> None:
    """With the question above it."""
    (group,) = study_groups([PATTERNS])
    assert group.words[0] == "Two servers, or one: which finishes the same work first? (6 blocks)"
    assert group.words[1].startswith("Single_parallel finishes the work first")
    assert [table.caption for table in group.tables] == [
        "patterns: the arms",
        "patterns: each arm over dual, paired block by block",
        "patterns: what each arm is",
        "patterns: each agent in each arm",
    ]


def test_arms_are_drawn_with_when_they_finish_and_how_they_compare() -> None:
    """Every arm, and every effect with its joint interval."""
    (group,) = study_groups([PATTERNS])
    walls, effects = group.plots
    assert [row[0] for row in walls.table.rows] == ["dual", "single", "single_parallel", "sequential"]
    shown = {row[0]: (row[1], row[-1]) for row in effects.table.rows}
    assert shown["single_parallel"] == ("dual", "shown to be less")


def test_a_study_of_broken_blocks_has_its_reasons() -> None:
    """And nothing to draw."""
    broken = [replace(each, error="died") for each in pattern_blocks(runs=1)[1:]]
    (group,) = study_groups([judge_study("patterns", broken, None)])
    assert (group.plots, group.tables) == ((), ())
    assert group.notes == ("block 1 is invalid: died",)
