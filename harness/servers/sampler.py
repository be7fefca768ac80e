"""Samples what servers and GPUs use: a process of its own, of the lowest priority, that imports next to nothing.

Run as ``python -m harness.servers.sampler --parent PID --interval S``; :class:`harness.measure.sampling.ResourceWatch`
does. It reads commands from its standard input, a line each, and writes answers to its standard output, each ended by
an empty line (the first says that it is ready):

* ``start 12 34`` takes a sample of these process trees and of all GPUs, answers with nothing, and goes on sampling at
  the interval. What was sampled before is forgotten.
* ``end`` takes a last sample and answers with all of them, each a :class:`Sample` in a line of JSON.

Between ``end`` and ``start`` it sleeps. Meanwhile samples stay in its memory: nothing is written, and nobody has to
read or parse anything, until a run is over. It ends with its input, which the kernel closes when the parent ends,
kill -9 included; should somebody else hold it open too (a child of the parent does after a fork), it sees within a
second that it has another parent.

A sample of two embedded servers (10 threads each) takes 0.5 ms of CPU time where it was measured, idle or decoding, on
two cores without a GPU: 0.2 % of a core at four samples a second. Asleep it uses 0.1 ms a second. What the driver's
answers add on a GPU was not measured; the study ``sampling`` shows what all of it costs a scenario.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from harness.servers.nvml import Gpu, Nvml, open_nvml
from harness.servers.trees import ProcessTree, TreeUse

START, END = "start", "end"
_NICENESS = 19
_PARENT_POLL_S = 1.0
_COMMAND_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one instant.

    Attributes:
        at_ns: Just before it was looked, on the clock of all measurements (``time.perf_counter_ns``), ns.
        trees: One each of the roots that were asked for, in their order; None for one that has ended.
        gpus: One each that the driver tells of.
    """

    at_ns: int
    trees: tuple[TreeUse | None, ...]
    gpus: tuple[Gpu, ...]


class Sampler:
    """Does what it is told, until its input ends or its parent does."""

    def __init__(self, commands: int, answers: int, interval_s: float, parent: int, nvml: Nvml | None) -> None:
        """Nothing happens before :meth:`run`.

        Args:
            commands: File descriptor that commands come from.
            answers: File descriptor that takes the answers.
            interval_s: From sample to sample, s.
            parent: Process that it ends with.
            nvml: Tells of the GPUs.
        """
        self._commands = commands
        self._answers = answers
        self._interval_s = interval_s
        self._parent = parent
        self._nvml = nvml
        self._trees: list[ProcessTree] = []
        self._samples: list[Sample] = []
        self._due_s: float | None = None

    def run(self) -> None:
        """Returns when its input has ended, or its parent has."""
        unread = b""
        self._answer([])
        while os.getppid() == self._parent:
            if self._has_command():
                read = os.read(self._commands, _COMMAND_BYTES)
                if not read:
                    return
                *lines, unread = (unread + read).split(b"\n")
                for line in lines:
                    self._obey(line.decode().split())
            elif self._due_s is not None and time.monotonic() >= self._due_s:
                self._sample()

    def _has_command(self) -> bool:
        left_s = _PARENT_POLL_S if self._due_s is None else max(0.0, self._due_s - time.monotonic())
        return bool(select.select([self._commands], [], [], min(left_s, _PARENT_POLL_S))[0])

    def _obey(self, words: Sequence[str]) -> None:
        if words[0] == START:
            self._trees = [ProcessTree(int(pid)) for pid in words[1:]]
            self._samples.clear()
            self._sample()
            self._answer([])
        else:
            self._sample()
            self._due_s = None
            self._answer(self._samples)
            self._samples.clear()

    def _sample(self) -> None:
        at_ns = time.perf_counter_ns()
        trees = tuple(tree.use() for tree in self._trees)
        self._samples.append(Sample(at_ns, trees, self._nvml.gpus() if self._nvml is not None else ()))
        self._due_s = time.monotonic() + self._interval_s

    def _answer(self, samples: Sequence[Sample]) -> None:
        left = memoryview(b"".join(msgspec.json.encode(each) + b"\n" for each in samples) + b"\n")
        while left:
            left = left[os.write(self._answers, left) :]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--interval", type=float, required=True)
    arguments = parser.parse_args()
    with suppress(OSError, AttributeError):  # a sandbox, or a system, without niceness
        os.nice(_NICENESS)
    with open_nvml() as nvml, suppress(ConnectionError):  # nobody listens any more
        Sampler(sys.stdin.fileno(), sys.stdout.fileno(), arguments.interval, arguments.parent, nvml).run()


if __name__ == "__main__":
    main()
