"""Patterns that were not what they say: servers with other slots than were told, a coordinator that lets in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.judge import judge_study
from harness.judge.pattern_check import at_once, pattern_doubts
from harness.records import Block, RequestRecord, Run
from harness.testing import build_agent_run, build_request, build_run, build_study_block

AT_ONCE = ((0.0, 1000.0), (0.0, 1000.0))
IN_TURN = ((0.0, 1000.0), (1000.0, 1000.0))
HALF = ((0.0, 1000.0), (500.0, 1000.0))


def _request(waits_ms: float, works_ms: float) -> RequestRecord:
    """Sent at 0, waits for a slot, then is worked for."""
    return build_request(queue_ms=waits_ms, duration_ms=waits_ms + works_ms)


def _run(arm: str, spans: Sequence[tuple[float, float]]) -> Run:
    agents = [
        build_agent_run(role, sum(span), requests=[_request(*span)]) for role, span in zip("ABC", spans, strict=False)
    ]
    return build_run(arm, agents)


def _block(**arms: Sequence[tuple[float, float]]) -> Block:
    runs = tuple(_run(arm, spans) for arm, spans in arms.items())
    return replace(build_study_block({}), order=tuple(arms), runs=runs)


@pytest.mark.parametrize(("spans", "share"), [(AT_ONCE, 1.0), (IN_TURN, 0.0), (HALF, 1 / 3), (AT_ONCE[:1], 0.0)])
def test_agents_work_at_once_while_two_of_them_are_worked_for(
    spans: Sequence[tuple[float, float]], share: float
) -> None:
    """A request that waits for a slot is in flight, and nobody works for it."""
    assert at_once(_run("dual", spans)) == pytest.approx(share)


def test_a_server_that_tells_no_durations_cannot_be_judged() -> None:
    """There a wait would look like a long prefill."""
    silent = replace(_request(0.0, 1000.0), server=None)
    agents = [build_agent_run(role, 1000.0, requests=[silent]) for role in "AB"]
    assert at_once(build_run("dual", agents)) is None
    assert pattern_doubts([replace(build_study_block({}), runs=(build_run("dual", agents),))]) == {}


def test_patterns_that_are_what_they_say_raise_no_doubt() -> None:
    """Two slots and two servers work at once, one slot in turn, and an agent after the other is asked for."""
    assert pattern_doubts([_block(dual=AT_ONCE, single=IN_TURN, single_parallel=HALF, sequential=IN_TURN)]) == {}


def test_servers_with_other_slots_than_their_pattern_has_are_named_with_what_to_do() -> None:
    """A parallel server with one slot, a single one with several, and a coordinator that lets in one agent."""
    found = pattern_doubts([_block(dual=IN_TURN, single=AT_ONCE, single_parallel=IN_TURN)] * 4)
    assert list(found) == ["dual", "single", "single_parallel"]
    assert found["dual"].endswith("(--max-concurrent)")
    assert "at once in 100 % of the time" in found["single"]
    assert found["single"].endswith("OLLAMA_NUM_PARALLEL=1")
    assert found["single_parallel"].endswith("OLLAMA_NUM_PARALLEL=2")


def test_only_a_study_of_patterns_is_checked_for_them() -> None:
    """Others have arms of the same names, if any, that promise nothing."""
    blocks = [_block(dual=IN_TURN, single=IN_TURN)] * 4
    assert list(judge_study("patterns", blocks, None).doubts) == ["dual"]
    assert judge_study("of_mine", blocks, None).doubts == {}
