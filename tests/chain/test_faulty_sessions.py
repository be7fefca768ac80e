"""Whole sessions against a server with faults: what is measured stays, what is not says why, and nothing hangs."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.records import Block
from harness.servers.truth import Behaviour, Fault, Timing, TruthConfig, TruthServer
from harness.servers.truth.spec import SLOW_LOAD
from harness.store import read_journal
from tests.chain.chain import GENEROUS_S, PACE, faulty
from tests.plugin.test_session import Session, children_of, read_summary

HOMO, HETERO = "chimera_homo", "chimera_hetero"
BLOCK = 8  # requests of a good block: two agents, two calls each, alone and together
BROKEN = BLOCK - 1  # an agent whose first call fails makes no second one
SETTLED = 2  # requests after an arm that failed: one for each of its servers, at most
LAX = ("measured_efficiency_pct=-1e9", "measured_speedup=-1e9", "guide_efficiency_pct=-1e9", "contention_rate=1")
ENDLESS = Behaviour(ttft=Timing(ms=10.0), gaps=Timing(ms=10.0), tokens=1_000_000)


def flags(server: TruthServer, scenarios: Sequence[str], runs: int) -> list[str]:
    """Options of a quick session that lives with everything but faults."""
    one, two = server.urls
    options = ["--collector-ollama-url", one, "--insight-ollama-url", two, "--model", "truth", "--no-calibration"]
    options += ["--runs", str(runs), "--summary-json", "s.json", "--instrument-limit", "loop_lag_ms=1e6"]
    options += ["--instrument-limit", "foreign_cores=99"]
    options += [part for name in scenarios for part in ("--scenario", name)]
    return options + [part for limit in LAX for part in ("--threshold", limit)]


def journal_of(path: Path) -> list[tuple[str, int]]:
    """Scenario and index of each block in a journal."""
    return [(block.scenario, block.index) for block in read_journal(path).session.blocks]


def test_a_bad_block_is_named_and_left_out_and_the_session_goes_on(
    foreign: pytest.Pytester, truth_server: TruthServer
) -> None:
    """A broken line in one scenario and a stall in the next: both are judged by their good blocks."""
    first = (*[PACE] * (2 * BLOCK), faulty("broken_json"), *[PACE] * (BROKEN - 1 + SETTLED + BLOCK))
    second = (*[PACE] * (2 * BLOCK), faulty("stall"))
    truth_server.configure(TruthConfig(behaviour=PACE, script=(*first, *second)))
    options = flags(truth_server, (HOMO, HETERO), runs=3)
    result = foreign.runpytest_inprocess(*options, "--journal", "j.jsonl", "--block-deadline", "2")
    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(
        [
            f"  {HOMO} block 2/3: invalid: * request '*' failed: the server sent a line that is not Ollama's JSON*",
            f"  {HOMO} block 3/3: *measured * %",
            f"  {HETERO} block 2/3: invalid: the block did not end within its deadline of 2 s (--block-deadline): *",
            f"  {HETERO} block 3/3: *measured * %",
            f"{HOMO} * PASS * 2 (+1 invalid)*",
            f"{HETERO} * PASS * 2 (+1 invalid)*",
            "  block 2 is invalid: *not Ollama's JSON*",
            "  block 2 is invalid: *after 3 tokens*",
        ]
    )
    assert journal_of(foreign.path / "j.jsonl") == [(name, index) for name in (HOMO, HETERO) for index in range(4)]
    for name, cause in ((HOMO, "not Ollama's JSON"), (HETERO, "--block-deadline")):
        scenario = read_summary(foreign.path / "s.json")["scenarios"][name]
        assert (scenario["verdict"], scenario["blocks"], list(scenario["invalid_blocks"])) == ("PASS", 2, ["2"])
        assert cause in scenario["invalid_blocks"]["2"][0]


@pytest.mark.parametrize("stops", [False, True], ids=["goes on", "-x"])
def test_two_bad_blocks_in_a_row_are_an_error_and_the_session_goes_on_or_stops(
    foreign: pytest.Pytester, truth_server: TruthServer, stops: bool
) -> None:
    """The scenario is given up as INVALID; the next one is measured unless pytest is told to stop at an error."""
    bad = (faulty("status_503"), *[PACE] * (BROKEN - 1 + SETTLED))
    truth_server.configure(TruthConfig(behaviour=PACE, script=(*[PACE] * BLOCK, *bad, *bad)))
    options = flags(truth_server, (HOMO, HETERO), runs=3)
    result = foreign.runpytest_inprocess(*options, "--journal", "j.jsonl", *(["-x"] if stops else []))
    result.assert_outcomes(errors=1, passed=0 if stops else 1, deselected=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            f"{HOMO}: INVALID, 0 of 2 blocks could be judged",
            "  block 1 is invalid: *failed: HTTP 503, the server reported: server busy, please try again*",
            "  block 2 is invalid: *HTTP 503*",
        ]
    )
    given_up = [(HOMO, index) for index in range(3)]
    measured = [] if stops else [(HETERO, index) for index in range(4)]
    assert journal_of(foreign.path / "j.jsonl") == given_up + measured
    assert list(read_summary(foreign.path / "s.json")["scenarios"]) == [HOMO] if stops else [HOMO, HETERO]


def test_a_server_without_an_end_to_its_load_ends_the_session_at_the_deadline(
    foreign: pytest.Pytester, truth_server: TruthServer
) -> None:
    """One line names the server and the option; nothing was measured."""
    truth_server.configure(TruthConfig(behaviour=replace(PACE, fault=Fault(SLOW_LOAD))))
    result = foreign.runpytest_inprocess(*flags(truth_server, (HOMO,), runs=2), "--block-deadline", "0.2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    url = truth_server.urls[0]
    result.stdout.fnmatch_lines(
        [f"*{url}: truth could not be loaded: no answer within 0.2 s (a load may take --block-deadline)*"]
    )


def wait_for_requests(session: Session, server: TruthServer, count: int) -> None:
    """Returns when the server has answered that many prompts."""
    deadline = time.monotonic() + GENEROUS_S
    while sum(bool(true.prompt) for true in server.log()) < count:
        assert session.process.poll() is None, session.output.read_text("utf-8")
        assert time.monotonic() < deadline, session.output.read_text("utf-8")


def assert_ended_well(session: Session, folder: Path, reason: str) -> list[Block]:
    """The exit code is an error's, the scenario is INVALID, and its three good blocks and two bad ones are kept."""
    assert session.process.wait(GENEROUS_S) == pytest.ExitCode.TESTS_FAILED
    blocks = list(read_journal(session.journal).session.blocks)
    assert [block.index for block in blocks] == [0, 1, 2, 3, 4]
    assert [bool(block.error) for block in blocks] == [False, False, False, True, True]
    output = session.output.read_text("utf-8")
    assert "1 error" in output
    assert f"{HOMO}: INVALID, 2 of 4 blocks could be judged" in output
    scenario = read_summary(folder / "s.json")["scenarios"][HOMO]
    assert (scenario["verdict"], list(scenario["invalid_blocks"])) == ("INVALID", ["3", "4"])
    assert all(reason in reasons[0] for reasons in scenario["invalid_blocks"].values())
    return blocks


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "reason"),
    [(signal.SIGKILL, "does not answer"), (signal.SIGSTOP, "--block-deadline)")],
)
def test_a_server_that_is_killed_or_frozen_in_mid_block_costs_no_block_before(
    foreign: pytest.Pytester, number: signal.Signals, reason: str
) -> None:
    """The answer under way keeps its tokens; its block and the next say why, the scenario is INVALID, nothing hangs."""
    with TruthServer.start() as server:
        script = [PACE] * (3 * BLOCK + 1)
        server.configure(TruthConfig(behaviour=ENDLESS, script=tuple(script)))
        options = [*flags(server, (HOMO,), runs=9), "--block-deadline", "2"]
        session = Session(foreign.path, "-p", "no:benchmark", *options)
        wait_for_requests(session, server, len(script))
        (sampler,) = children_of(session.process.pid)
        os.kill(server.pid, number)
        session.wait_for_blocks(5)
        if number == signal.SIGSTOP:  # or the session waits for it to take the model back
            os.kill(server.pid, signal.SIGCONT)
        blocks = assert_ended_well(session, foreign.path, reason)
        assert not psutil.pid_exists(sampler)  # nothing is left behind
    assert any(request.token_ns for run in blocks[3].runs for agent in run.agents for request in agent.requests)
