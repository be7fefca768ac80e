"""A real terminal for these tests: a pseudo-terminal, and what a terminal emulator shows of what is written to it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte

_PATIENCE_S = 30.0
_PIECE = 1 << 16


class Terminal:
    """One end is a process's terminal; what comes out of the other is drawn on a screen.

    Attributes:
        end: Descriptor of the end that processes write to.
        raw: All that was written.
    """

    def __init__(self, columns: int, rows: int) -> None:
        """Opens it, of a size."""
        self._master, self.end = pty.openpty()
        self.raw = b""
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """Gives it another size; who asks is told."""
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    @property
    def lines(self) -> list[str]:
        """The lines of the screen down to the last that is not empty, without spaces at their ends."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    @property
    def text(self) -> str:
        """The same in one."""
        return "\n".join(self.lines)

    def see(self, condition: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
        """Reads until something holds; fails after a generous time."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, f"the awaited did not come:\n{self.text}"
            self.read(0.05)

    def read(self, patience_s: float = 0.0) -> bool:
        """Reads what there is; False if there was nothing."""
        if not select.select([self._master], [], [], patience_s)[0]:
            return False
        try:
            written = os.read(self._master, _PIECE)
        except OSError:  # every process has closed the other end
            return False
        self.raw += written
        self._stream.feed(written)
        return bool(written)

    def drain(self) -> None:
        """Reads all that is there now."""
        while self.read():
            pass

    def close(self) -> None:
        """Closes both ends."""
        os.close(self._master)
        os.close(self.end)


@contextmanager
def terminal(columns: int = 120, rows: int = 30) -> Iterator[Terminal]:
    """A terminal of a size."""
    opened = Terminal(columns, rows)
    try:
        yield opened
    finally:
        opened.close()
