"""What trees of real processes have used: those of children too, as long as anybody can tell."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from harness.servers import trees
from harness.servers.trees import ProcessTree, TreeUse
from tests.servers.burning import STEP_S, burner, parent_of, wait_for
from tests.servers.children import command, dead_owner, eventually, running

TICK_S = 0.01
ELSEWHERE = pytest.mark.parametrize("system", [sys.platform, "darwin"])


def _use(tree: ProcessTree) -> TreeUse:
    use = tree.use()
    assert use is not None
    return use


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("threaded", [False, True])
@ELSEWHERE
def test_a_tree_holds_the_children_of_children(
    system: str, threaded: bool, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a grandchild burns counts; who is no relative does not. Also where the kernel does not list children."""
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(trees, "_CHILDREN_TOLD", told)
    with running(parent_of(parent_of(burner(), threaded=threaded))) as family, running() as stranger:
        wait_for(family)
        tree = ProcessTree(family.pid)
        before = _use(tree)
        wait_for(family, 4)
        after = _use(tree)
        children = {child.pid for child in psutil.Process(family.pid).children(recursive=True)}
        assert stranger.pid not in after.pids
    assert set(before.pids) == set(after.pids) == {family.pid, *children}
    assert len(after.pids) == 3
    assert after.cpu_s - before.cpu_s >= 3 * STEP_S - TICK_S


@ELSEWHERE
def test_memory_is_that_of_all_its_processes(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that holds 64 MiB makes the tree that much larger than the parent alone."""
    monkeypatch.setattr(sys, "platform", system)
    child = "data = b'x' * (64 << 20); print('full', flush=True); import time; time.sleep(60)"
    with running(parent_of(child)) as family:
        wait_for(family)
        use = _use(ProcessTree(family.pid))
        alone = psutil.Process(family.pid).memory_info().rss
    assert 64 << 20 <= use.rss_bytes - alone < 128 << 20


@pytest.mark.skipif(not hasattr(psutil.Process().cpu_times(), "children_user"), reason="not told on this system")
def test_a_child_that_has_ended_takes_its_time_nowhere() -> None:
    """Its parent has waited for it, and has its time now."""
    with running(parent_of(burner().replace("600", "3"))) as family:
        wait_for(family)
        tree = ProcessTree(family.pid)
        before = _use(tree)
        wait_for(family, 3)  # two more steps, and "waited"
        after = _use(tree)
    assert len(before.pids) == 2
    assert after.pids == (family.pid,)
    assert after.cpu_s - before.cpu_s >= 2 * STEP_S - TICK_S


def test_a_child_that_loses_its_parent_stays_in_the_tree() -> None:
    """As long as it had been seen in it before."""
    middle = f"import subprocess, sys; child = subprocess.Popen({command(burner())!r}); sys.stdin.readline()"
    code = f"import subprocess, sys, time; subprocess.call({command(middle)!r}); time.sleep(60)"
    with subprocess.Popen(command(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin is not None
        wait_for(server)
        tree = ProcessTree(server.pid)
        orphan = psutil.Process(server.pid).children(recursive=True)[-1]
        before = _use(tree)
        server.stdin.close()
        eventually(lambda: not psutil.Process(server.pid).children())
        wait_for(server, 3)
        after = _use(tree)
        orphan.kill()
        server.kill()
    assert orphan.pid in before.pids
    assert after.pids == tuple(sorted((server.pid, orphan.pid)))
    assert after.cpu_s > before.cpu_s


@ELSEWHERE
def test_a_tree_without_its_root_is_none(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, or dead and not waited for: what is left is no server."""
    monkeypatch.setattr(sys, "platform", system)
    assert ProcessTree(dead_owner()[0]).use() is None
    with running() as process:
        tree = ProcessTree(process.pid)
        assert tree.use() is not None
        process.kill()
        eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert tree.use() is None


def test_a_number_that_was_given_to_another_process_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system has told another start for it than before."""
    with running() as process:
        tree = ProcessTree(process.pid)
        assert tree.use() is not None
        now = trees._use(process.pid)
        assert now is not None
        monkeypatch.setattr(trees, "_use", lambda _pid: now._replace(born=now.born + 1))
        assert tree.use() is None
