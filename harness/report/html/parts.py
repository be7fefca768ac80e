"""What a page is made of: tables, plots with their text and their data, and things that are said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.report.text import Grid

Figure = Mapping[str, object]
"""A plot for Plotly: ``data``, ``layout`` and ``height`` in px; its colours of text and lines are the page's."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the first cell of each row is its heading.

    Attributes:
        caption: What it shows.
        headings: One a column; () for none.
        rows: Cells, as text.
        left: Columns of words; the others hold figures.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


def table_of(grid: Grid) -> Table:
    """A table of the terminal's."""
    rows = tuple(tuple(row) for row in grid.rows)
    headings, rest = (rows[0], rows[1:]) if grid.headed else ((), rows)
    return Table(grid.title, headings, rest, frozenset(grid.left))


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[int] = (0,)) -> Table:
    """A table of rows."""
    return Table(caption, tuple(headings), tuple(tuple(row) for row in rows), frozenset(left))


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, with what it shows in words and as a table: who does not see it misses nothing.

    Attributes:
        ident: Its id in the page.
        title: What it shows.
        words: What is to be seen in it.
        figure: What is drawn.
        table: Its data.
    """

    ident: str
    title: str
    words: str
    figure: Figure
    table: Table


@dataclass(frozen=True, slots=True)
class Group:
    """What one scenario (or study) has in a section.

    Attributes:
        name: Whose.
        words: What is said before anything is shown.
        plots: Its plots.
        tables: Its tables.
        notes: What is said below them.
        open: It is shown from the start.
    """

    name: str
    words: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    open: bool = True


def sentence(text: str) -> str:
    """A line of the terminal as a sentence: it begins with a capital, and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def number(value: float | None, digits: int) -> str:
    """A figure; a dash where there is none."""
    return "-" if value is None else f"{value:z.{digits}f}"
