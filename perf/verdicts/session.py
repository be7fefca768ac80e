"""One run of the benchmark: record, judge the same recordings by every judge, write."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.measure import measuring_loops
from harness.records.errors import HarnessError
from harness.report import write_file
from harness.scenarios import DEFAULT_MAX_RUNS
from harness.servers.host import usable_cores
from perf.verdicts.embedded import record_embedded
from perf.verdicts.outcomes import judge_recording
from perf.verdicts.recordings import new_folder, read_recordings
from perf.verdicts.rows import Row, count_rows
from perf.verdicts.scatter import Dial, Differences, dials, process_differences
from perf.verdicts.table import dials_text, differences_text, rows_text
from perf.verdicts.worlds import CHANGES, EMBEDDED, PACED, Job, plan_jobs

FORMAT = 1
"""Version of ``verdicts.json``."""
LANES_PER_CORE = 5

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to record.

    Attributes:
        sessions: A/A sessions of each paced world.
        injected: Sessions of each paced world and change.
        embedded: A/A sessions on the embedded engine.
        pairs: Pairs of blocks in each paced session, and at most so many in an embedded one.
        fewest_pairs: Pairs in each embedded session at least.
        num_predict: Tokens of each embedded request.
        lanes: Paced sessions at the same time.
        seed: Of everything dialled in.
    """

    sessions: int = 100
    injected: int = 40
    embedded: int = 10
    pairs: int = DEFAULT_MAX_RUNS
    fewest_pairs: int = 10
    num_predict: int = 8
    lanes: int = LANES_PER_CORE * usable_cores()
    seed: int = 0

    def paced_jobs(self) -> list[Job]:
        """The sessions of paced worlds, in the order of recording."""
        counts = {(world, change): self.injected if change else self.sessions for world in PACED for change in CHANGES}
        return plan_jobs(self.seed, self.pairs, counts)

    def embedded_jobs(self) -> list[Job]:
        """The sessions on the embedded engine."""
        return plan_jobs(self.seed, self.pairs, {(EMBEDDED, 0): self.embedded})


@dataclass(frozen=True, slots=True)
class Result:
    """What was found.

    Attributes:
        format: Version of this format.
        rows: What each judge said.
        dials: Noise and change of the paced worlds, as dialled in and as recorded.
        differences: How much processes of one program differ.
    """

    format: int
    rows: list[Row]
    dials: list[Dial]
    differences: list[Differences]

    def text(self) -> str:
        """The tables for a terminal."""
        parts = (rows_text(self.rows), dials_text(self.dials), differences_text(self.differences))
        return "\n".join(part for part in parts if part)


def to_stderr(line: str) -> None:
    """Tells the person who waits."""
    sys.stderr.write(f"{line}\n")


def record(request: Request, out: Path, say: Say) -> None:
    """Records everything into ``out``; nothing is left running.

    Raises:
        HarnessError: If there are recordings already, or something could not be recorded.
    """
    folder = new_folder(out)
    paced, embedded = request.paced_jobs(), request.embedded_jobs()
    if paced:
        say(f"recording {len(paced)} paced sessions of {request.pairs} pairs, {request.lanes} at a time")
        _record_lanes([paced[lane :: request.lanes] for lane in range(min(request.lanes, len(paced)))], folder)
    if embedded:
        say(f"recording {len(embedded)} embedded sessions of {request.fewest_pairs} to {request.pairs} pairs")
        with asyncio.Runner(loop_factory=next(iter(measuring_loops().values()))) as runner:
            runner.run(
                record_embedded(
                    embedded, folder, num_predict=request.num_predict, fewest_pairs=request.fewest_pairs, say=say
                )
            )


def _record_lanes(lanes: Sequence[Sequence[Job]], folder: Path) -> None:
    command = [sys.executable, "-m", "perf.verdicts.lane", str(folder.resolve())]
    root = Path(__file__).parents[2]
    with ExitStack() as stack:
        processes = []
        for jobs in lanes:
            listed = stack.enter_context(tempfile.TemporaryFile())
            listed.write(msgspec.json.encode(jobs))
            listed.seek(0)
            processes.append(stack.enter_context(subprocess.Popen(command, cwd=root, stdin=listed)))
            stack.callback(processes[-1].terminate)  # its servers end with it
        failed = [process for process in processes if process.wait() != 0]
        if failed:
            raise HarnessError("a lane could not record its sessions; its reason stands above")


def judge_all(out: Path) -> Result:
    """Judges the recordings in ``out``.

    Raises:
        HarnessError: If there are none, or one cannot be read.
    """
    outcomes = [judge_recording(recording) for recording in read_recordings(out)]
    return Result(FORMAT, count_rows(outcomes), dials(outcomes), process_differences(outcomes))


def write_result(result: Result, out: Path) -> str:
    """Writes ``verdicts.json`` and ``verdicts.txt``; says what it wrote.

    Raises:
        HarnessError: If a file cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(result), indent=1).decode()
    write_file(out / "verdicts.json", text + "\n")
    write_file(out / "verdicts.txt", result.text())
    return f"wrote verdicts.json and verdicts.txt in {out}"
