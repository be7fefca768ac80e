"""A rate that an agent had alone, and what the guide's symptoms would have said of a published run against it.

The published runs have no solo baseline. A decode rate alone, measured elsewhere, gives an estimate and not a
measurement: only the decode time of an agent is replaced by what it would have been at that rate, and its loads,
prompts and other waits are taken as they were together. So the estimate is too good wherever these cost time too,
and what was flagged by it would have been flagged by a measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from harness.judge.contention import Symptom
from harness.judge.metrics import measured_efficiency_pct
from harness.records.published import PublishedRun, PublishedSession
from harness.scenarios import ContentionRules

_S = 1e9


@dataclass(frozen=True, slots=True)
class SoloRate:
    """Decode rate of an agent alone.

    Attributes:
        tok_s: The rate, tok/s.
        n: Solo runs that it is the mean of; 0 if it was given.
        sd: Sample standard deviation over them; None below two.
        dataset: The data set that they are in; empty if it was given.
    """

    tok_s: float
    n: int = 0
    sd: float | None = None
    dataset: str = ""


def solo_rates(sessions: Sequence[PublishedSession]) -> Mapping[str, SoloRate]:
    """By model, the mean decode rate over the solo runs of the first data set that has any."""
    found: dict[str, SoloRate] = {}
    for session in sessions:
        for model in {solo.model for solo in session.solos} - found.keys():
            rates = [solo.totals.tok_s for solo in session.solos if solo.model == model]
            sd = stdev(rates) if len(rates) > 1 else None
            found[model] = SoloRate(fmean(rates), len(rates), sd, session.dataset)
    return found


def given_rate(tok_s: float, sessions: Sequence[PublishedSession]) -> Mapping[str, SoloRate]:
    """The same rate for every model of the sessions."""
    return {run.model: SoloRate(tok_s) for session in sessions for run in session.runs}


def estimated_solo_ns(run: PublishedRun, solo_tok_s: float) -> tuple[float, ...]:
    """Each agent's duration had it decoded at the solo rate and lost no other time less, ns.

    Source: duration - tokens / rate together + tokens / rate alone.
    """
    return tuple(
        agent.duration_ns - totals.tokens * _S / totals.tok_s + totals.tokens * _S / solo_tok_s
        for agent, totals in zip(run.run.agents, run.totals, strict=True)
    )


def estimated_efficiency_pct(run: PublishedRun, solo_tok_s: float) -> float:
    """The measured efficiency that the estimated solo durations give, %: an upper estimate."""
    return measured_efficiency_pct(estimated_solo_ns(run, solo_tok_s), run.run.wall_ns)


def solo_symptoms(run: PublishedRun, solo_tok_s: float, rules: ContentionRules) -> tuple[Symptom, ...]:
    """The guide's symptoms against a solo rate; its first one, TTFT, needs a solo TTFT and cannot be said.

    Source: the guide's contention rules: throughput more than 20 % down, efficiency below 80 %.
    """
    found = []
    for agent, totals in zip(run.run.agents, run.totals, strict=True):
        drop_pct = 100.0 * (1.0 - totals.tok_s / solo_tok_s)
        if drop_pct > rules.throughput_drop_pct:
            found.append(Symptom("throughput", agent.role, drop_pct, rules.throughput_drop_pct))
    efficiency_pct = estimated_efficiency_pct(run, solo_tok_s)
    if efficiency_pct < rules.efficiency_pct:
        found.append(Symptom("efficiency", None, efficiency_pct, rules.efficiency_pct))
    return tuple(found)
