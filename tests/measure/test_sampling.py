"""Resources of real runs, by the real sampler: what is measured is right, and whatever happens to it costs no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.measure import monotonic_ns
from harness.measure import sampling as sampling_module
from harness.measure.sampling import ResourceSpan, ResourceWatch
from harness.records.resources import Resources, ServerUse
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.host import usable_cpus
from harness.servers.occupancy import LocalServer, cpu_seconds
from harness.servers.truth import TruthServer
from tests.servers.burning import burner, parent_of, wait_for
from tests.servers.children import eventually, lives, running
from tests.servers.driver import FULL, GIB, install
from tests.servers.embedded.conftest import started

URL, OTHER = "http://127.0.0.1:1", "http://127.0.0.1:2"
TICKS_S = 0.03
STEPS = 7  # of 0.1 s each: longer than the shortest run of which cores are told
S = 1e9


def _local(pid: int | None, url: str = URL) -> LocalServer:
    return LocalServer(url, pid, usable_cpus())


def _seconds(pids: list[int]) -> float:
    times = [cpu_seconds(pid) for pid in pids]
    assert None not in times
    return sum(each for each in times if each is not None)


def _sampled(watch: ResourceWatch, work: Callable[[], object]) -> Resources | None:
    span = watch.start_span()
    started_ns = monotonic_ns()
    work()
    return span.resources(started_ns, monotonic_ns())


def _told(watch: ResourceWatch, work: Callable[[], object]) -> Resources:
    found = _sampled(watch, work)
    assert found is not None
    return found


@pytest.fixture
def burning() -> Iterator[subprocess.Popen[bytes]]:
    """A server whose child burns."""
    with running(parent_of(burner())) as family:
        wait_for(family)
        yield family


def test_cores_are_those_that_the_tree_has_used(burning: subprocess.Popen[bytes]) -> None:
    """Not less than what its CPU time grew by within the run, not more than what it grew by around it."""
    pids = [burning.pid, *(child.pid for child in psutil.Process(burning.pid).children())]
    with ResourceWatch([_local(burning.pid)]) as watch:
        around_s = -_seconds(pids)
        span = watch.start_span()
        started_ns, within_s = monotonic_ns(), -_seconds(pids)
        wait_for(burning, STEPS)
        within_s += _seconds(pids)
        finished_ns = monotonic_ns()
        found = span.resources(started_ns, finished_ns)
        around_s += _seconds(pids)
    assert found is not None
    (server,) = found.servers
    assert server.url == URL
    assert server.cpu_cores is not None
    used_s = server.cpu_cores * (finished_ns - started_ns) / S
    assert within_s - TICKS_S <= used_s <= around_s + TICKS_S
    assert found.samples >= 2


def test_an_embedded_server_is_sampled_while_it_decodes(tmp_path: Path) -> None:
    """A real server in a process of its own: its decoding keeps cores busy, its model is in its memory."""
    with started(tmp_path / "cache", tmp_path / "log") as server, ResourceWatch([_local(server.process.pid)]) as watch:
        with server.stream() as lines:
            next(lines)
            span = watch.start_span()
            started_ns, before_s = monotonic_ns(), _seconds([server.process.pid])
            while monotonic_ns() - started_ns < S:
                next(lines)
            used_s = _seconds([server.process.pid]) - before_s
            finished_ns = monotonic_ns()
            found = span.resources(started_ns, finished_ns)
        resident = psutil.Process(server.process.pid).memory_info().rss
    assert found is not None
    (use,) = found.servers
    assert use.cpu_cores is not None
    assert use.rss_bytes is not None
    assert use.cpu_cores * (finished_ns - started_ns) / S >= used_s - TICKS_S
    assert use.cpu_cores > 0
    assert use.rss_bytes == pytest.approx(resident, rel=0.2)


def test_servers_of_a_session_are_found_by_themselves(truth_server: TruthServer) -> None:
    """One process behind two URLs is told once, or its memory would count twice."""
    servers = [Server(url, "connect", OllamaApi(url)) for url in truth_server.urls]
    with ResourceWatch.start(servers) as watch:
        found = _told(watch, lambda: None)
    (use,) = found.servers
    assert use.url == truth_server.urls[0]
    assert use.rss_bytes is not None


def test_a_run_is_about_the_servers_that_are_asked_for(burning: subprocess.Popen[bytes]) -> None:
    """All of them, unless URLs are given; of one whose process is not known nothing is told."""
    with ResourceWatch([_local(burning.pid), _local(None, OTHER)]) as watch:
        every = _told(watch, lambda: None)
        span = watch.start_span([OTHER])
        one = span.resources(monotonic_ns(), monotonic_ns())
    assert [server.url for server in every.servers] == [URL, OTHER]
    assert every.servers[0].rss_bytes is not None
    assert one is not None
    assert one.servers == (ServerUse(OTHER, None, None),)


def test_without_servers_here_nothing_is_sampled() -> None:
    """Servers on other hosts are not on this one's CPUs and GPUs: no process is started."""
    with ResourceWatch.start([Server("http://192.0.2.1:1", "connect", OllamaApi("http://192.0.2.1:1"))]) as watch:
        assert watch.pid is None
        assert _sampled(watch, lambda: None) is None


def test_energy_is_that_of_the_run_by_counter_and_by_power(
    burning: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two GPUs of 250 W and 80 W: one counts its energy, the other only tells its power; what is the run's counts."""
    counting = FULL | {
        "energy_mj": {"at_zero": 5000, "per_s": 250_000},
        "power_mw": {"error": "NotSupported"},
        "compute": [[burning.pid, 3 * GIB], [1, GIB]],
    }
    plain = FULL | {"uuid": "GPU-2", "power_mw": 80_000, "energy_mj": {"error": "NotSupported"}, "compute": []}
    install(monkeypatch, tmp_path, [counting, plain])
    with ResourceWatch([_local(burning.pid)]) as watch:
        asked_ns = monotonic_ns()
        span = watch.start_span()
        started_ns = monotonic_ns()
        wait_for(burning, STEPS)
        finished_ns = monotonic_ns()
        found = span.resources(started_ns, finished_ns)
        answered_ns = monotonic_ns()
    assert found is not None
    first, second = found.gpus
    length_s = (finished_ns - started_ns) / S
    # A reading is up to as much later than its stamp as its command took to be answered.
    slack_s = (answered_ns - finished_ns + started_ns - asked_ns) / S
    assert first.energy_j == pytest.approx(250 * length_s, abs=250 * slack_s + 0.01)
    assert second.energy_j == pytest.approx(80 * length_s)
    assert second.power_w == pytest.approx(80)
    assert (first.servers, second.servers) == ((URL,), ())
    assert found.servers[0].gpu_memory_bytes == 3 * GIB
    assert (first.throttle, first.memory_bytes) == (("power cap",), 20 * GIB)
    assert first.utilization_pct == pytest.approx(93)


def test_a_gpu_that_is_lost_in_mid_run_has_no_energy(
    burning: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What it had used until then is not the run's; servers are told as before."""
    driver = install(monkeypatch, tmp_path, [FULL])
    with ResourceWatch([_local(burning.pid)]) as watch:

        def lose_it() -> None:
            driver.tell({figure: {"error": "GpuIsLost"} for figure in FULL})
            wait_for(burning, STEPS)

        found = _told(watch, lose_it)
    (gpu,) = found.gpus
    assert (gpu.uuid, gpu.energy_j, gpu.power_w, gpu.utilization_pct) == ("GPU-1", None, None, None)
    assert gpu.memory_bytes == 20 * GIB
    assert found.servers[0].cpu_cores is not None


def test_a_server_that_dies_in_mid_run_is_no_error(burning: subprocess.Popen[bytes]) -> None:
    """Its cores are not told; the memory that it had is. The next run goes on without it."""

    def die() -> None:
        burning.kill()
        burning.wait()

    with ResourceWatch([_local(burning.pid)], interval_s=0.01) as watch:
        found = _told(watch, die)
        after = _told(watch, lambda: None)
    assert found.servers[0].cpu_cores is None
    assert found.servers[0].rss_bytes is not None
    assert after.servers == (ServerUse(URL, None, None),)


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_dead_sampler_gives_none(when: str, burning: subprocess.Popen[bytes]) -> None:
    """No exception, no hang, and none of the later runs has resources either."""
    with ResourceWatch([_local(burning.pid)]) as watch:
        assert watch.pid is not None
        sampler = watch.pid

        def kill() -> None:
            os.kill(sampler, signal.SIGKILL)
            eventually(lambda: not lives(sampler))

        if when == "before":
            kill()
        assert _sampled(watch, kill if when == "during" else lambda: None) is None
        assert _sampled(watch, lambda: None) is None


def test_a_sampler_that_does_not_answer_is_ended(
    burning: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that hangs costs one wait, and no more."""
    monkeypatch.setattr(sampling_module, "_ANSWER_S", 0.05)
    with ResourceWatch([_local(burning.pid)]) as watch:
        assert watch.pid is not None
        os.kill(watch.pid, signal.SIGSTOP)
        assert _sampled(watch, lambda: None) is None
        assert not lives(watch.pid)
        monkeypatch.setattr(sampling_module, "_ANSWER_S", 3600.0)
        assert _sampled(watch, lambda: None) is None


def test_a_sampler_that_cannot_be_started_gives_none(
    burning: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process, or one that ends at once: measuring goes on without resources."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/does/not/exist")
        with ResourceWatch([_local(burning.pid)]) as watch:
            assert _sampled(watch, lambda: None) is None
    monkeypatch.setattr(sampling_module, "_MODULE", "harness.no_such_module")
    with ResourceWatch([_local(burning.pid)]) as watch:
        assert _sampled(watch, lambda: None) is None


def test_a_span_that_was_left_open_tells_nothing_of_the_next_run(burning: subprocess.Popen[bytes]) -> None:
    """A run that was interrupted never asks; if it did, it would get None and take nothing from the run under way."""
    with ResourceWatch([_local(burning.pid)]) as watch:
        left: ResourceSpan = watch.start_span()
        span = watch.start_span()
        started_ns = monotonic_ns()
        assert left.resources(started_ns, started_ns) is None
        wait_for(burning, STEPS)
        found = span.resources(started_ns, monotonic_ns())
        assert span.resources(started_ns, monotonic_ns()) is None
    assert found is not None
    assert found.servers[0].cpu_cores is not None


def test_the_sampler_is_gone_when_the_watch_is_closed(burning: subprocess.Popen[bytes]) -> None:
    """At once, in the middle of a span too; closing twice is fine, and spans after it are empty."""
    watch = ResourceWatch([_local(burning.pid)])
    span = watch.start_span()
    assert watch.pid is not None
    watch.close()
    assert not lives(watch.pid)
    watch.close()
    assert span.resources(0, 1) is None
    assert _sampled(watch, lambda: None) is None


def test_the_sampler_ends_when_this_process_is_killed(tmp_path: Path) -> None:
    """kill -9 of the measuring process in mid-run leaves nothing behind."""
    code = (
        "import os, time\n"
        "from harness.measure.sampling import ResourceWatch\n"
        "from harness.servers.occupancy import LocalServer\n"
        f"watch = ResourceWatch([LocalServer({URL!r}, os.getpid(), frozenset())])\n"
        "span = watch.start_span()\n"
        "print(watch.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as measuring:
        assert measuring.stdout is not None
        sampler = int(measuring.stdout.readline())
        assert lives(sampler)
        measuring.kill()
    eventually(lambda: not lives(sampler))
