"""Published runs folded into figures: of each run, and means over some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from harness.judge import metrics
from harness.judge.published.solo import SoloRate, estimated_efficiency_pct, solo_symptoms
from harness.records.published import PublishedRun
from harness.scenarios import ContentionRules

RECORDED_SPEEDUP = 1.5
"""A run was flagged as contended if its speedup was below this: the recorded rule, whatever the reports say."""


@dataclass(frozen=True, slots=True)
class SoloComparison:
    """Runs against a rate alone.

    Attributes:
        rate: The rate.
        efficiency_pct: Estimated measured efficiency, mean over the runs, %: an upper estimate.
        slow: Runs in which an agent's throughput was too far below the rate.
        inefficient: Runs whose estimated efficiency was too low.
        flagged: Runs with one or the other.
    """

    rate: SoloRate
    efficiency_pct: float
    slow: int
    inefficient: int
    flagged: int


@dataclass(frozen=True, slots=True)
class RunFigures:
    """Figures of one run.

    Attributes:
        run: The run.
        speedup: The guide's speedup.
        efficiency_pct: The guide's efficiency, %.
        ttft_delta_ms: First agent's TTFT less the last one's, ms.
        throughput_delta_tok_s: Last agent's decode rate less the first one's, tok/s.
        tok_s: Decode rate, mean over the agents, tok/s.
        flagged: True by the recorded rule.
    """

    run: PublishedRun
    speedup: float
    efficiency_pct: float
    ttft_delta_ms: float
    throughput_delta_tok_s: float
    tok_s: float
    flagged: bool


@dataclass(frozen=True, slots=True)
class RunMeans:
    """Means over n >= 1 runs: of one configuration, one scenario, or all of them.

    Attributes:
        runs: Figures of the runs.
        speedup, efficiency_pct, ttft_delta_ms, throughput_delta_tok_s, tok_s: Means of theirs.
        sd_pp: Sample SD of the guide's efficiency over them, percentage points; None for one run.
        flagged: How many of them are flagged by the recorded rule.
        solo: Against a rate alone; None if there is none for the model, or there are several models.
    """

    runs: tuple[RunFigures, ...]
    speedup: float
    efficiency_pct: float
    ttft_delta_ms: float
    throughput_delta_tok_s: float
    tok_s: float
    sd_pp: float | None
    flagged: int
    solo: SoloComparison | None

    @property
    def first(self) -> PublishedRun:
        """The first run: it says what all runs of a configuration share."""
        return self.runs[0].run


def configuration_name(run: PublishedRun) -> str:
    """Name of a run's configuration, unique in its data set."""
    return "/".join(part for part in (run.runtime, run.phase, run.configuration) if part)


def run_figures(run: PublishedRun) -> RunFigures:
    """Figures of one run, by the formulas that every measured block is judged by.

    Source: the recorded rule of contention, which equals the recorded flag of every published run.
    """
    durations = [float(agent.duration_ns) for agent in run.run.agents]
    wall = float(run.run.wall_ns)
    speedup = metrics.guide_speedup(durations, wall)
    return RunFigures(
        run=run,
        speedup=speedup,
        efficiency_pct=metrics.guide_efficiency_pct(durations, wall),
        ttft_delta_ms=run.totals[0].ttft_ms - run.totals[-1].ttft_ms,
        throughput_delta_tok_s=run.totals[-1].tok_s - run.totals[0].tok_s,
        tok_s=fmean(totals.tok_s for totals in run.totals),
        flagged=speedup < RECORDED_SPEEDUP,
    )


def run_means(runs: Sequence[RunFigures], rates: Mapping[str, SoloRate], rules: ContentionRules) -> RunMeans:
    """Means over n >= 1 runs.

    Args:
        runs: Their figures.
        rates: Rates alone, by model.
        rules: The guide's symptoms, for the comparison with them.
    """
    return RunMeans(
        runs=tuple(runs),
        speedup=fmean(run.speedup for run in runs),
        efficiency_pct=fmean(run.efficiency_pct for run in runs),
        ttft_delta_ms=fmean(run.ttft_delta_ms for run in runs),
        throughput_delta_tok_s=fmean(run.throughput_delta_tok_s for run in runs),
        tok_s=fmean(run.tok_s for run in runs),
        sd_pp=stdev(run.efficiency_pct for run in runs) if len(runs) > 1 else None,
        flagged=sum(run.flagged for run in runs),
        solo=_compare_with_solo(runs, rates, rules),
    )


def _compare_with_solo(
    runs: Sequence[RunFigures], rates: Mapping[str, SoloRate], rules: ContentionRules
) -> SoloComparison | None:
    models = {run.run.model for run in runs}
    rate = rates.get(models.pop()) if len(models) == 1 else None
    if rate is None:
        return None
    fired = [{symptom.rule for symptom in solo_symptoms(run.run, rate.tok_s, rules)} for run in runs]
    return SoloComparison(
        rate=rate,
        efficiency_pct=fmean(estimated_efficiency_pct(run.run, rate.tok_s) for run in runs),
        slow=sum("throughput" in each for each in fired),
        inefficient=sum("efficiency" in each for each in fired),
        flagged=sum(bool(each) for each in fired),
    )
