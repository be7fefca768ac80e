"""The sampler as a process: what it answers, that it sleeps when it is not asked, and that it ends with its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil
import pytest

from harness.servers.sampler import END, START, Sample
from tests.servers.burning import STEP_S, burner, parent_of, wait_for
from tests.servers.children import PYTHON, eventually, lives, running
from tests.servers.driver import FULL, install

MODULE = (sys.executable, "-m", "harness.servers.sampler")
TICK_S = 0.01


class Asked:
    """A sampler, and what it answers."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Waits until it is ready."""
        self.process = process
        assert self._answer() == []

    def ask(self, *words: object) -> list[Sample]:
        """The samples that it answers a command with."""
        assert self.process.stdin is not None
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[Sample]:
        assert self.process.stdout is not None
        lines = list(iter(self.process.stdout.readline, b"\n"))
        assert b"" not in lines[-1:], "it has ended"
        return [msgspec.json.decode(line, type=Sample) for line in lines]


@contextmanager
def _sampler(interval_s: float = 0.01) -> Iterator[Asked]:
    command = (*MODULE, "--parent", str(os.getpid()), "--interval", str(interval_s))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Asked(process)
        finally:
            process.kill()


def test_samples_lie_between_start_and_end_on_the_clock_of_all_measurements() -> None:
    """The first is taken before the start is answered, the last after the end is asked for; in the order of time."""
    with _sampler() as sampler, running(burner()) as process:
        asked_ns = time.perf_counter_ns()
        assert sampler.ask(START, process.pid) == []
        started_ns = time.perf_counter_ns()
        wait_for(process, 2)
        ended_ns = time.perf_counter_ns()
        samples = sampler.ask(END)
    stamps = [sample.at_ns for sample in samples]
    assert asked_ns <= stamps[0] <= started_ns
    assert ended_ns <= stamps[-1] <= time.perf_counter_ns()
    assert stamps == sorted(stamps)


def test_a_child_that_burns_is_in_its_parents_tree() -> None:
    """Each tree on its own, in the order in which they were asked for; of one that is gone nothing is told."""
    with _sampler() as sampler, running(parent_of(burner())) as family, running() as idle:
        wait_for(family)
        with running() as gone:
            pass
        sampler.ask(START, family.pid, gone.pid, idle.pid)
        wait_for(family, 4)
        samples = sampler.ask(END)
    (busy, nobody, resting), (first_busy, _, first_resting) = samples[-1].trees, samples[0].trees
    assert nobody is None
    assert busy is not None
    assert first_busy is not None
    assert resting is not None
    assert first_resting is not None
    assert busy.cpu_s - first_busy.cpu_s >= 3 * STEP_S - TICK_S
    assert resting.cpu_s - first_resting.cpu_s <= TICK_S
    assert (len(busy.pids), resting.pids) == (2, (idle.pid,))
    assert busy.rss_bytes > resting.rss_bytes > 0


def test_it_samples_on_its_own_until_it_is_told_to_end() -> None:
    """More than the two samples that are asked for; afterwards it sleeps, however long it takes."""
    with _sampler() as sampler, running(burner()) as process:

        def sampled() -> bool:
            sampler.ask(START, process.pid)
            wait_for(process)
            return len(sampler.ask(END)) > 3

        eventually(sampled)
        wait_for(process, 3)
        assert len(sampler.ask(END)) == 1


def test_a_start_forgets_what_was_sampled_before() -> None:
    """A run whose end was never asked for is not part of the next one."""
    with _sampler() as sampler, running(burner()) as process:
        sampler.ask(START, process.pid)
        wait_for(process, 2)
        again_ns = time.perf_counter_ns()
        sampler.ask(START)
        samples = sampler.ask(END)
    assert samples[0].at_ns >= again_ns
    assert {sample.trees for sample in samples} == {()}


def test_every_sample_has_the_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a fake driver on its path; what is not supported is None, and the driver is kept open."""
    bare = {name: FULL[name] for name in ("handle", "name", "used", "total")}
    install(monkeypatch, tmp_path, [FULL, bare | {"uuid": "GPU-2"}])
    with _sampler() as sampler:
        sampler.ask(START)
        samples = sampler.ask(END)
    assert len(samples) >= 2
    for sample in samples:
        first, second = sample.gpus
        assert (first.uuid, first.power_w, first.energy_j) == ("GPU-1", 310.5, 5000.25)
        assert (second.uuid, second.power_w, second.energy_j, second.used) == ("GPU-2", None, None, FULL["used"])


def test_it_has_the_lowest_priority() -> None:
    """The servers that are measured come first."""
    with _sampler() as sampler:
        assert psutil.Process(sampler.process.pid).nice() == 19


def test_it_imports_next_to_nothing() -> None:
    """Neither the HTTP client nor numpy: they take ten times as long to load, and three times the memory."""
    heavy = {"httpx", "numpy", "asyncio", "harness.measure"}
    code = f"import sys, harness.servers.sampler; print(*{heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == []


def test_it_ends_with_its_input() -> None:
    """Without an error: that is how its parent's end looks."""
    with _sampler() as sampler:
        sampler.ask(START)
        assert sampler.process.stdin is not None
        sampler.process.stdin.close()
        assert sampler.process.wait(20) == 0


@pytest.mark.parametrize("held", [False, True])
def test_it_ends_when_its_parent_is_killed(held: bool, tmp_path: Path) -> None:
    """kill -9, in the middle of a run; also if another child of the parent keeps its input open."""
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [*{MODULE!r}, '--parent', str(os.getpid()), '--interval', '0.01']\n"
        "sampler = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "sampler.stdout.readline()\n"
        f"sampler.stdin.write(b'{START} ' + str(os.getpid()).encode() + b'\\n')\n"
        "sampler.stdin.flush()\n"
        "sampler.stdout.readline()\n"
        f"other = subprocess.Popen([*{PYTHON!r}, '-c', 'import time; time.sleep(60)'], "
        f"pass_fds=[sampler.stdin.fileno(), sampler.stdout.fileno()] if {held} else ())\n"
        "print(sampler.pid, other.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        sampler, other = map(int, parent.stdout.readline().split())
        assert lives(sampler)
        parent.kill()
    try:
        eventually(lambda: not lives(sampler))
    finally:
        psutil.Process(other).kill()
