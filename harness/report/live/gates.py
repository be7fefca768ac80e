"""A scenario's gates as gauges: where each running interval stands, and its limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.judge import Change, Gate, ScenarioSummary, Verdict
from harness.records.session import BASE
from harness.report.live.scene import Gauge
from harness.report.verdicts import METRIC_NAMES
from harness.scenarios import Stopping

_SHARE = "contention_rate"
_FACTORS = {"guide_speedup", "measured_speedup"}


def gauges_of(summary: ScenarioSummary, stopping: Stopping) -> tuple[Gauge, ...]:
    """A gauge for each gate and each comparison with the base; without a verdict if that is only taken at the end."""
    found = tuple(_gauges(summary))
    return tuple(replace(gauge, verdict="") for gauge in found) if stopping.fixed else found


def standing(summary: ScenarioSummary, stopping: Stopping) -> str:
    """What the gauges rest on, in words."""
    valid, invalid = len(summary.blocks), len(summary.invalid)
    lost = f", {invalid} could not be judged" if invalid else ""
    if not summary.gates and not summary.changes:
        return lost.removeprefix(", ")
    last = f"; judged once, after {stopping.runs}" if stopping.fixed else ""
    return f"95 % intervals after {valid} block{'s' * (valid != 1)}{lost}{last}"


def _gauges(summary: ScenarioSummary) -> Iterator[Gauge]:
    for gate in summary.gates:
        yield _of_gate(gate)
    for change in summary.changes:
        if change.against == BASE and change.verdict is not Verdict.INVALID:
            yield _of_change(change)


def _of_gate(gate: Gate) -> Gauge:
    metric, found = gate.limit.metric, gate.estimate
    scale = 100.0 if metric == _SHARE else 1.0
    return Gauge(
        name=METRIC_NAMES[metric],
        unit="x" if metric in _FACTORS else "%",
        point=scale * found.point,
        low=None if found.low is None else scale * found.low,
        high=None if found.high is None else scale * found.high,
        limit=scale * gate.limit.value,
        at_least=gate.limit.side == "min",
        verdict=gate.verdict.value,
    )


def _of_change(change: Change) -> Gauge:
    """In per cent of the base's."""
    ratio, sign = change.ratio, 1 if change.worse == "higher" else -1
    return Gauge(
        name=f"{METRIC_NAMES[change.metric]}, of the base's",
        unit="%",
        point=100 * ratio.point,
        low=None if ratio.low is None else 100 * ratio.low,
        high=None if ratio.high is None else 100 * ratio.high,
        limit=100 + sign * change.worse_pct,
        at_least=sign < 0,
        verdict=change.verdict.value,
    )
