"""Studies in a foreign project, on real embedded servers: measured, kept, judged, told, and judged again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.__main__ import main
from harness.records import Block, RequestRecord
from harness.scenarios.studies import LADDER, PATTERN_ARMS, arms_of
from harness.servers.fleet import port_taken
from harness.servers.process import ServerProcess
from harness.store import StoredSession, read_journal
from tests.light_ollama import light_servers
from tests.plugin.conftest import BUSY, run_foreign, start_embedded
from tests.plugin.test_judged_again import LAX
from tests.plugin.test_session import read_summary

FILES = ("--journal", "j.jsonl", "--summary-json", "s.json", "--no-calibration")
TOKENS = 4
FEW = ("--num-predict", str(TOKENS), "--runs", "4", *BUSY, *FILES)
STUDIES = ("scaling", "controls", "sampling")
ROLES = ("DataCollector", "Insight", "DataCollector-2", "Insight-2")


def named(*scenarios: str) -> tuple[str, ...]:
    """Options that choose them."""
    return tuple(part for name in scenarios for part in ("--scenario", name))


def requests_of(block: Block) -> Iterator[RequestRecord]:
    """The requests that the figures of a block are made of."""
    return (request for run in block.runs for agent in run.agents for request in agent.requests)


def assert_judged_again(folder: Path, status: int) -> None:
    """The journal alone gives the session's own summary, byte for byte."""
    again = folder / "again.json"
    assert main(["judge", str(folder / "j.jsonl"), "--summary-json", str(again)]) == status
    assert again.read_bytes() == folder.joinpath("s.json").read_bytes()


Session = tuple[subprocess.CompletedProcess[str], Path]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, running_pair: tuple[ServerProcess, ServerProcess]) -> Session:
    """Three studies of four agents on two servers, and nothing else."""
    folder = tmp_path_factory.mktemp("studies")
    there = tuple(part for process in running_pair for part in ("--url", process.spec.url))
    return run_foreign(folder, *there, "--model", "embedded", "--agents", "4", *named(*STUDIES), *FEW), folder


@pytest.fixture(scope="module")
def stored(session: Session) -> StoredSession:
    """Its journal."""
    return read_journal(session[1] / "j.jsonl")


def test_a_study_alone_leaves_no_skipped_scenario(session: Session) -> None:
    """A test for each study, in the order given, and no other one."""
    result, _ = session
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout.splitlines()[-1]
    assert not [word for word in ("skipped", "deselected", "plan:") if word in result.stdout]
    assert "studies: scaling, controls, sampling; 4 blocks each after a warm-up; seed " in result.stdout


def test_the_journal_holds_all_arms_of_every_block(stored: StoredSession) -> None:
    """A warm-up block and four; each study begins with its terms, and there are none of scenarios."""
    assert list(stored.studies) == list(STUDIES)
    assert stored.terms == {}
    found = [(block.scenario, block.index, block.error) for block in stored.session.blocks]
    assert found == [(name, index, None) for name in STUDIES for index in range(5)]
    for block in stored.session.blocks:
        assert set(block.order) == {run.arm for run in block.runs} == set(arms_of(block.scenario, ROLES))


def test_every_agent_does_its_whole_work_over_connections_that_were_open(stored: StoredSession) -> None:
    """In every arm: as many tokens as were asked for; four agents share two servers."""
    for block in stored.session.blocks:
        requests = list(requests_of(block))
        assert {(request.connected, request.error) for request in requests} == {(False, None)}
        assert {request.server.eval_count for request in requests if request.server} == {TOKENS}
    (urls,) = {
        tuple(agent.url for agent in run.agents)
        for block in stored.session.blocks
        for run in block.runs
        if run.arm == "together:4"
    }
    assert urls == (*urls[:2], *urls[:2])
    assert len(set(urls)) == 2


def test_others_keep_a_server_busy_or_away_as_the_control_says(stored: StoredSession) -> None:
    """Those on the agent's own server never; where they are absent their server holds no model."""
    (server, other) = (info.url for info in stored.session.servers)
    for block in (block for block in stored.session.blocks if block.scenario == "controls"):
        for role, url, away in (("DataCollector", server, other), ("Insight", other, server)):
            runs = {run.arm.partition(":")[0]: run for run in block.runs if run.arm.partition(":")[2] == role}
            assert {agent.url for agent in runs["prefill"].background} == {away}
            assert {agent.url for agent in runs["decode"].background} == {away}
            assert not runs["absent"].background + runs["idle"].background
            held = {kind: {memory.url for memory in run.memory if memory.size} for kind, run in runs.items()}
            assert held == {"absent": {url}, "idle": {url, away}, "prefill": {url, away}, "decode": {url, away}}


def test_the_summary_and_the_terminal_answer_each_question(session: Session) -> None:
    """With arms, effects, and a first line in words."""
    result, folder = session
    studies = read_summary(folder / "s.json")["studies"]
    assert list(studies) == list(STUDIES)
    for name, study in studies.items():
        assert (study["blocks"], study["unsaid"], study["invalid_blocks"]) == (4, None, {})
        assert [arm["arm"] for arm in study["arms"]] == list(arms_of(name, ROLES))
    assert [effect["arm"] for effect in studies["scaling"]["effects"]] == ["together:2", "together:4"]
    assert len(studies["controls"]["effects"]) == 3 * len(ROLES)
    assert [(e["arm"], e["against"]) for e in studies["sampling"]["effects"]] == [("concurrent", "unsampled")]
    for words in ("scaling: 4 agents together finish ", "controls: what the others cost each agent's", "sampling: "):
        assert f"\n{words}" in result.stdout


def test_resources_are_sampled_but_in_the_arm_that_is_to_be_without(stored: StoredSession) -> None:
    """That is what the study compares."""
    sampled = {
        run.arm: run.resources is not None
        for block in stored.session.blocks
        if block.scenario == "sampling"
        for run in block.runs
    }
    assert [arm for arm, is_sampled in sampled.items() if not is_sampled] == ["unsampled"]


def test_studies_are_judged_again_to_the_last_digit(session: Session) -> None:
    """From nothing but the journal."""
    assert_judged_again(session[1], 0)


def test_patterns_start_a_server_for_all_agents_beside_the_agents_own(tmp_path: Path) -> None:
    """Three servers while it measures, none afterwards; one block is too few to say anything, and is told so."""
    few = (*named("patterns"), "--num-predict", "2", "--runs", "1", *BUSY, *FILES)
    result = run_foreign(tmp_path, *light_servers(tmp_path), *few)
    assert result.returncode == 0, result.stdout
    session = read_journal(tmp_path / "j.jsonl").session
    by_arm = {run.arm: [agent.url for agent in run.agents] for block in session.blocks for run in block.runs}
    one, two = (info.url for info in session.servers)
    (more,) = set(by_arm.pop("single_parallel"))
    assert by_arm == {"dual": [one, two], "single": [one, one], "sequential": [one, one]}
    assert more not in (one, two)
    assert not [url for url in (one, two, more) if port_taken(int(url.rpartition(":")[2]))]
    assert read_summary(tmp_path / "s.json")["studies"]["patterns"]["unsaid"] == "1 block, it takes 4"
    assert_judged_again(tmp_path, 0)


def test_patterns_say_which_finishes_the_same_work_first(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """On servers that run, one of them named as the one for all; the ranking is of every pattern."""
    more = start_embedded(foreign.path, "parallel", "--parallel", "2")
    try:
        result = foreign.runpytest_subprocess(*urls, "--parallel-url", more.spec.url, *named("patterns"), *FEW)
    finally:
        more.stop()
    result.assert_outcomes(passed=1)
    session = read_journal(foreign.path / "j.jsonl").session
    assert {len(block.runs) for block in session.blocks} == {len(PATTERN_ARMS)}
    used = {run.arm: {agent.url for agent in run.agents} for block in session.blocks for run in block.runs}
    assert used["single_parallel"] == {more.spec.url}
    study = read_summary(foreign.path / "s.json")["studies"]["patterns"]
    assert [arm["arm"] for arm in study["arms"]] == list(PATTERN_ARMS)
    assert {study["ranking"]["fastest"], *study["ranking"]["ratios"]} == set(PATTERN_ARMS)
    assert_judged_again(foreign.path, 0)


def test_remedies_are_tried_on_the_scenario_that_failed_and_on_no_other(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """The table says of each what it bought or why it was not tried; the verdict stays, and all can be judged again."""
    failing = ("--mitigate", *LAX, "--threshold", "chimera_homo.measured_speedup=1000")
    result = foreign.runpytest_subprocess(*urls, *named("chimera_homo", "chimera_hetero"), *FEW, *failing)
    result.assert_outcomes(failed=1, passed=1, deselected=2)
    (name, study), *others = read_summary(foreign.path / "s.json")["studies"].items()
    assert (name, others) == ("mitigation:chimera_homo", [])
    tried = [arm["arm"] for arm in study["arms"]]
    assert set(LADDER) & set(tried) == set(LADDER) - {"more_gpu_layers"}
    assert study["left_out"] == {"more_gpu_layers": "the model is on no GPU"}
    result.stdout.fnmatch_lines(["mitigation:chimera_homo: *"])
    assert_judged_again(foreign.path, 1)
