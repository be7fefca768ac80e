"""Text that cannot steer a terminal, and rows in columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple


def printable(text: str) -> str:
    """Text of a server or model with everything that could steer a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose newlines stay."""
    return "\n".join(printable(line) for line in text.splitlines())


def aligned(rows: Sequence[Sequence[str]], left: Collection[int], indent: str = "") -> list[str]:
    """Rows in columns, the columns ``left`` flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        indent
        + "  ".join(
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class Grid(NamedTuple):
    """A table before anybody has laid it out.

    Attributes:
        title: What it shows.
        rows: Its cells; the first row holds the headings if it is ``headed``.
        left: Columns of words, flush left; the others hold figures.
        headed: Its first row holds headings.
    """

    title: str
    rows: Sequence[Sequence[str]]
    left: Collection[int] = (0,)
    headed: bool = True

    def lines(self) -> list[str]:
        """Its rows in columns, indented, without its title."""
        return aligned(self.rows, self.left, indent="  ")


def spaced(grids: Sequence[Grid]) -> list[str]:
    """Several tables, with an empty line between them."""
    return [line for grid in grids for line in ("", *grid.lines())][1:]
