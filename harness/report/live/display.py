"""The handle of the process that draws: started, told what to show, and ended by the measuring process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

import msgspec

from harness.measure import Board
from harness.report.live.scene import Scene, Told

_MODULE = "harness.report.live.drawing"
_READY_S = 30.0
_ANSWER_S = 10.0
_ENDING_S = 2.0


class Display:
    """A live area at the bottom of a terminal, drawn by a process of its own. Use it as a context manager, or close it.

    This process only notes on the board how far agents have come, and sends a line now and then. Should the drawing
    process die, or not answer (somebody stopped the terminal's output), nothing is shown any more, and nothing else is
    different.

    Attributes:
        board: Where the agents' progress is noted.
    """

    def __init__(self, terminal: int, seats: int, *, plain: bool = False) -> None:
        """Starts the drawing process, and waits until it is ready; that takes a quarter of a second.

        Args:
            terminal: Descriptor of the terminal; it may be closed afterwards.
            seats: Agents that are seen at most.
            plain: Draw without colours, bold and the like.

        Raises:
            OSError: If no process can be started, or there is no memory for the board.
        """
        self.board = Board(seats)
        self._scene: Scene | None = None
        command = [sys.executable, "-m", _MODULE, "--parent", str(os.getpid()), "--board", str(self.board.fd)]
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [*command, *(["--plain"] if plain else [])],
                    stdin=theirs.fileno(),
                    stdout=terminal,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(self.board.fd,),
                )
        except OSError:
            self._line.close()
            raise
        finally:
            self.board.close()
        self._lives = True
        self._line.settimeout(_READY_S)
        self._answer()

    @property
    def pid(self) -> int:
        """Process that draws."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """True if there is a process that draws."""
        return self._lives

    @property
    def shown(self) -> bool:
        """True if there is something in the area now: lines have to go through :meth:`write`."""
        return self._lives and self._scene is not None

    def show(self, scene: Scene) -> None:
        """Shows a scene from the next frame on. To be called outside of what is timed: it takes some 50 us."""
        self._scene = scene
        self._tell(Told(scene))

    def write(self, lines: Sequence[str]) -> bool:
        """Writes lines above the area, for good; False if they could not be, and are still to be written."""
        if not self.shown:
            return False
        self._tell(Told(self._scene, tuple(lines), answer=True))
        return self._answer()

    def hide(self) -> None:
        """Takes the area away, and returns when that is done: the terminal is the caller's then."""
        if not self.shown:
            return
        self._scene = None
        self._tell(Told(answer=True))
        self._answer()

    def close(self) -> None:
        """Takes the area away and ends the process. Safe to call twice."""
        self.hide()
        self._end()

    def _tell(self, told: Told) -> None:
        if self._lives:
            self._line.settimeout(_ANSWER_S)
            try:
                self._line.sendall(msgspec.json.encode(told) + b"\n")
            except OSError:  # it has gone, or does not listen
                self._end()

    def _answer(self) -> bool:
        if not self._lives:
            return False
        try:
            answered = bool(self._line.recv(1))
        except OSError:  # it has gone, or takes too long
            answered = False
        if not answered:
            self._end()
        return answered

    def _end(self) -> None:
        """Ends it by ending its input; one that does not is killed."""
        if not self._lives:
            return
        self._lives = False
        self._line.close()
        try:
            self._process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_S)

    def __enter__(self) -> Display:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()
