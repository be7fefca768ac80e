"""What the judges said, counted."""

from __future__ import annotations

import pytest

from harness.judge import Verdict
from perf.verdicts.outcomes import Gate, Outcome
from perf.verdicts.rows import BOTH, OURS, Row, count_rows, said_of
from tests.perf_verdicts.sessions import job, outcome

SLOW, FAST = (1.2,) * 30, (1.0,) * 30


def gates(first: Verdict, second: Verdict, pairs: tuple[int, int] = (4, 6)) -> tuple[Gate, Gate]:
    """Both gates of a session."""
    return Gate("concurrent_wall_s", first, pairs[0]), Gate("slowdown", second, pairs[1])


PASSED = gates(Verdict.PASS, Verdict.PASS)


def row(rows: list[Row], judge: str, world: str = "quiet") -> Row:
    """The A/A row of a judge."""
    return next(each for each in rows if (each.world, each.change_pct, each.judge) == (world, 0, judge))


def test_each_gate_and_the_whole_scenario_are_said_with_what_they_cost() -> None:
    """A pair is two concurrent runs; the scenario goes on until its last gate is decided, and one alarm is enough."""
    mixed = gates(Verdict.FAIL, Verdict.INCONCLUSIVE, (5, 30))
    said = [each for each in said_of(outcome(job(), *mixed), None) if each.judge.startswith("ours")]
    assert [(each.judge, each.verdict.value, each.runs, each.pairs) for each in said] == [
        ("ours, concurrent_wall_s", "FAIL", 10, 5),
        ("ours, slowdown", "INCONCLUSIVE", 60, 30),
        (OURS, "FAIL", 10, 5),
        (OURS, "INCONCLUSIVE", 60, 30),
        ("ours, the scenario", "FAIL", 60, 30),
    ]


def test_the_other_judge_has_its_base_from_elsewhere_or_from_the_same_session() -> None:
    """A slow day of the stored base hides a change, and a base beside it does not; only the latter costs runs."""
    session, other = outcome(job(), *PASSED, candidate_s=SLOW), outcome(job(number=1), *PASSED, base_s=SLOW)
    said = {each.judge: (each.verdict.value, each.runs) for each in said_of(session, other) if "mean" in each.judge}
    assert said == {
        "mean:5%, 5 rounds, stored base": ("PASS", 5),
        "mean:5%, 30 rounds, stored base": ("PASS", 30),
        "mean:5%, 5 rounds, base beside it": ("FAIL", 10),
        "mean:5%, 30 rounds, base beside it": ("FAIL", 60),
    }


def test_only_its_own_rounds_count() -> None:
    """What a session recorded after them is nothing that it would have seen."""
    late = FAST[:5] + SLOW[5:]
    said = {each.judge: each.verdict.value for each in said_of(outcome(job(), *PASSED, candidate_s=late), None)}
    assert said["mean:5%, 5 rounds, base beside it"] == "PASS"
    assert said["mean:5%, 30 rounds, base beside it"] == "FAIL"


def test_rounds_that_were_not_recorded_are_not_judged() -> None:
    """A session of 7 pairs says nothing of 30 rounds, and without another session there is no stored base."""
    session = outcome(job(), *PASSED, base_s=FAST[:7], candidate_s=FAST[:7])
    assert [each.judge for each in said_of(session, None) if "mean" in each.judge] == [
        "mean:5%, 5 rounds, base beside it"
    ]


def test_the_stored_base_is_that_of_the_session_before() -> None:
    """The first session's is the last one's: as many comparisons as sessions, none with itself."""
    sessions = [outcome(job(number=n), *PASSED, base_s=SLOW if n == 1 else FAST, candidate_s=FAST) for n in range(3)]
    sessions[2] = outcome(job(number=2), *PASSED, candidate_s=SLOW)
    found = row(count_rows(sessions), "mean:5%, 5 rounds, stored base")
    assert (found.judged, found.alarms) == (3, 0)
    sessions[0] = outcome(job(number=0), *PASSED, candidate_s=SLOW)
    assert row(count_rows(sessions), "mean:5%, 5 rounds, stored base").alarms == 1


def _sessions(world: str) -> list[Outcome]:
    verdicts = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.INVALID, Verdict.PASS]
    return [outcome(job(world, number=n), *gates(verdict, Verdict.PASS)) for n, verdict in enumerate(verdicts)]


def test_rows_count_verdicts_with_an_exact_interval() -> None:
    """One alarm in eight gates; means over all of them."""
    found = row(count_rows(_sessions("quiet")), OURS)
    assert (found.judged, found.alarms, found.inconclusive, found.invalid) == (8, 1, 1, 1)
    assert (found.runs, found.pairs, found.most_pairs) == (10, 5, 6)
    assert (found.low, found.high) == pytest.approx((0.0032, 0.5265), abs=1e-4)


def test_false_alarms_are_summed_over_the_paced_worlds() -> None:
    """Not those of the engine, whose truth nobody dialled in, and not what was found of a change."""
    found = count_rows([*_sessions("quiet"), *_sessions("shared"), *_sessions("embedded")])
    changed = outcome(job(change_pct=5), *PASSED)
    assert row([*count_rows([changed]), *found], OURS, BOTH).judged == 16
    assert BOTH not in [each.world for each in count_rows([changed])]
