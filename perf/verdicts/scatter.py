"""What recordings scatter by: whether the dialled noise came out, and how much processes of one program differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, stdev

from scipy.stats import f_oneway

from harness.judge import Verdict
from harness.records.session import BASE, CONCURRENT
from perf.verdicts.outcomes import Outcome, by_kind
from perf.verdicts.recordings import METRICS
from perf.verdicts.worlds import MODEL, PACED, agents, plan_of, run_factors

_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Dial:
    """A paced world as it was dialled in, and as it was recorded; SDs of natural logarithms.

    Attributes:
        world: The world.
        change_pct: The change that was dialled in, %.
        sessions: Sessions.
        run_sd: Dialled: each concurrent run's.
        found_run_sd: Recorded: of the base's wall times within a session.
        rest_sd: Of what a wall time has besides its own dialled factor: host and instrument.
        session_sd: Dialled: each session's.
        found_session_sd: Recorded: of the sessions' means.
        found_pct: Recorded change by metric, %, over all pairs.
    """

    world: str
    change_pct: int
    sessions: int
    run_sd: float
    found_run_sd: float
    rest_sd: float
    session_sd: float
    found_session_sd: float
    found_pct: dict[str, float]


@dataclass(frozen=True, slots=True)
class Differences:
    """How much candidate and base differ from session to session though they are the same program.

    Attributes:
        world: The world.
        metric: What was compared.
        sessions: Sessions of at least two pairs.
        pairs: Their mean number of pairs.
        pair_sd: SD of ln candidate - ln base from pair to pair within a session.
        session_sd: SD of the sessions' means.
        explained_sd: What the scatter from pair to pair alone would make of it.
        process_sd: What is left for the processes: sqrt(session_sd^2 - explained_sd^2); None if nothing is.
        p: Of "no session differs from the others", one-way analysis of variance.
        largest: The session's mean that is farthest from 0.
    """

    world: str
    metric: str
    sessions: int
    pairs: float
    pair_sd: float
    session_sd: float
    explained_sd: float
    process_sd: float | None
    p: float
    largest: float


def dials(outcomes: Sequence[Outcome]) -> list[Dial]:
    """One for each kind of paced sessions of which there are two at least."""
    return [
        _dial(world, change_pct, sessions)
        for (world, change_pct), all_sessions in by_kind(outcomes).items()
        if world in PACED and len(sessions := _with_pairs(all_sessions)) >= _FEWEST
    ]


def _dial(world: str, change_pct: int, sessions: Sequence[Outcome]) -> Dial:
    logs = [[log(wall) for wall in session.base_s] for session in sessions]
    rests = [
        [value - factor for value, factor in zip(values, _dialled(session), strict=True)]
        for values, session in zip(logs, sessions, strict=True)
    ]
    return Dial(
        world=world,
        change_pct=change_pct,
        sessions=len(sessions),
        run_sd=PACED[world].run_sd,
        found_run_sd=_within(logs),
        rest_sd=_within(rests),
        session_sd=PACED[world].session_sd,
        found_session_sd=stdev(map(fmean, logs)),
        found_pct={
            metric: 100 * (exp(fmean(each for s in sessions for each in s.differences[metric])) - 1)
            for metric in METRICS
        },
    )


def _dialled(session: Outcome) -> list[float]:
    """Logarithms of the factors of the base's concurrent runs."""
    plan = plan_of(session.job, BASE, agents(("", ""), MODEL, {}))
    factors = run_factors(session.job, plan)
    return [log(factors[index, CONCURRENT]) for index in session.indexes]


def process_differences(outcomes: Sequence[Outcome]) -> list[Differences]:
    """One for each world's A/A sessions and metric, where there are two sessions at least."""
    return [
        _differences(world, metric, groups)
        for (world, change_pct), sessions in by_kind(outcomes).items()
        if change_pct == 0
        for metric in METRICS
        if len(groups := [each.differences[metric] for each in _with_pairs(sessions)]) >= _FEWEST
    ]


def _differences(world: str, metric: str, groups: Sequence[Sequence[float]]) -> Differences:
    means = [fmean(group) for group in groups]
    between = stdev(means)
    explained = sqrt(fmean(stdev(group) ** 2 / len(group) for group in groups))
    own = between**2 - explained**2
    return Differences(
        world=world,
        metric=metric,
        sessions=len(groups),
        pairs=fmean(map(len, groups)),
        pair_sd=_within(groups),
        session_sd=between,
        explained_sd=explained,
        process_sd=sqrt(own) if own > 0 else None,
        p=float(f_oneway(*groups).pvalue),
        largest=max(means, key=abs),
    )


def _with_pairs(sessions: Sequence[Outcome]) -> list[Outcome]:
    """Sessions that can be judged and tell of a scatter."""
    return [each for each in sessions if len(each.indexes) >= _FEWEST and each.gates[0].verdict is not Verdict.INVALID]


def _within(groups: Sequence[Sequence[float]]) -> float:
    """SD within groups, pooled; each has two values at least."""
    squares = sum(stdev(group) ** 2 * (len(group) - 1) for group in groups)
    return sqrt(squares / sum(len(group) - 1 for group in groups))
