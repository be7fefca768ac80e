"""The arms of the comparison: calibrations without a display, with notes that nobody reads, and drawn."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from harness.judge import calibration_of
from harness.measure import Board, CalibrationRun, monotonic_ns, run_calibration
from harness.records import Calibration
from harness.report.live.display import Display
from harness.report.live.scene import Scene, Sitter, Watched

WITHOUT, NOTED, DRAWN = "without", "noted", "drawn"
ARMS = (WITHOUT, NOTED, DRAWN)
TITLES = {
    WITHOUT: "no display",
    NOTED: "notes on the board, nobody draws",
    DRAWN: "drawn four times a second",
}


@dataclass
class Arm:
    """What was measured of an arm, over all rounds.

    Attributes:
        runs: Its calibrations.
        drawn_s: CPU time that the drawing process used meanwhile, s.
        took_s: How long they took, s.
    """

    runs: list[CalibrationRun] = field(default_factory=list)
    drawn_s: float = 0.0
    took_s: float = 0.0

    def results(self, streams: int) -> list[Calibration]:
        """What came of each round."""
        return [
            calibration_of(run.pairs, streams=streams, cpu_s=run.cpu_s, loop_lag=run.loop_lag, loop=run.loop)
            for run in self.runs
        ]


@contextmanager
def any_terminal() -> Iterator[int]:
    """Standard output if it is a terminal, else one that a process of its own reads and throws away."""
    if sys.stdout.isatty():
        yield sys.stdout.fileno()
        return
    master, slave = pty.openpty()
    reader = "import os\nwhile os.read(0, 65536): pass"
    with subprocess.Popen([sys.executable, "-S", "-c", reader], stdin=master, stderr=subprocess.DEVNULL) as process:
        os.close(master)
        try:
            yield slave
        finally:
            os.close(slave)
            process.kill()


def scene_of(streams: int) -> Scene:
    """As many agents as there are streams, and this process as a server, so that everything a frame needs is done."""
    sitters = tuple(Sitter(f"stream {i + 1}", "", i, 16) for i in range(streams))
    return Scene(
        "calibration", monotonic_ns(), index=1, runs=2, sitters=sitters, servers=(Watched("self", os.getpid()),)
    )


async def measure(arm: str, streams: int, rounds: int, cpus: tuple[int, ...] | None, display: Display) -> Arm:
    """One calibration of an arm; the display exists in all of them, and sleeps unless something is drawn."""
    process = psutil.Process(display.pid)
    board: Board | None = None if arm == WITHOUT else display.board
    if arm == DRAWN:
        display.show(scene_of(streams))
    before, began_ns = process.cpu_times(), monotonic_ns()
    run = await run_calibration(streams, rounds, cpus, board)
    after, ended_ns = process.cpu_times(), monotonic_ns()
    display.hide()
    used_s = after.user + after.system - before.user - before.system
    return Arm([run], used_s, (ended_ns - began_ns) / 1e9)


def joined(parts: Sequence[Arm]) -> Arm:
    """The rounds of an arm together."""
    return Arm(
        [run for part in parts for run in part.runs], sum(p.drawn_s for p in parts), sum(p.took_s for p in parts)
    )
