"""The area at the bottom of a terminal, on a terminal's screen: what is drawn, erased and left alone."""

from __future__ import annotations

import pyte
import pytest
from rich.console import Console
from rich.text import Text

from harness.report.live.area import Area


class Shown:
    """An area, and the screen that it is drawn on."""

    def __init__(self, columns: int = 20, rows: int = 8) -> None:
        """Nothing is there yet."""
        self.columns, self.rows = columns, rows
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
        self.stream.feed("before\r\n")
        self.area = Area(Console(force_terminal=True, color_system="standard", _environ={}))

    def write(self, text: str) -> list[str]:
        """Writes text as a terminal does, and gives the screen's lines down to the cursor's."""
        self.stream.feed(text.replace("\r\n", "\n").replace("\n", "\r\n"))
        assert self.screen.cursor.x == 0
        assert not self.screen.cursor.hidden
        assert self.screen.cursor.attrs == pyte.screens.Char(" ")
        return [line.rstrip() for line in self.screen.display[: self.screen.cursor.y]]

    def draw(self, *lines: str) -> list[str]:
        """Draws coloured lines."""
        return self.write(self.area.draw(Text("\n".join(lines), style="bold red"), self.columns, self.rows))


def test_a_frame_takes_the_place_of_the_one_before() -> None:
    """However many lines either has; the cursor stands below it, at the start of a line, visible and in no colour."""
    shown = Shown()
    assert shown.draw("one", "two", "three") == ["before", "one", "two", "three"]
    assert shown.draw("four") == ["before", "four"]
    assert shown.draw("five", "", "six") == ["before", "five", "", "six"]


def test_what_is_erased_leaves_nothing() -> None:
    """The lines before it stay; erasing twice is once."""
    shown = Shown()
    shown.draw("one", "two")
    assert shown.write(shown.area.erase(shown.columns)) == ["before"]
    assert shown.write(shown.area.erase(shown.columns)) == ["before"]
    assert shown.screen.display[1].strip() == ""


def test_lines_are_written_above_it_for_good() -> None:
    """Long ones too, which the terminal breaks; the area is there again at once."""
    shown = Shown()
    shown.draw("one", "two")
    assert shown.write(shown.area.above(["said", "x" * 25], 20)) == ["before", "said", "x" * 20, "x" * 5, "one", "two"]
    assert shown.draw("three") == ["before", "said", "x" * 20, "x" * 5, "three"]


def test_lines_before_the_first_frame_are_just_written() -> None:
    """There is no area to draw again."""
    shown = Shown()
    assert shown.write(shown.area.above(["said"], 20)) == ["before", "said"]
    assert shown.draw("one") == ["before", "said", "one"]


def test_an_area_that_is_higher_than_the_terminal_is_cut_off() -> None:
    """Its first lines are shown, and the next frame takes their place."""
    shown = Shown(rows=4)
    assert shown.draw(*"abcdef") == ["a", "b", "c"]
    assert shown.draw(*"ghijkl") == ["g", "h", "i"]


def test_where_others_have_written_nothing_is_erased() -> None:
    """A frame that was forgotten stays where it is, and the next one begins below."""
    shown = Shown()
    shown.draw("one")
    shown.area.forget()
    shown.write("$ fg\r\n")
    assert shown.draw("two") == ["before", "one", "$ fg", "two"]


@pytest.mark.parametrize(("columns", "rows"), [(20, 2), (19, 2), (10, 3), (7, 4), (1, 20)])
def test_a_narrower_terminal_has_broken_its_lines_by_now(columns: int, rows: int) -> None:
    """As many lines are erased as the terminal has made of them."""
    area = Area(Console(force_terminal=True, color_system=None))
    area.draw(Text("x" * 19 + "\nx"), 21, 20)
    assert area.erase(columns) == f"\r\x1b[{rows}A\x1b[J"


def test_spaces_at_the_end_of_a_line_are_not_written() -> None:
    """They would be broken as text is when the terminal becomes narrower."""
    area = Area(Console(force_terminal=True, color_system=None))
    assert area.draw(Text("ab   \n     "), 40, 20) == "ab\n\n"
