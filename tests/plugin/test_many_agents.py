"""Eight agents, on eight servers and on two: nothing is special about two of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.servers.process import ServerProcess
from harness.store import read_journal
from tests.plugin.conftest import BUSY, run_foreign, start_many
from tests.plugin.test_session import read_summary

AGENTS = 8
ROLES = [f"{name}{turn}" for turn in ("", "-2", "-3", "-4") for name in ("DataCollector", "Insight")]
TOKENS = 4
TERMS = ("useful", "contention", "load", "orchestration", "imbalance")
FILES = ("--journal", "j.jsonl", "--summary-json", "s.json", "--no-calibration")

OPENED = """
import pytest

@pytest.mark.asyncio(loop_scope="session")
async def test_the_session(perf_session):
    urls = [server.url for server in perf_session.servers if (await server.api.find_loaded("embedded")) is not None]
    assert len(set(urls)) == 3
    assert [agent.url for agent in perf_session.plans["chimera_homo"].agents] == urls
"""


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerProcess, ...]]:
    """Eight servers."""
    processes = start_many(tmp_path_factory.mktemp("eight"), AGENTS)
    yield processes
    for process in processes:
        process.stop()


@pytest.mark.parametrize("servers", [8, 2])
def test_eight_agents_work_as_two_do(eight: tuple[ServerProcess, ...], tmp_path: Path, servers: int) -> None:
    """Each does its whole work on its server, over open connections, and every lost per cent has its place."""
    there = [process.spec.url for process in eight[:servers]]
    options = ("--agents", str(AGENTS), "--runs", "1", "--num-predict", str(TOKENS), "--model", "embedded")
    chosen = [part for url in there for part in ("--url", url)]
    result = run_foreign(tmp_path, *chosen, *options, "--scenario", "chimera_homo", *BUSY, *FILES)
    assert result.returncode == 0, result.stdout

    session = read_journal(tmp_path / "j.jsonl").session
    assert ([info.url for info in session.servers], session.max_concurrent) == (there, AGENTS)
    for block in session.blocks:
        assert len(block.runs) == AGENTS + 1
        together = block.run("concurrent")
        assert together is not None
        assert [agent.role for agent in together.agents] == ROLES
        assert [agent.url for agent in together.agents] == there * (AGENTS // servers)
        requests = [request for run in block.runs for agent in run.agents for request in agent.requests]
        assert len(requests) == 2 * 2 * AGENTS
        assert [request.error for request in requests if request.error] == []
        assert {(request.connected, request.done_reason) for request in requests} == {(False, "length")}
        assert {request.server.eval_count for request in requests if request.server} == {TOKENS}

    scenario = read_summary(tmp_path / "s.json")["scenarios"]["chimera_homo"]
    assert (scenario["blocks"], scenario["verdict"], scenario["invalid_blocks"]) == (1, "INCONCLUSIVE", {})
    assert [agent["role"] for agent in scenario["agents"]] == ROLES
    loss = scenario["loss"]
    assert sum(loss[term] for term in TERMS) == 1.0
    for term, parts in loss["split"].items():
        assert sum(parts.values()) == loss[term]
    assert len(loss["agents"]) == AGENTS
    for term in TERMS:
        assert sum(agent[term] for agent in loss["agents"]) == pytest.approx(loss[term])


def test_as_many_servers_are_started_as_were_asked_for(foreign: pytest.Pytester) -> None:
    """On free ports; each agent has one of its own, and all are ready before anything is measured."""
    foreign.makepyfile(test_foreign=OPENED)
    asked = ("--server", "embedded", "--servers", "3", "--agents", "3", "--scenario", "chimera_homo")
    foreign.runpytest_subprocess(*asked, *BUSY, *FILES).assert_outcomes(passed=1)
    assert len({info.url for info in read_journal(foreign.path / "j.jsonl").session.servers}) == 3
