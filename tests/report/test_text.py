"""Text that cannot steer a terminal, and rows in columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.text import aligned, printable


@given(st.text(alphabet=st.characters()))
def test_printable_text_steers_nothing_and_loses_nothing(text: str) -> None:
    """Every character of the result is printable, and printable text stays as it is."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert "".join(c for c in text if c.isprintable()) == text or shown != text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode 漢字 🙂", "plain Ünïcode 漢字 🙂"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    """ANSI escapes, marks that turn the direction of writing, line ends and lone surrogates."""
    assert printable(text) == shown


def test_rows_stand_in_columns() -> None:
    """The columns named are flush left, the others flush right; no line ends in blanks."""
    rows = [("a", "1", "x"), ("bb", "22", "")]
    assert aligned(rows, left=(0, 2), indent="  ") == ["  a    1  x", "  bb  22"]
