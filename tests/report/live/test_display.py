"""The drawing process on a real terminal: what it shows, and how either of the two may end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil
import pytest

from harness.report.live.display import Display
from tests.report.live.scenes import SCENE
from tests.report.live.terminal import Terminal, terminal
from tests.servers.children import eventually, lives

DYING = """
import os, sys, time
from harness.report.live.display import Display
from tests.report.live.scenes import SCENE
display = Display(int(sys.argv[1]), 4)
display.show(SCENE)
holding = sys.argv[2:] and os.fork() == 0
if not holding:
    print(display.pid, flush=True)
time.sleep(60)
"""

COLOURS = [(False, "X", True, True), (False, "NO_COLOR", False, True), (True, "X", False, False)]


@pytest.fixture(autouse=True)
def known_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever terminal these tests are run on."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def _display(end: Terminal, *, plain: bool = False) -> Iterator[Display]:
    with Display(end.end, 4, plain=plain) as display:
        yield display


def _shows(end: Terminal, text: str) -> None:
    end.see(lambda: text in end.text)


def _at_rest(end: Terminal) -> bool:
    """The cursor is visible, at the start of a line, in no colour."""
    cursor = end.screen.cursor
    return not cursor.hidden and cursor.x == 0 and (cursor.attrs.fg, cursor.attrs.bold) == ("default", False)


def test_progress_on_the_board_is_drawn_as_it_comes() -> None:
    """What this process notes in memory, the other one shows; nobody tells it."""
    with terminal() as end, _display(end) as display:
        seat, _ = display.board.seats(2)
        display.show(SCENE)
        _shows(end, "waits for its turn")
        seat.admitted()
        seat.asks(1)
        seat.heard(1, 1, 12_400_001)
        _shows(end, "1/24")
        seat.heard(1, 17, 10**9 + 12_400_001)
        _shows(end, "17/24")
        line = next(line for line in end.lines if line.startswith("DataCollector"))
    assert line.split() == ["DataCollector", "decodes", "1", "17/24", "16.0", "99.2", "12.4", "12.0"]


def test_lines_scroll_above_it_and_it_goes_without_a_trace() -> None:
    """Once it is hidden the terminal is somebody else's, with nothing but those lines on it."""
    with terminal() as end, _display(end) as display:
        display.show(SCENE)
        _shows(end, SCENE.title)
        assert display.write(["first", "second"])
        end.drain()
        assert end.lines[:3] == ["first", "second", "chimera_homo (2 of 3), block 3 of at most 30"]
        display.hide()
        end.drain()
        assert end.lines == ["first", "second"]
        assert _at_rest(end)
        assert not display.write(["third"])


def test_a_terminal_of_another_size_gets_another_picture() -> None:
    """It asks for the size at every frame."""
    with terminal(100, 30) as end, _display(end) as display:
        display.show(SCENE)
        _shows(end, "request")
        end.resize(60, 20)
        end.see(lambda: end.lines[-1] == "contention rate      50.0 %  ≤ 33.0 %  FAIL")
        assert "request" not in end.text


@pytest.mark.parametrize(
    ("plain", "variable", "coloured", "styled"),
    COLOURS,
)
def test_colours_are_for_those_who_want_them(
    monkeypatch: pytest.MonkeyPatch, plain: bool, variable: str, coloured: bool, styled: bool
) -> None:
    """None with NO_COLOR, and nothing at all where pytest was told to be plain."""
    monkeypatch.setenv(variable, "1")
    with terminal() as end, _display(end, plain=plain) as display:
        display.show(SCENE)
        _shows(end, "FAIL")
    assert (b"\x1b[33m" in end.raw) == coloured
    assert (b"\x1b[1m" in end.raw) == styled


@pytest.mark.parametrize("held", [False, True])
def test_it_ends_with_a_parent_that_is_killed_and_the_terminal_is_as_it_should_be(held: bool) -> None:
    """By kill -9, which nobody can clean up after: the last frame stays, and a prompt has a line of its own.

    Also where a child of the parent, made by a fork, holds the line between them open.
    """
    with terminal() as end:
        command = [sys.executable, "-c", DYING, str(end.end), *(["held"] if held else [])]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, pass_fds=(end.end,), start_new_session=True
        ) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            _shows(end, "contention rate")
            parent.kill()
        try:
            eventually(lambda: not lives(pid))
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)
        end.drain()
        assert end.lines[0].startswith(SCENE.title)
        assert end.lines[-1].startswith("contention rate")
        assert _at_rest(end)
        assert end.screen.cursor.y == len(end.lines)
        assert b"\x1b[?25l" not in end.raw


def test_ctrl_c_is_for_its_parent() -> None:
    """It goes on drawing until the parent has cleaned up."""
    with terminal() as end, _display(end) as display:
        display.show(SCENE)
        _shows(end, SCENE.title)
        os.kill(display.pid, signal.SIGINT)
        display.show(replace(SCENE, title="interrupted"))
        _shows(end, "interrupted")


def test_after_it_was_stopped_it_begins_below_what_the_shell_wrote() -> None:
    """Ctrl-Z and fg: nothing that others wrote is erased."""
    with terminal() as end, _display(end) as display:
        display.show(SCENE)
        _shows(end, "contention rate")
        os.kill(display.pid, signal.SIGSTOP)
        eventually(lambda: psutil.Process(display.pid).status() == psutil.STATUS_STOPPED)
        end.drain()
        os.write(end.end, b"$ fg\r\n")
        os.kill(display.pid, signal.SIGCONT)
        display.show(replace(SCENE, title="continued"))
        _shows(end, "continued")
        assert end.lines.index("$ fg") < end.lines.index("continued (2 of 3), block 3 of at most 30")


def test_a_drawing_process_that_dies_is_not_missed() -> None:
    """Nothing is shown any more, and lines are the caller's again."""
    with terminal() as end, _display(end) as display:
        display.show(SCENE)
        _shows(end, SCENE.title)
        os.kill(display.pid, signal.SIGKILL)
        assert not display.write(["a line"])
        assert not display.lives
        assert not display.shown
        display.show(SCENE)
        display.hide()


def test_it_is_of_the_lowest_priority_and_ends_when_it_is_closed() -> None:
    """Nobody has to wait for it, and nothing is left behind."""
    with terminal() as end:
        with _display(end) as display:
            process = psutil.Process(display.pid)
            assert process.nice() == 19
            display.show(SCENE)
            _shows(end, SCENE.title)
        assert not process.is_running()
        assert display._process.returncode == 0  # by itself: its input has ended
        end.drain()
        assert end.text == ""
