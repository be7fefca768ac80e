"""A server killed in mid-stream: finished blocks stay, the work goes on one agent at a time, nothing is left over."""

from __future__ import annotations

import os
import signal
import sys
from itertools import pairwise

import psutil
import pytest

from harness.records import Block
from harness.records.session import FALLBACK
from harness.store import read_journal
from tests.light_ollama import light_servers
from tests.plugin.conftest import QUICK
from tests.plugin.test_session import DEADLINE_S, Session, read_summary

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tells servers by their process groups")

TWO_SCENARIOS = (*QUICK[2:], "--scenario", "chimera_hetero", "--runs", "500", "--summary-json", "s.json")


def servers_of(session: Session, words: str) -> list[psutil.Process]:
    """The session's servers, in the order of starting, told by their command lines."""
    children = psutil.Process(session.process.pid).children()
    return sorted((p for p in children if words in " ".join(p.cmdline())), key=lambda each: each.create_time())


def assert_finished_alone(blocks: list[Block]) -> None:
    """The last block of the first scenario and the only one of the second finished their work on one server."""
    homo = [block for block in blocks if block.scenario == "chimera_homo"]
    assert len(homo) > 2
    assert [block.error for block in homo[:-1]] == [None] * (len(homo) - 1)
    (hetero,) = [block for block in blocks if block.scenario == "chimera_hetero"]
    for block, roles in ((homo[-1], {"DataCollector", "Insight"}), (hetero, {"DataCollector", "Insight"})):
        assert block.fallback is not None
        assert "died" in block.fallback
        assert "one at a time" in block.fallback
        run = block.run(FALLBACK)
        assert run is not None
        assert [agent.error for agent in run.agents] == [None] * len(run.agents)
        done = {
            agent.role
            for each in block.runs
            if each.arm in (FALLBACK, "concurrent")
            for agent in each.agents
            if agent.error is None
        }
        assert done == roles
        assert len({agent.url for agent in run.agents}) == 1
        ends = sorted((agent.admitted_ns, agent.finished_ns) for agent in run.agents)
        assert all(before[1] <= after[0] for before, after in pairwise(ends))


def killed_in_the_middle(foreign: pytest.Pytester, arguments: tuple[str, ...], words: str) -> list[psutil.Process]:
    """Runs a session, kills the second server with SIGKILL after two blocks; gives everything that it had started."""
    session = Session(foreign.path, *arguments, *TWO_SCENARIOS)
    session.wait_for_blocks(3)
    servers = servers_of(session, words)
    assert len(servers) == 2
    everything = [*servers, *(child for server in servers for child in server.children(recursive=True))]
    os.kill(servers[1].pid, signal.SIGKILL)
    assert session.process.wait(2 * DEADLINE_S) == pytest.ExitCode.TESTS_FAILED, session.output.read_text("utf-8")
    said = session.output.read_text("utf-8")
    assert "2 errors" in said
    assert "did the work one at a time on http://" in said
    assert_finished_alone(list(read_journal(session.journal).session.blocks))
    summary = read_summary(foreign.path / "s.json")
    assert {each["verdict"] for each in summary["scenarios"].values()} == {"INVALID"}
    return everything


def test_the_work_of_a_killed_server_is_finished_on_the_other_one(foreign: pytest.Pytester) -> None:
    """Of this scenario and of the next; both are INVALID, and no process is left."""
    everything = killed_in_the_middle(foreign, light_servers(foreign.path), "harness serve")
    _gone, alive = psutil.wait_procs(everything, timeout=DEADLINE_S)
    assert not alive


@pytest.mark.ollama
def test_the_same_with_real_servers_and_the_runner_that_the_dead_one_orphans(foreign: pytest.Pytester) -> None:
    """Its runner, which would keep its memory, is ended with it."""
    arguments = ("--server", "ollama", "--free-ports", "--model", "embedded", "--num-thread", "1")
    everything = killed_in_the_middle(foreign, arguments, " serve")
    assert len(everything) >= 4
    _gone, alive = psutil.wait_procs(everything, timeout=DEADLINE_S)
    assert not alive
