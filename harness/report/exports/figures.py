"""The main figures of a judged scenario as dashboards and CI services keep them: name, unit, and what is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from harness.judge import Estimate, ScenarioSummary, Verdict
from harness.judge.summary import CONTENTION_RATE

Better = Literal["more", "less"]

# by metric: unit, and which way is better (None: the guide's figures only say how equal the durations were)
MAIN_FIGURES: Mapping[str, tuple[str, Better | None]] = {
    "measured_efficiency_pct": ("%", "more"),
    "measured_speedup": ("x", "more"),
    "guide_efficiency_pct": ("%", None),
    "guide_speedup": ("x", None),
    "slowdown": ("x", "less"),
    "ttft_ratio": ("x", "less"),
    "fairness": ("index", "more"),
    CONTENTION_RATE: ("share", "less"),
    "concurrent_wall_s": ("s", "less"),
    "aggregate_tok_s": ("tok/s", "more"),
}
# of an agent while the others ran: unit, and which way is better
AGENT_FIGURES: Mapping[str, tuple[str, Better]] = {
    "ttft_ms": ("ms", "less"),
    "tpot_ms": ("ms", "less"),
    "end_to_end_ms": ("ms", "less"),
    "tok_s": ("tok/s", "more"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A finite figure of a scenario, or of one of its agents.

    Attributes:
        metric: Its name.
        unit: Its unit.
        better: Which way is better; None if neither is.
        value: The value.
        low: Lower end of its 95 % interval; None if it has none.
        high: Upper end.
        role: The agent while the others ran (a mean over the blocks); None of the scenario as a whole.
    """

    metric: str
    unit: str
    better: Better | None
    value: float
    low: float | None = None
    high: float | None = None
    role: str | None = None


def main_figures(scenario: ScenarioSummary) -> Iterator[Figure]:
    """The main figures of a scenario, then those of each agent; none of one that is INVALID."""
    if scenario.verdict is Verdict.INVALID:
        return
    for metric, (unit, better) in MAIN_FIGURES.items():
        found = scenario.estimates.get(metric)
        if found is not None and isfinite(found.point):
            low, high = finite_interval(found) or (None, None)
            yield Figure(metric, unit, better, found.point, low, high)
    for agent in scenario.agents:
        for metric, (unit, better) in AGENT_FIGURES.items():
            value: float | None = getattr(agent.concurrent, metric)
            if value is not None and isfinite(value):
                yield Figure(metric, unit, better, value, role=agent.role)


def finite_interval(found: Estimate) -> tuple[float, float] | None:
    """The ends of an estimate's interval; None if it has none that a file can hold."""
    if found.low is None or found.high is None or not (isfinite(found.low) and isfinite(found.high)):
        return None
    return found.low, found.high
