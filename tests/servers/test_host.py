"""What the host lets its servers use."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.errors import ConfigurationError
from harness.servers import host
from harness.servers.host import (
    allow_open_files,
    apart,
    is_local,
    quota_cores,
    threads_per_server,
    usable_cores,
    usable_cpus,
)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("max 100000\n", None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_containers_quota_is_whole_cores(text: str, cores: int | None) -> None:
    """Half a core is still one to work with; no limit is None."""
    assert quota_cores(text) == cores


@pytest.mark.parametrize(("quota", "cores"), [("100000 100000", 1), ("max 100000", 4), ("900000 100000", 4), (None, 4)])
def test_the_usable_cores_are_the_smaller_of_affinity_and_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str | None, cores: int
) -> None:
    """Four CPUs, whatever the quota allows beyond them; without a quota file they count alone."""
    path = tmp_path / "cpu.max"
    if quota is not None:
        path.write_text(quota, "ascii")
    monkeypatch.setattr(host, "_CGROUP_QUOTA", path)
    monkeypatch.setattr(host, "usable_cpus", lambda: frozenset(range(4)))
    assert usable_cores() == cores


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="affinity is not known on this system")
def test_the_usable_cpus_are_those_of_this_process() -> None:
    """A pinned process may not plan with CPUs that it does not have."""
    assert usable_cpus() == frozenset(psutil.Process().cpu_affinity() or ())


@pytest.mark.parametrize(
    ("servers", "cores", "pins", "threads"),
    [
        (2, 8, (), (4, 4)),
        (2, 3, (), (1, 1)),
        (2, 1, (), (1, 1)),
        (2, 8, ((0, 1, 2, 3), (4, 5)), (4, 2)),
        (2, 8, ((0,), (0,)), (1, 1)),
        (2, 8, ((0, 1), (0, 1)), (1, 1)),
        (2, 8, ((0, 1, 2, 3), (2, 3, 4, 5)), (2, 2)),
    ],
)
def test_threads_are_shared_out_by_cores_or_pins(
    servers: int, cores: int, pins: tuple[tuple[int, ...], ...], threads: tuple[int, ...]
) -> None:
    """Equal shares, or each server's CPUs less what it shares; never none."""
    assert threads_per_server(servers, cores, pins) == threads


@given(st.integers(1, 8), st.integers(1, 64))
def test_together_the_servers_do_not_exceed_the_cores(servers: int, cores: int) -> None:
    """Unless there are fewer cores than servers, when each still needs one."""
    threads = threads_per_server(servers, cores)
    assert len(threads) == servers
    assert min(threads) >= 1
    assert sum(threads) <= max(cores, servers)


@given(st.lists(st.integers(1, 16), min_size=1, max_size=3))
def test_pinned_to_the_same_cpus_they_share_these(sizes: list[int]) -> None:
    """Servers on one range get one range's threads between them."""
    cpus = tuple(range(sizes[0]))
    threads = threads_per_server(len(sizes), 64, [cpus] * len(sizes))
    assert sum(threads) <= max(len(cpus), len(sizes))


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:11434", True),
        ("http://127.3.2.1:1", True),
        ("http://localhost:1", True),
        ("http://LOCALHOST:1", True),
        ("http://[::1]:1", True),
        ("http://10.0.0.1:1", False),
        ("http://ollama.example:1", False),
        ("", False),
    ],
)
def test_only_the_loopback_is_local(url: str, local: bool) -> None:
    """The cores of another host are not known."""
    assert is_local(url) is local


@pytest.mark.skipif(sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs on Linux")
def test_a_server_gets_a_cpu_that_this_process_keeps_off() -> None:
    """Inside, this process has every CPU but the server's; afterwards it has all of them again."""
    before = usable_cpus()
    with apart() as cpus:
        assert cpus is not None
        assert usable_cpus() == before - set(cpus)
    assert usable_cpus() == before


def test_where_there_is_one_cpu_nothing_is_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """One CPU is shared, and nothing is changed."""
    monkeypatch.setattr(host, "usable_cpus", lambda: frozenset({0}))
    with apart() as cpus:
        assert cpus is None


def test_more_open_files_are_allowed_up_to_the_hard_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft limit is raised if it is too low, never lowered, and a hard limit below is an error that says so."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, new: limits.append(new))
    allow_open_files(100)
    assert limits == [(1024, 4096)]
    allow_open_files(2000)
    assert limits[-1] == (2200, 4096)
    with pytest.raises(ConfigurationError, match=r"the hard limit is 4096: raise it"):
        allow_open_files(4000)
