"""A recorded session judged by our gates."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest

from harness.judge import Verdict
from perf.verdicts.outcomes import by_kind, judge_recording
from perf.verdicts.recordings import METRICS
from tests.perf_verdicts.sessions import TOGETHER_MS, job, recording


@pytest.mark.parametrize(("change_pct", "verdict"), [(0, Verdict.PASS), (10, Verdict.FAIL)])
def test_both_gates_say_what_the_session_is(change_pct: int, verdict: Verdict) -> None:
    """With a scatter of 1 % a run both are decided within few pairs, and the rest of the recording changes nothing."""
    session = recording(job(change_pct=change_pct))
    found = judge_recording(session)
    assert [(gate.metric, gate.verdict) for gate in found.gates] == [(metric, verdict) for metric in METRICS]
    assert all(4 <= gate.pairs <= 8 for gate in found.gates)
    last = max(gate.pairs for gate in found.gates)
    assert judge_recording(replace(session, blocks=session.blocks[: 2 * (last + 1)])).gates == found.gates
    sooner = judge_recording(replace(session, blocks=session.blocks[: 2 * last]))
    assert Verdict.INCONCLUSIVE in [gate.verdict for gate in sooner.gates]


def test_walls_and_differences_are_those_of_each_pair() -> None:
    """The warm-up pair is not among them."""
    found = judge_recording(recording(job(change_pct=10, pairs=6), sd=0.0))
    assert found.indexes == tuple(range(1, 7))
    assert found.base_s == pytest.approx([TOGETHER_MS / 1000] * 6)
    assert found.candidate_s == pytest.approx([1.1 * TOGETHER_MS / 1000] * 6)
    assert all(values == pytest.approx([log(1.1)] * 6) for values in found.differences.values())


def test_an_undecided_gate_used_all_pairs() -> None:
    """INCONCLUSIVE costs the whole session."""
    found = judge_recording(recording(job(change_pct=5, pairs=4), sd=0.05))
    assert [(gate.verdict, gate.pairs) for gate in found.gates] == [(Verdict.INCONCLUSIVE, 4)] * 2


def test_a_pair_that_cannot_be_judged_is_left_out_and_counted() -> None:
    """Its number is missing among the indexes."""
    session = recording(job(pairs=5))
    broken = [replace(each, error="it hung") if each.index == 2 else each for each in session.blocks]
    found = judge_recording(replace(session, blocks=tuple(broken)))
    assert (found.indexes, found.invalid) == ((1, 3, 4, 5), 1)


def test_a_session_that_cannot_be_judged_is_invalid_and_no_alarm() -> None:
    """Of both gates."""
    session = recording(job(pairs=5))
    found = judge_recording(replace(session, blocks=tuple(replace(each, error="it hung") for each in session.blocks)))
    assert [gate.verdict for gate in found.gates] == [Verdict.INVALID] * 2
    assert (found.indexes, found.invalid) == ((), 5)


def test_kinds_are_told_apart_and_sessions_stay_in_order() -> None:
    """However they were read."""
    names = [("quiet", 0, 1), ("quiet", 5, 0), ("quiet", 0, 0)]
    found = by_kind([judge_recording(recording(job(*each, pairs=4))) for each in names])
    assert {kind: [each.job.number for each in group] for kind, group in found.items()} == {
        ("quiet", 0): [0, 1],
        ("quiet", 5): [0],
    }
