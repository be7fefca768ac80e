"""The whole tools under test, and how each is run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from perf.fidelity.loads import Load
from perf.fidelity.observed import Observed, Reported
from perf.fidelity.tools import aiperf, guidellm

Command = Callable[[str, str, Load, Path], Sequence[str]]
"""Makes the command line of a program, a URL, a load and a folder to work in; writes the files it needs there."""

Read = Callable[[Path], tuple[list[Observed], Reported]]
"""Reads what the tool wrote in its folder."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A whole tool.

    Attributes:
        name: On the command line and in the table.
        program: Name on PATH.
        settings: How it is used, in words.
        command: Makes its command line.
        read: Reads its report.
    """

    name: str
    program: str
    settings: str
    command: Command
    read: Read

    def found(self, path: str | None) -> str | None:
        """The program: the given one, or the one on PATH; None if there is none."""
        return shutil.which(path or self.program)


TOOLS = (
    Tool("guidellm", "guidellm", guidellm.SETTINGS, guidellm.command, guidellm.read),
    Tool("aiperf", "aiperf", aiperf.SETTINGS, aiperf.command, aiperf.read),
)
