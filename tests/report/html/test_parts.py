"""Tables and sentences."""

from __future__ import annotations

from harness.report.html.parts import number, sentence, table_of
from harness.report.text import Grid


def test_a_grid_without_headings_has_none() -> None:
    """Its first row is a row like the others."""
    assert table_of(Grid("t", [["a", "b"]], (0, 1), headed=False)).rows == (("a", "b"),)
    assert table_of(Grid("t", [["a", "b"], ["c", "1"]])).headings == ("a", "b")


def test_a_line_becomes_a_sentence() -> None:
    """With a capital and one full stop."""
    assert sentence("two lines") == "Two lines."
    assert sentence("Why?") == "Why?"


def test_what_is_not_known_is_a_dash() -> None:
    """And what rounds to nothing has no sign."""
    assert number(None, 1) == "-"
    assert number(-0.001, 1) == "0.0"
