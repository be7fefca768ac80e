"""Faults that spoil a request: it fails with its cause, its block is INVALID, and no average knows of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import invalid_reasons
from harness.records import Block, RequestRecord
from harness.records.session import CONCURRENT, solo_arm
from harness.servers.truth import TruthServer
from harness.servers.truth.spec import FAULTS, SLOW_LOAD
from tests.chain.chain import (
    ROLES,
    STRUCK,
    TOKENS,
    agents_of,
    chain_of,
    configure,
    faulty,
    is_whole,
    judged,
    plan_of,
    requests_of,
    text_of,
)
from tests.chain.test_shapes import HARMLESS

CAUSES = {
    "error_line": "the server reported: an error was encountered while running the model: unexpected EOF",
    "no_done": "the stream ended without its last line (`done: true`): the server died or gave up",
    "broken_json": "not Ollama's JSON (Input data was truncated): '{\"model\":",
    "broken_utf8": "not Ollama's JSON ('utf-8' codec can't decode byte 0xff in position 1: invalid start byte): '{",
    "reset": "ReadError: the connection broke: Connection reset by peer",
    "silent_death": "RemoteProtocolError: the server closed the connection in the middle of its answer",
    "status_400": "HTTP 400, the server reported: invalid request: the options are not valid",
    "status_404": "HTTP 404, the server reported: model 'truth' not found",
    "status_500": "HTTP 500, the server reported: llama runner process has terminated: exit status 2",
    "status_503": "HTTP 503, the server reported: server busy, please try again.  maximum pending requests exceeded",
}
"""The words that a failed request has for each fault."""

STAGED = ("error_line", "broken_json", "broken_utf8", "reset", "silent_death")
"""Faults that strike after so many tokens."""


def struck(block: Block) -> tuple[str, str, RequestRecord]:
    """Arm, agent and record of the one failed request of a block; all others are whole."""
    ((arm, role, record),) = [
        (arm, agent.role, request) for arm, agent in agents_of([block]) for request in agent.requests if request.error
    ]
    assert [request for request in requests_of(block) if not is_whole(request)] == [record]
    return arm, role, record


def test_every_fault_of_the_server_is_in_this_suite() -> None:
    """A fault that the server learns must be shown against the chain too."""
    assert {*CAUSES, *HARMLESS, SLOW_LOAD, "stall"} == set(FAULTS)


@pytest.mark.parametrize("kind", CAUSES)
@pytest.mark.asyncio
async def test_a_struck_request_spoils_its_block_and_no_average(truth_server: TruthServer, kind: str) -> None:
    """One bad answer among all: it says why, only its block is INVALID, and the figures are the others' alone."""
    plan = plan_of(truth_server)
    configure(truth_server, plan, {(STRUCK, CONCURRENT): faulty(kind)})
    async with chain_of(plan) as chain:
        blocks = await chain.scenario()
    assert [block.index for block in blocks] == [0, 1, STRUCK, 3]
    arm, role, record = struck(blocks[STRUCK])
    assert record.error is not None
    assert CAUSES[kind] in record.error
    assert (record.server, record.done_reason) == (None, None)
    came = TOKENS if kind == "no_done" else 0 if kind.startswith("status") else 3
    assert (record.text, len(record.token_ns)) == (text_of(came), came)

    good = [block for block in blocks if block.index != STRUCK]
    assert all(is_whole(request) for request in requests_of(*good))
    reason = f"{role} in {arm}: request 'only' failed: {record.error}"
    assert (arm, judged(blocks)) == (CONCURRENT, replace(judged(good), invalid={STRUCK: (reason,)}))
    outcomes = [true.outcome for true in truth_server.log() if true.prompt]
    settled = len(ROLES)  # after it each server is asked for a token, lest the next arm pay for what was left
    assert sorted(outcomes) == sorted([kind, *["done"] * (15 + settled)])


@pytest.mark.parametrize("after", [0, TOKENS], ids=["first", "last"])
@pytest.mark.parametrize("kind", STAGED)
@pytest.mark.asyncio
async def test_a_fault_at_either_end_of_an_answer_is_seen(truth_server: TruthServer, kind: str, after: int) -> None:
    """Before the first token and after the last one; the next block is measured by the same clients."""
    plan, role = plan_of(truth_server), ROLES[0]
    configure(truth_server, plan, {(0, solo_arm(role)): faulty(kind, after)})
    async with chain_of(plan) as chain:
        bad, good = await chain.block(0), await chain.block(1)
    arm, name, record = struck(bad)
    assert (arm, name) == (solo_arm(role), role)
    assert record.error is not None
    cause = "closed the connection without an answer" if (kind, after) == ("silent_death", 0) else CAUSES[kind]
    assert cause in record.error
    assert (record.text, record.server) == (text_of(after), None)
    assert invalid_reasons(bad) == (f"{role} in {arm}: request 'only' failed: {record.error}",)
    assert invalid_reasons(good) == ()
    assert all(is_whole(request) for request in requests_of(good))


@pytest.mark.asyncio
async def test_a_scenario_of_struck_blocks_is_given_up_and_invalid(truth_server: TruthServer) -> None:
    """Two in a row are enough: the verdict is INVALID with both reasons, and no figure is told."""
    plan = plan_of(truth_server, runs=9)
    faults = {(index, CONCURRENT): faulty("status_500") for index in (STRUCK, STRUCK + 1)}
    configure(truth_server, plan, faults)
    async with chain_of(plan) as chain:
        blocks = await chain.scenario()
    summary = judged(blocks)
    assert [block.index for block in blocks] == [0, 1, STRUCK, STRUCK + 1]
    assert (summary.verdict.value, summary.estimates, summary.agents) == ("INVALID", {}, ())
    assert all("HTTP 500" in reasons[0] for reasons in summary.invalid.values())
    assert list(summary.invalid) == [STRUCK, STRUCK + 1]
