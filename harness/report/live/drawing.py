"""Draws the live terminal: a process of its own, of the lowest priority, that the measuring process starts.

Run as ``python -m harness.report.live.drawing --parent PID --board FD``; :class:`harness.report.live.display.Display`
does. Its standard output is the terminal. It reads messages from its standard input, a :class:`Told` in a line of JSON
each, and answers with a byte where one is waited for. While there is a scene it reads the board, looks at the servers'
process trees once a second, and draws four times a second; a frame of two agents
takes 1.5 ms of CPU time. Without one it sleeps.

It ends with its input, which the kernel closes when the parent ends, kill -9 included; should somebody else hold that
open too, it sees within a second that it has another parent. It never ends by Ctrl-C, which is for the parent, and is
stopped and continued with it. Nothing has to be put right when it ends: see :mod:`harness.report.live.area`.
"""

from __future__ import annotations

import argparse
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec
from rich.console import Console

from harness.records.board import SEAT_WORDS, seen_at
from harness.report.live.area import Area
from harness.report.live.loads import Loads
from harness.report.live.picture import Room, View, picture
from harness.report.live.scene import Scene, Told
from harness.servers.nvml import Nvml, open_nvml

_NICENESS = 19
_FRAME_S = 0.25
_PARENT_POLL_S = 1.0
_PIECE = 1 << 16
_USUAL_SIZE = (80, 24)
_DONE = b"."


class Drawing:
    """Draws what it is told, until its input ends or its parent does."""

    def __init__(self, board: Sequence[int], parent: int, console: Console, nvml: Nvml | None) -> None:
        """Nothing happens before :meth:`run`.

        Args:
            board: The words that the parent writes.
            parent: Process that it ends with.
            console: Renders for the terminal that is the standard output.
            nvml: Tells of the GPUs.
        """
        self._board = board
        self._parent = parent
        self._console = console
        self._area = Area(console)
        self._loads = Loads(nvml)
        self._scene: Scene | None = None
        self._due_s = 0.0
        self._continued = False

    def run(self, line: socket.socket) -> None:
        """Returns when the input has ended, or the parent has."""
        unread = b""
        signal.signal(signal.SIGCONT, self._is_continued)
        line.sendall(_DONE)
        while os.getppid() == self._parent:
            if self._has_message(line):
                read = line.recv(_PIECE)
                if not read:
                    return
                *messages, unread = (unread + read).split(b"\n")
                for message in messages:
                    told = msgspec.json.decode(message, type=Told)
                    self._obey(told)
                    if told.answer:
                        line.sendall(_DONE)
            elif self._scene is not None and time.monotonic() >= self._due_s:
                self._draw(self._scene)

    def _is_continued(self, *_: object) -> None:
        """A shell has written while all were stopped."""
        self._continued = True

    def _has_message(self, line: socket.socket) -> bool:
        left_s = _PARENT_POLL_S if self._scene is None else max(0.0, self._due_s - time.monotonic())
        return bool(select.select([line], [], [], min(left_s, _PARENT_POLL_S))[0])

    def _obey(self, told: Told) -> None:
        """Takes a new scene at the next frame; lines, and the end of a scene, at once."""
        before, self._scene = self._scene, told.scene
        columns, _ = _size()
        if self._continued or not _in_foreground():
            self._continued = False
            self._area.forget()
        if told.lines:
            _write(self._area.above(told.lines, columns))
        if told.scene is None:
            _write(self._area.erase(columns))
        elif before is None:
            self._due_s = time.monotonic()

    def _draw(self, scene: Scene) -> None:
        self._due_s = time.monotonic() + _FRAME_S
        if self._continued or not _in_foreground():  # the terminal is somebody else's meanwhile
            self._continued = False
            self._area.forget()
        if not _in_foreground():
            return
        columns, rows = _size()
        now_ns = time.perf_counter_ns()
        seats = {sitter.seat for sitter in scene.sitters if sitter.seat is not None}
        seen = {seat: seen_at(self._board, seat) for seat in seats if (seat + 1) * SEAT_WORDS <= len(self._board)}
        view = View(scene, seen, self._loads.now(scene, now_ns), now_ns)
        room = Room(columns - 1, rows - 1, self._console.options.ascii_only)
        _write(self._area.draw(picture(view, room), columns, rows))


def _size() -> tuple[int, int]:
    """Columns and rows of the terminal; a usual size where it does not tell."""
    with suppress(OSError):
        columns, rows = os.get_terminal_size(sys.stdout.fileno())
        if columns and rows:
            return columns, rows
    return _USUAL_SIZE


def _in_foreground() -> bool:
    """False if this is a job in the background of the terminal's shell."""
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:  # it is nobody's controlling terminal
        return True


def _write(text: str) -> None:
    """One write a frame, so that no half of one is seen."""
    left = memoryview(text.encode(sys.stdout.encoding, "replace"))
    while left:
        left = left[os.write(sys.stdout.fileno(), left) :]


def _ignore(*signals: signal.Signals) -> None:
    for each in signals:
        signal.signal(each, signal.SIG_IGN)


def _console(*, plain: bool) -> Console:
    """A console for the terminal: its colours are what it can, none for NO_COLOR, and nothing at all if ``plain``."""
    return Console(
        force_terminal=True,
        color_system=None if plain else "auto",
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--board", type=int, required=True)
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    _ignore(signal.SIGINT, signal.SIGQUIT, signal.SIGTTOU)
    with suppress(OSError, AttributeError):  # a sandbox, or a system, without niceness
        os.nice(_NICENESS)
    board = memoryview(mmap.mmap(arguments.board, 0, prot=mmap.PROT_READ)).cast("Q")
    os.close(arguments.board)
    with open_nvml() as nvml, socket.socket(fileno=sys.stdin.fileno()) as line, suppress(OSError):
        Drawing(board, arguments.parent, _console(plain=arguments.plain), nvml).run(line)  # nobody is there any more


if __name__ == "__main__":
    main()
