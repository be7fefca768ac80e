"""What each judge said of the same sessions, counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.judge import Verdict, overall, share_estimate
from harness.scenarios import DEFAULT_MAX_RUNS
from perf.verdicts.outcomes import Outcome, by_kind
from perf.verdicts.plain import DEFAULT_ROUNDS, EXPRESSION, alarms
from perf.verdicts.worlds import PACED

OURS = "ours, every gate"
BOTH = "paced"
"""Stands for the world in the rows over all paced ones."""
_ROUNDS = (DEFAULT_ROUNDS, DEFAULT_MAX_RUNS)


@dataclass(frozen=True, slots=True)
class Said:
    """What one judge said of one session.

    Attributes:
        judge: Who, and of what.
        verdict: FAIL is an alarm.
        runs: Concurrent runs that it needed of this session, of base and candidate.
        pairs: Pairs of them, if it takes pairs.
    """

    judge: str
    verdict: Verdict
    runs: int
    pairs: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One judge on all sessions of one kind.

    Attributes:
        world: The world, or ``BOTH``.
        change_pct: What was dialled in.
        judge: Who.
        judged: How often it judged.
        alarms: How often it said FAIL.
        low, high: Exact 95 % interval of their share.
        inconclusive: How often it said INCONCLUSIVE.
        invalid: How often it said INVALID.
        runs: Mean number of concurrent runs that it needed.
        pairs: Mean number of pairs, if it takes pairs.
        most_pairs: The largest number of pairs.
    """

    world: str
    change_pct: int
    judge: str
    judged: int
    alarms: int
    low: float
    high: float
    inconclusive: int
    invalid: int
    runs: float
    pairs: float | None
    most_pairs: int | None


def said_of(outcome: Outcome, other: Outcome | None) -> Iterator[Said]:
    """All judges on one session; ``other`` is the one whose base was stored, None if there is none."""
    for gate in outcome.gates:
        yield Said(f"ours, {gate.metric}", gate.verdict, 2 * gate.pairs, gate.pairs)
    for gate in outcome.gates:
        yield Said(OURS, gate.verdict, 2 * gate.pairs, gate.pairs)
    last = max(gate.pairs for gate in outcome.gates)
    yield Said("ours, the scenario", overall([gate.verdict for gate in outcome.gates]), 2 * last, last)
    stored = other.base_s if other else ()
    for name, base_s, costs_base in (("stored base", stored, False), ("base beside it", outcome.base_s, True)):
        for rounds in _ROUNDS:
            if min(len(base_s), len(outcome.candidate_s)) >= rounds:
                alarm = alarms(base_s[:rounds], outcome.candidate_s[:rounds])
                runs = 2 * rounds if costs_base else rounds
                yield Said(f"{EXPRESSION}, {rounds} rounds, {name}", Verdict.FAIL if alarm else Verdict.PASS, runs)


def count_rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Rows by world and change; those of A/A sessions over all paced worlds come last."""
    found: list[Row] = []
    same: list[Said] = []
    for (world, change_pct), sessions in by_kind(outcomes).items():
        others = (
            [sessions[-1], *sessions[:-1]] if len(sessions) > 1 else [None]
        )  # the session before; the first's: last
        said = [each for session, other in zip(sessions, others, strict=True) for each in said_of(session, other)]
        found += _rows(world, change_pct, said)
        if world in PACED and change_pct == 0:
            same += said
    return [*found, *_rows(BOTH, 0, same)]


def _rows(world: str, change_pct: int, said: Sequence[Said]) -> Iterator[Row]:
    for judge in dict.fromkeys(each.judge for each in said):
        mine = [each for each in said if each.judge == judge]
        verdicts = [each.verdict for each in mine]
        share = share_estimate(verdicts.count(Verdict.FAIL), len(mine))
        pairs = [each.pairs for each in mine if each.pairs is not None]
        yield Row(
            world=world,
            change_pct=change_pct,
            judge=judge,
            judged=len(mine),
            alarms=verdicts.count(Verdict.FAIL),
            low=share.low or 0.0,
            high=1.0 if share.high is None else share.high,
            inconclusive=verdicts.count(Verdict.INCONCLUSIVE),
            invalid=verdicts.count(Verdict.INVALID),
            runs=fmean(each.runs for each in mine),
            pairs=fmean(pairs) if pairs else None,
            most_pairs=max(pairs) if pairs else None,
        )
