"""The lines at the bottom of the terminal that are drawn again and again: pure, from lines to what is written.

Between two writes the cursor stands below the area, at the start of a line, visible, and in no colour. So whoever
dies, and however, leaves the terminal as it should be, and a shell's prompt stands where it belongs.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, RenderableType
from rich.segment import Segment, SegmentLines

_UP = "\x1b[{}A"
_ERASE_BELOW = "\x1b[J"


class Area:
    """Knows what it has drawn, and so what there is to erase."""

    def __init__(self, console: Console) -> None:
        """Draws nothing yet.

        Args:
            console: Renders; nothing is written to its file.
        """
        self._console = console
        self._widths: list[int] = []
        self._text = ""

    def forget(self) -> None:
        """Somebody else has written: what was drawn stays where it is, and the next area begins below."""
        self._widths.clear()
        self._text = ""

    def erase(self, columns: int) -> str:
        """What takes the area away; the cursor is where it began then.

        Args:
            columns: Cells a line by now; lines that are longer were broken by the terminal.
        """
        rows = sum(max(1, -(-width // max(1, columns))) for width in self._widths)
        self.forget()
        return f"\r{_UP.format(rows)}{_ERASE_BELOW}" if rows else ""

    def draw(self, renderable: RenderableType, columns: int, rows: int) -> str:
        """What draws it in place of what was there; lines beyond the terminal's height are left out."""
        erased = self.erase(columns)
        room = max(1, columns - 1)
        options = self._console.options.update(width=room, height=None)
        lines = [_stripped(line) for line in self._console.render_lines(renderable, options, pad=False)]
        lines = lines[: max(1, rows - 1)]
        self._widths = [sum(segment.cell_length for segment in line) for line in lines]
        self._text = self._written(lines)
        return erased + self._text

    def above(self, lines: Sequence[str], columns: int) -> str:
        """What writes lines for good, and the area as it was below them."""
        widths, text = list(self._widths), self._text
        written = self.erase(columns) + "".join(f"{line}\r\n" for line in lines)
        if max(widths, default=0) >= columns:  # the terminal has become narrower since: the next frame fits
            return written
        self._widths, self._text = widths, text
        return written + text

    def _written(self, lines: Sequence[list[Segment]]) -> str:
        with self._console.capture() as captured:
            self._console.print(SegmentLines(lines, new_lines=True), end="", soft_wrap=True)
        return captured.get()


def _stripped(line: list[Segment]) -> list[Segment]:
    """Without the spaces at its end: a terminal that becomes narrower would break the line for them."""
    found = [segment for segment in line if not segment.control]
    while found:
        text, style, _ = found[-1]
        bare = text.rstrip(" ")
        if bare:
            found[-1] = Segment(bare, style)
            break
        found.pop()
    return found
