"""A published data set folded into figures: over named units, by runtime, by scenario, by configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.judge.published.runs import RunFigures, RunMeans, configuration_name, run_figures, run_means
from harness.judge.published.solo import SoloRate
from harness.judge.published.spread import CONFIGURATION_MEANS, RUNS, Spread, spread
from harness.records.published import PublishedRun, PublishedSession
from harness.scenarios import ContentionRules

_SAME = 1e-9
_SNIPPET_MS = 10_000.0


@dataclass(frozen=True, slots=True)
class DatasetFigures:
    """A published data set judged.

    Attributes:
        name: Its name.
        whole: Means over all its runs.
        configurations: Means over the runs of each configuration, in the order of the runs.
        scenarios: The same of each scenario, by name.
        runtimes: The same of each runtime, by name.
        over_runs: The guide's efficiency over its runs, %.
        over_configurations: The same over its configuration means, %.
        by_runtime: The same over the runs of each runtime, %.
        in_parallel: The configurations of every runtime that ran agents at the same time at all: of those with a run
            that is not flagged (all configurations, if there is no such runtime).
        ttft_apart: Runs in which the agents' TTFTs lie more than 10 s apart, and configurations with such a run. The
            guide's snippet (``ttft_delta > 10000``) calls that contention; no published run was flagged for it.
        same_speedup: Runs whose recorded speedup is the guide's speedup of their durations.
        same_flag: Runs whose recorded flag is what the recorded rule says.
    """

    name: str
    whole: RunMeans
    configurations: tuple[RunMeans, ...]
    scenarios: Mapping[str, RunMeans]
    runtimes: Mapping[str, RunMeans]
    over_runs: Spread
    over_configurations: Spread
    by_runtime: Mapping[str, Spread]
    in_parallel: tuple[RunMeans, ...]
    ttft_apart: tuple[int, int]
    same_speedup: int
    same_flag: int

    @property
    def report(self) -> str:
        """The report's number, the first part of the name: ``TR110`` of ``TR110-python-dual``."""
        return self.name.partition("-")[0]


def efficiency_over_runs(runs: Sequence[RunFigures]) -> Spread:
    """The guide's efficiency over n >= 1 runs, %."""
    named = [(f"{configuration_name(each.run)} run {each.run.index}", each.efficiency_pct) for each in runs]
    return spread(RUNS, named)


def efficiency_over_configurations(configurations: Sequence[RunMeans]) -> Spread:
    """The guide's efficiency over the means of n >= 1 configurations, %."""
    named = [(configuration_name(each.first), each.efficiency_pct) for each in configurations]
    return spread(CONFIGURATION_MEANS, named)


def dataset_figures(
    session: PublishedSession, rates: Mapping[str, SoloRate], rules: ContentionRules
) -> DatasetFigures | None:
    """A data set judged; None if it has no runs of agents together.

    Args:
        session: The data set.
        rates: Rates alone, by model.
        rules: The guide's symptoms, for the comparison with them.
    """
    if not session.runs:
        return None
    runs = tuple(run_figures(run) for run in session.runs)

    def means_by(name: Callable[[PublishedRun], str]) -> dict[str, RunMeans]:
        groups: dict[str, list[RunFigures]] = {}
        for each in runs:
            groups.setdefault(name(each.run), []).append(each)
        return {group: run_means(members, rates, rules) for group, members in groups.items()}

    configurations = tuple(means_by(configuration_name).values())
    runtimes = means_by(lambda run: run.runtime)
    working = {name for name, means in runtimes.items() if means.flagged < len(means.runs)}
    apart = [sum(abs(each.ttft_delta_ms) > _SNIPPET_MS for each in means.runs) for means in configurations]
    return DatasetFigures(
        name=session.dataset,
        whole=run_means(runs, rates, rules),
        configurations=configurations,
        scenarios=means_by(lambda run: run.scenario),
        runtimes=runtimes,
        over_runs=efficiency_over_runs(runs),
        over_configurations=efficiency_over_configurations(configurations),
        by_runtime={name: efficiency_over_runs(means.runs) for name, means in runtimes.items()},
        in_parallel=tuple(each for each in configurations if each.first.runtime in working) or configurations,
        ttft_apart=(sum(apart), sum(count > 0 for count in apart)),
        same_speedup=sum(abs(each.speedup - each.run.recorded.speedup) <= _SAME * each.speedup for each in runs),
        same_flag=sum(each.flagged == each.run.recorded.contention for each in runs),
    )
