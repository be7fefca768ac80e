"""The same sessions against two real ``ollama serve``; left out, with a line, where there is no ``ollama``."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.records.errors import ServerError
from harness.servers.fleet import Server, open_servers, port_taken, wait_ready
from harness.servers.model import model_in_place
from harness.servers.registry import Registry
from harness.servers.selection import select
from harness.store import read_journal
from tests.plugin.conftest import QUICK

pytestmark = pytest.mark.ollama

STARTED = ("--server", "ollama", "--free-ports", "--model", "embedded")


def test_a_session_on_two_started_servers_gets_every_token_it_asked_for(foreign: pytest.Pytester) -> None:
    """Model made and created, options sent, both servers measured and gone afterwards."""
    result = foreign.runpytest_subprocess(*STARTED, *QUICK, "--runs", "1", "--journal", "j.jsonl", "--num-thread", "1")
    result.assert_outcomes(passed=1, deselected=1)
    session = read_journal(foreign.path / "j.jsonl").session
    assert [server.kind for server in session.servers] == ["ollama", "ollama"]
    requests = [r for block in session.blocks for run in block.runs for agent in run.agents for r in agent.requests]
    assert len(requests) == 2 * 4 * 2  # blocks, agent runs a block, calls a workflow
    assert {(r.error, r.done_reason, r.server.eval_count if r.server else None) for r in requests} == {
        (None, "length", 4)
    }


def test_a_base_of_another_program_runs_beside_the_candidate(foreign: pytest.Pytester) -> None:
    """Here the same program: four servers, pairs of blocks, and all four gone afterwards."""
    program = shutil.which("ollama")
    assert program is not None
    options = ("--runs", "1", "--journal", "j.jsonl", "--num-thread", "1", "--base-ollama-bin", program)
    result = foreign.runpytest_subprocess(*STARTED, *QUICK, *options)
    result.assert_outcomes(passed=1, deselected=1)
    session = read_journal(foreign.path / "j.jsonl").session
    assert session.base is not None
    servers = (*session.servers, *session.base.servers)
    assert {server.kind for server in servers} == {"ollama"}
    assert len({server.url for server in servers}) == 4
    assert not [server.url for server in servers if port_taken(int(server.url.rpartition(":")[2]))]
    assert {(block.index, block.side) for block in session.blocks} == {
        (index, side) for index in (0, 1) for side in ("base", "candidate")
    }
    assert [block.error for block in session.blocks] == [None] * 4


def quiet(_line: str) -> None:
    """Nobody waits here."""


@asynccontextmanager
async def two_servers(folder: Path) -> AsyncIterator[tuple[Server, ...]]:
    """Two started servers on free ports with the embedded model in place."""
    chosen = select(server="ollama", urls=(None, None), program=None, model="embedded")
    selection = replace(chosen, ports=(0, 0))
    async with (
        open_servers(selection, quiet, Registry(folder)) as servers,
        model_in_place(servers, selection, quiet),
    ):
        yield servers


@pytest.mark.asyncio
async def test_runner_options_really_reach_the_server(tmp_path: Path) -> None:
    """The server reports the context length that was asked for."""
    async with two_servers(tmp_path) as servers:
        await servers[0].api.load("embedded", {"num_ctx": 640, "num_thread": 1})
        loaded = await servers[0].api.find_loaded("embedded")
        assert loaded is not None
        assert loaded.context_length == 640


@pytest.mark.asyncio
@pytest.mark.skipif(sys.platform != "linux", reason="reads process groups")
async def test_the_runner_that_a_killed_server_orphans_is_ended_too(tmp_path: Path) -> None:
    """SIGKILL of ``ollama serve`` leaves its runner with its memory; the end of the session does not."""
    async with two_servers(tmp_path) as servers:
        await servers[0].api.load("embedded", {"num_ctx": 512, "num_thread": 1})
        process = servers[0].process
        assert process is not None
        runners = psutil.Process(process.pid).children(recursive=True)
        assert runners
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ServerError, match="ended with exit code -9"):
            await wait_ready(servers[0].api, process)
    _gone, alive = psutil.wait_procs(runners, timeout=10)  # one that is about to end is no more in its group
    assert not alive
