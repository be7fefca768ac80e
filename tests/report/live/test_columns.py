"""Text in columns: figures flush right, and text that gives way where there is no room."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from harness.report.live.columns import Column, headings, in_columns, line

COLUMNS = (Column("agent", most=10), Column("tok/s", least=6), Column("does", least=3, most=9))


def _lines(rows: Sequence[Sequence[str]], room: int = 80) -> list[str]:
    cells = [[line(each) for each in row] for row in rows]
    return [each.plain for each in in_columns(COLUMNS, [headings(COLUMNS), *cells], room)]


def test_each_column_is_as_wide_as_what_stands_in_it() -> None:
    """But no narrower and no wider than it may be."""
    assert _lines([["A", "1.0", "x"], ["Insight-and-more", "1234567.0", "is done"]]) == [
        "agent           tok/s  does   ",
        "A                 1.0  x      ",
        "Insight-a…  1234567.0  is done",
    ]


def test_the_widest_text_gives_way_first() -> None:
    """Figures never do: half a figure is a wrong one."""
    rows = [["Insight", "12345.0", "decodes"]]
    assert _lines(rows, 22)[1] == "Insi…  12345.0  decod…"
    assert _lines(rows, 1)[1] == "Ins…  12345.0  dec…"


@given(st.lists(st.tuples(*[st.text(max_size=12)] * 3), max_size=3), st.integers(0, 60))
def test_columns_are_columns_whatever_stands_in_them(rows: list[tuple[str, str, str]], room: int) -> None:
    """Wide characters, combining ones and control codes too: all lines are as wide as the first."""
    cells = [[line(each) for each in row] for row in rows]
    lines = in_columns(COLUMNS, [headings(COLUMNS), *cells], room)
    assert {each.cell_len for each in lines} == {lines[0].cell_len}


def test_styles_stay_with_their_pieces() -> None:
    """A line is made of plain pieces and styled ones, markup is text, and what steers a terminal is escaped."""
    text = line("a ", ("b", "bold"), "[red]\x1b")
    assert text.plain == "a b[red]\\x1b"
    assert [(span.start, span.end, str(span.style)) for span in text.spans] == [(2, 3, "bold")]
    (joined,) = in_columns((Column("x", most=5), Column("y")), [[Text("left", "red"), line(("right", "bold"))]], 80)
    assert joined.plain == "left  right"
    assert [str(span.style) for span in joined.spans] == ["red", "bold"]
