"""What goes on around a measurement: busy strangers are told from us, and models that move are seen; all of it real."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from harness.judge.instrument import disturbances
from harness.measure import AgentPlan, Coordinator, ScenarioPlan, measure_block, measuring_client, monotonic_ns, nonces
from harness.measure import host as host_module
from harness.measure.host import HostSpan, HostWatch, Lookout, Surroundings
from harness.records import Block, HostLoad, ModelMemory
from harness.records.errors import ServerError
from harness.scenarios import Ask, InstrumentLimits
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.host import usable_cpus
from harness.servers.occupancy import CpuTimes, LocalServer
from harness.servers.trees import tree
from harness.servers.truth import Behaviour, DeviceSpec, ModelSpec, Timing, TruthConfig, TruthServer
from tests.measure.servers import within
from tests.servers.burning import STEP_S, burner, parent_of, wait_for
from tests.servers.children import dead_owner, running

URL, ELSEWHERE = "http://127.0.0.1:1", "http://192.0.2.1:1"
ONE_CPU = min(usable_cpus())
STEPS = 7
BURNT_S = (STEPS - 1) * STEP_S  # the first step may have begun before the span
NEAR_S = 0.15  # steps of 10 ms, and a CPU's idle time is told later than it passes
pinned_only = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="nothing can be pinned")


def _server(pid: int | None, cpus: frozenset[int] = frozenset({ONE_CPU}), url: str = URL) -> LocalServer:
    return LocalServer(url, pid, cpus)


@dataclass
class Seen:
    """A span that has ended: its load, and its length, s."""

    load: HostLoad | None
    wall_s: float

    @property
    def foreign_s(self) -> float:
        """CPU time of others."""
        assert self.load is not None
        assert self.load.foreign_cores is not None
        return self.load.foreign_cores * self.wall_s

    @property
    def idle_s(self) -> float:
        """CPU time of nobody."""
        assert self.load is not None
        return self.load.idle_cores * self.wall_s

    @property
    def ours_s(self) -> float:
        """The rest."""
        assert self.load is not None
        return len(self.load.cpus) * self.wall_s - self.foreign_s - self.idle_s


def _watched(work: Callable[[], object], *watches: HostWatch) -> list[Seen]:
    """The same stretch of time as several watches see it."""
    spans: list[HostSpan] = [watch.start([URL]) for watch in watches]
    started_ns = monotonic_ns()
    work()
    wall_s = (monotonic_ns() - started_ns) / 1e9
    return [Seen(span.load(), wall_s) for span in spans]


@pinned_only
def test_a_stranger_on_our_cpus_is_foreign() -> None:
    """What it burns while it is watched is the least that is seen; whoever else is busy adds to it."""
    with running(burner(ONE_CPU)) as stranger, running() as ours:
        wait_for(stranger)
        (seen,) = _watched(lambda: wait_for(stranger, STEPS), HostWatch((_server(ours.pid),)))
    assert seen.load is not None
    assert seen.load.cpus == (ONE_CPU,)
    assert seen.foreign_s > BURNT_S - NEAR_S


@pinned_only
def test_what_a_servers_child_of_a_child_burns_is_ours() -> None:
    """Two watches of the same time differ by what the family has used: one knows it, one does not."""
    family = parent_of(parent_of(burner(ONE_CPU)))
    with running(family) as server, running() as idle:
        wait_for(server)
        watches = (HostWatch((_server(server.pid),)), HostWatch((_server(idle.pid),)))
        knows, does_not = _watched(lambda: wait_for(server, STEPS), *watches)
    assert does_not.foreign_s - knows.foreign_s > BURNT_S - NEAR_S
    assert knows.ours_s > BURNT_S - NEAR_S


@pinned_only
def test_a_child_that_is_born_and_has_ended_meanwhile_was_ours() -> None:
    """A runner that was loaded and unloaded within a run: its server has waited for it."""
    code = parent_of(burner(ONE_CPU).replace("600", str(STEPS)))
    started = f"import sys; sys.stdin.readline()\n{code}"
    with subprocess.Popen([sys.executable, "-c", started], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None

        def life_of_a_child() -> None:
            assert server.stdin is not None
            server.stdin.write(b"\n")
            server.stdin.flush()
            wait_for(server, STEPS + 1)

        (seen,) = _watched(life_of_a_child, HostWatch((_server(server.pid),)))
        server.kill()
    assert seen.ours_s > BURNT_S - NEAR_S


@pinned_only
def test_a_child_that_loses_its_parent_meanwhile_stays_ours() -> None:
    """Its CPU time is not handed to strangers because nobody is above it any more."""
    child = f"child = subprocess.Popen([sys.executable, '-S', '-E', '-c', {burner(ONE_CPU)!r}])"
    middle = f"import subprocess, sys; {child}; sys.stdin.readline()"
    code = f"import subprocess, sys, time; subprocess.call([sys.executable, '-c', {middle!r}]); time.sleep(60)"
    with (
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server,
        running() as idle,
    ):
        wait_for(server)
        orphan = psutil.Process(server.pid).children(recursive=True)[-1]

        def orphan_it() -> None:
            assert server.stdin is not None
            server.stdin.close()
            wait_for(server, STEPS)

        knows, does_not = _watched(orphan_it, HostWatch((_server(server.pid),)), HostWatch((_server(idle.pid),)))
        assert orphan.pid not in tree(server.pid)
        orphan.kill()
        server.kill()
    assert does_not.foreign_s - knows.foreign_s > BURNT_S - NEAR_S


def test_this_process_is_ours_with_all_its_threads() -> None:
    """The measuring client's own CPU time is no stranger's."""

    def work() -> None:
        end = time.process_time() + BURNT_S
        while time.process_time() < end:
            pass

    (seen,) = _watched(work, HostWatch((_server(os.getpid(), usable_cpus()),)))
    assert seen.ours_s == pytest.approx(BURNT_S, abs=NEAR_S)


@pytest.fixture
def half_a_second() -> Iterator[Callable[[], None]]:
    """Something that takes as long as the shortest span of which anything is said, and a little longer."""
    with running(burner()) as process:
        yield lambda: wait_for(process, STEPS)


def test_of_a_short_run_nothing_is_said(half_a_second: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The system counts in steps of 10 ms, which are much of a short time."""
    assert HostWatch().start([URL]).load() is None
    monkeypatch.setattr(host_module, "SHORTEST_S", 3600.0)
    (seen,) = _watched(half_a_second, HostWatch())
    assert seen.load is None


def test_without_servers_here_the_cpus_are_this_processs(half_a_second: Callable[[], None]) -> None:
    """The CPUs of servers elsewhere are not ours to watch."""
    elsewhere = HostWatch((_server(None, frozenset({99_999})),))
    span = elsewhere.start([ELSEWHERE])
    half_a_second()
    load = span.load()
    assert load is not None
    assert load.cpus == tuple(sorted(usable_cpus()))
    assert load.foreign_cores is not None  # the server of which nothing is known is on other CPUs


def test_each_run_is_about_the_cpus_of_its_own_servers(half_a_second: Callable[[], None]) -> None:
    """The idle CPUs of the server that rests do not hide a stranger on those of the server that works."""
    with running() as one, running() as two:
        servers = (_server(one.pid), _server(two.pid, frozenset({ONE_CPU, 99_999}), ELSEWHERE))
        spans = HostWatch(servers).start([URL]), HostWatch(servers).start([URL, ELSEWHERE])
        half_a_second()
        alone, together = (span.load() for span in spans)
    assert alone is not None
    assert alone.cpus == (ONE_CPU,)
    assert together is None  # the system tells nothing of CPU 99999


def test_a_server_whose_process_is_not_known_hides_the_strangers(half_a_second: Callable[[], None]) -> None:
    """Foreign CPU time cannot be told from its own: None, and its URL is named; idle is idle."""
    watch = HostWatch((_server(None),))
    (seen,) = _watched(half_a_second, watch)
    assert seen.load is not None
    assert seen.load.foreign_cores is None
    assert seen.load.idle_cores >= 0
    assert watch.untold == (URL,)


def test_a_server_that_has_ended_takes_its_cpu_time_with_it(half_a_second: Callable[[], None]) -> None:
    """Then nothing is said of strangers; the block's own error says what happened."""
    pid, _ = dead_owner()
    (seen,) = _watched(half_a_second, HostWatch((_server(pid),)))
    assert seen.load is not None
    assert seen.load.foreign_cores is None


def test_a_system_that_counts_nothing_says_nothing(
    half_a_second: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some sandboxes show counters that stand still; that is neither busy nor idle."""
    monkeypatch.setattr(host_module, "cpu_times", lambda _cpus: CpuTimes(0.0, 0.0))
    (seen,) = _watched(half_a_second, HostWatch())
    assert seen.load is None


GIB = 2**30
MODELS = (ModelSpec("truth:latest", GIB), ModelSpec("other:latest", GIB))
BEHAVIOUR = Behaviour(ttft=Timing(ms=1.0), gaps=Timing(ms=1.0), tokens=3)


def _config(memory_gib: float) -> TruthConfig:
    return TruthConfig(behaviour=BEHAVIOUR, device=DeviceSpec(memory_bytes=int(memory_gib * GIB)), models=MODELS)


@dataclass
class Bench:
    """Blocks over the ground-truth server's two ports, looked around after."""

    server: TruthServer
    servers: tuple[Server, ...]
    lookout: Lookout
    coordinator: Coordinator
    plan: ScenarioPlan

    async def block(self, index: int) -> Block:
        """Measures one."""
        return await within(measure_block(self.plan, index, self.coordinator, lambda _block: None, self.lookout.look))


async def _ask(ask: Ask) -> None:
    await ask("only", "hello")


@asynccontextmanager
async def _bench(server: TruthServer, memory_gib: float = 2.0) -> AsyncIterator[Bench]:
    server.configure(_config(memory_gib))
    async with AsyncExitStack() as stack:
        servers = tuple(Server(url, "connect", OllamaApi(url)) for url in server.urls)
        for each in servers:
            stack.push_async_callback(each.api.close)
        clients = {url: await stack.enter_async_context(measuring_client(url)) for url in server.urls}
        watch = HostWatch.of(servers)
        agents = tuple(AgentPlan(role, "ask", url, "truth") for role, url in zip("AB", server.urls, strict=True))
        yield Bench(
            server,
            servers,
            Lookout(servers, watch),
            Coordinator(clients, {"ask": _ask}, nonces(), host=watch),
            ScenarioPlan("pair", agents, runs=2, seed=1, max_concurrent=2, deadline_s=60.0),
        )


def _whole(server: TruthServer) -> tuple[ModelMemory, ...]:
    return tuple(ModelMemory(url, "truth", GIB, GIB) for url in server.urls)


def _reasons(block: Block, before: Block) -> tuple[str, ...]:
    lax = replace(InstrumentLimits(), loop_lag_ms=1e9, ttft_ms=1e9, foreign_cores=1e9)
    return disturbances(block, lax, before.memory)


@pytest.mark.asyncio
async def test_a_block_says_where_its_models_are(truth_server: TruthServer) -> None:
    """One entry a server, as long as both fit; nothing is wrong with the next block then."""
    async with _bench(truth_server) as bench:
        first, second = await bench.block(0), await bench.block(1)
    assert first.memory == second.memory == _whole(truth_server)
    assert _reasons(second, first) == ()


@pytest.mark.asyncio
async def test_a_model_that_lost_its_place_makes_its_block_invalid(truth_server: TruthServer) -> None:
    """Driven out and loaded again where only half of it fits: the reason has server and sizes."""
    async with _bench(truth_server) as bench:
        first = await bench.block(0)
        truth_server.reset(_config(1.5))
        await bench.servers[1].api.load("truth", {})
        second = await bench.block(1)
    assert second.error is None
    assert second.memory[0] == ModelMemory(truth_server.urls[0], "truth", GIB, GIB // 2)
    (reason,) = _reasons(second, first)
    assert f"truth moved out of GPU memory on {truth_server.urls[0]}: 512 of 1024 MiB, 1024 of 1024" in reason


@pytest.mark.asyncio
async def test_a_model_that_another_client_drove_out_makes_its_block_invalid(truth_server: TruthServer) -> None:
    """Loading another model at the end of the last arm evicts ours, which had just answered."""
    async with _bench(truth_server) as bench:
        first = await bench.block(0)
        asked = 0

        async def ask_and_be_driven_out(ask: Ask) -> None:
            nonlocal asked
            await ask("only", "hello")
            asked += 1
            if asked == 4:  # both agents, alone and together
                await bench.servers[1].api.load("other", {})

        driven = replace(bench.coordinator, workflows={"ask": ask_and_be_driven_out})
        second = await within(measure_block(bench.plan, 1, driven, lambda _block: None, bench.lookout.look))
    assert second.memory[1] == ModelMemory(truth_server.urls[1], "truth", 0, 0)
    (reason,) = _reasons(second, first)
    assert f"truth is not loaded on {truth_server.urls[1]} any more" in reason


@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_is_left_out(truth_server: TruthServer) -> None:
    """The look never fails; what the other server says is kept."""

    async def dead(_model: str) -> None:
        raise ServerError("gone")

    async with _bench(truth_server) as bench:
        await bench.block(0)
        bench.servers[0].api.find_loaded = dead  # type: ignore[method-assign, assignment]
        seen = await bench.lookout.look(bench.plan.agents)
    assert seen == Surroundings(_whole(truth_server)[1:])


@pytest.mark.asyncio
async def test_a_server_that_hangs_is_not_waited_for(
    truth_server: TruthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the look goes on without it."""
    monkeypatch.setattr(host_module, "_LOOK_S", 0.0)

    async def hangs(_model: str) -> None:
        await asyncio.Event().wait()

    async with _bench(truth_server) as bench:
        for server in bench.servers:
            server.api.find_loaded = hangs  # type: ignore[method-assign, assignment]
        seen = await within(bench.lookout.look(bench.plan.agents))
    assert seen == Surroundings()


@contextmanager
def _driver(monkeypatch: pytest.MonkeyPatch, folder: Path, *, ours: int) -> Iterator[int]:
    """A driver that sees ours and a stranger, whose process id is given, on the same GPU."""
    with running() as stranger:
        rows = f"echo 'GPU-1, {ours}, 1024, ollama'; echo 'GPU-1, {stranger.pid}, 512, game'"
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{rows}\n", "utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        yield stranger.pid


@pytest.mark.asyncio
async def test_a_stranger_on_the_gpu_makes_its_block_invalid(
    truth_server: TruthServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is named with its process id and its memory."""
    with _driver(monkeypatch, tmp_path, ours=truth_server.pid) as stranger:
        async with _bench(truth_server) as bench:
            block = await bench.block(0)
    assert block.gpu_strangers == (f"game (pid {stranger}, 512 MiB)",)
    (reason,) = _reasons(block, block)
    assert f"other processes were on the servers' GPU: game (pid {stranger}, 512 MiB)" in reason


@pytest.mark.asyncio
async def test_the_driver_is_not_asked_for_a_model_on_the_cpu(
    truth_server: TruthServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A model with nothing in GPU memory has no neighbours there."""
    with _driver(monkeypatch, tmp_path, ours=truth_server.pid):
        async with _bench(truth_server, memory_gib=0) as bench:
            block = await bench.block(0)
    assert [each.size_vram for each in block.memory] == [0, 0]
    assert block.gpu_strangers == ()


@pytest.mark.asyncio
async def test_beside_a_server_whose_process_is_not_known_everybody_might_be_it(
    truth_server: TruthServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is called a stranger then."""
    with _driver(monkeypatch, tmp_path, ours=truth_server.pid):
        async with _bench(truth_server) as bench:
            await bench.block(0)
            known, other = bench.lookout.watch.servers
            watch = HostWatch((known, replace(other, pid=None)))
            seen = await replace(bench.lookout, watch=watch).look(bench.plan.agents)
    assert seen == Surroundings(_whole(truth_server))
