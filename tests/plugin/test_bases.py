"""A base measured beside the candidate, on real embedded servers."""

from __future__ import annotations

import pytest

from harness.servers.fleet import port_taken
from harness.store import read_journal
from tests.light_ollama import light_servers
from tests.plugin.conftest import QUICK
from tests.plugin.test_session import read_summary

FILES = ("--journal", "j.jsonl", "--summary-json", "s.json", "--no-calibration")


def test_a_base_of_other_options_runs_on_the_candidates_servers(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """Pairs of blocks, each side with its own options; the journal tells them apart and names the base."""
    result = foreign.runpytest_subprocess(*urls, *QUICK, *FILES, "--base-option", "num_ctx=1024")
    result.stdout.fnmatch_lines(["plan: chimera_homo; 2 pairs of blocks (base and candidate) each after a warm-up*"])
    result.stdout.fnmatch_lines(["*chimera_homo base, block 2/2: *"])
    session = read_journal(foreign.path / "j.jsonl").session
    assert sorted((block.index, block.side) for block in session.blocks) == [
        (index, side) for index in range(3) for side in ("base", "candidate")
    ]
    assert session.base is not None
    assert session.base.servers == session.servers
    assert session.base.options["chimera_homo"]["Insight"]["num_ctx"] == 1024
    assert session.options["chimera_homo"]["Insight"]["num_ctx"] == 2048
    summary = read_summary(foreign.path / "s.json")
    assert summary["base"] == {"server": "connect", "model": "embedded"}
    changes = summary["scenarios"]["chimera_homo"]["changes"]
    assert [(each["metric"], each["n"]) for each in changes] == [("concurrent_wall_s", 2), ("slowdown", 2)]


def test_servers_of_a_base_are_started_beside_the_candidates_and_end_with_them(foreign: pytest.Pytester) -> None:
    """Four servers while it measures, none afterwards."""
    one, servers = (*QUICK, "--runs", "1"), light_servers(foreign.path)
    result = foreign.runpytest_subprocess(*servers, "--base-ollama-bin", servers[1], *one, *FILES)
    session = read_journal(foreign.path / "j.jsonl").session
    assert session.base is not None
    urls = {server.url for server in (*session.servers, *session.base.servers)}
    assert len(urls) == 4
    asked = {agent.url for block in session.blocks for run in block.runs for agent in run.agents}
    assert asked == urls
    result.stdout.fnmatch_lines(["*base: ollama * at http://127.0.0.1:*"])
    assert not [url for url in urls if port_taken(int(url.rpartition(":")[2]))]


def test_a_base_that_does_not_answer_ends_the_session_before_it_measures(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """It is named, as a candidate would be."""
    nowhere = ("--base-url1", "http://127.0.0.1:9", "--base-url2", "http://127.0.0.1:9")
    result = foreign.runpytest_subprocess(*urls, *QUICK, *FILES, *nowhere)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["*http://127.0.0.1:9 does not answer*"])
