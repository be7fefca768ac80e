"""Scenarios in tables: the guide's figures and the measured ones with their intervals, agents, gates, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.judge import Change, Estimate, Gate, ScenarioSummary, Verdict
from harness.report.html.parts import Group, Table, number, table, table_of
from harness.report.terminal import agent_grid, scenario_grid
from harness.report.verdicts import DRIFT_P, METRIC_NAMES, change_line, figure_words

# name, what it is called, whose it is, decimals, unit, factor
_FIGURES: Final[tuple[tuple[str, str, str, int, str, float], ...]] = (
    ("guide_efficiency_pct", "efficiency: how equal the durations were", "guide's", 1, " %", 1),
    ("guide_speedup", "speedup", "guide's", 2, "x", 1),
    ("sequential_estimate_s", "one after the other, estimated", "guide's", 3, " s", 1),
    ("measured_efficiency_pct", "efficiency: what running together gained", "measured", 1, " %", 1),
    ("measured_speedup", "speedup", "measured", 2, "x", 1),
    ("efficiency_bound_pct", "best efficiency that unequal agents allow", "measured", 1, " %", 1),
    ("sequential_measured_s", "one after the other", "measured", 3, " s", 1),
    ("concurrent_wall_s", "together (makespan)", "measured", 3, " s", 1),
    ("slowdown", "time in requests, together over alone", "measured", 2, "x", 1),
    ("ttft_ratio", "TTFT, together over alone", "measured", 2, "x", 1),
    ("aggregate_tok_s", "throughput together", "measured", 1, " tok/s", 1),
    ("fairness", "fairness: Jain's index, 1 if slowed alike", "measured", 3, "", 1),
    ("contention_rate", "blocks with contention", "the guide's symptoms", 1, " %", 100),
    ("ttft_delta_ms", "TTFT between the agents", "measured", 0, " ms", 1),
    ("throughput_delta_tok_s", "throughput between the agents", "measured", 1, " tok/s", 1),
)


def overview(scenarios: Sequence[ScenarioSummary]) -> list[Table]:
    """All scenarios beside each other, and all their agents."""
    agents = agent_grid(scenarios)
    grids = [scenario_grid(scenarios)._replace(title="the guide's figures and the measured ones (+- 95 %)")]
    if len(agents.rows) > 1:
        grids.append(agents._replace(title="agents, alone -> together, means over the blocks"))
    return [table_of(grid) for grid in grids]


def scenario_groups(scenarios: Sequence[ScenarioSummary]) -> list[Group]:
    """Each scenario's tables."""
    several = len(scenarios) > 1
    return [
        Group(
            scenario.name,
            (f"{scenario.verdict.value}, {len(scenario.blocks)} valid blocks",),
            tables=tuple(_tables(scenario)),
            open=not several or scenario.verdict is Verdict.FAIL,
        )
        for scenario in scenarios
    ]


def _tables(scenario: ScenarioSummary) -> list[Table]:
    tables = []
    if scenario.estimates:
        tables.append(_figures(scenario))
    if scenario.gates:
        tables.append(_gates(scenario))
    if scenario.changes:
        tables.append(_changes(scenario))
    return tables


def _figures(scenario: ScenarioSummary) -> Table:
    rows = [
        (name, whose, *_estimate(scenario.estimates[figure], digits, unit, factor))
        for figure, name, whose, digits, unit, factor in _FIGURES
        if figure in scenario.estimates
    ]
    headings = ("figure", "kind", "value", "95 % interval", "n", "interval made by")
    return table(f"{scenario.name}: figures", headings, rows, (0, 1, 5))


def _estimate(found: Estimate, digits: int, unit: str, factor: float) -> tuple[str, ...]:
    point = f"{number(factor * found.point, digits)}{unit}"
    if found.low is None or found.high is None:
        return point, "none", str(found.n), found.method
    low, high = (number(factor * end, digits) for end in (found.low, found.high))
    return point, f"{low} to {high}{unit}", str(found.n), found.method


def _gates(scenario: ScenarioSummary) -> Table:
    headings = (
        "gate",
        "verdict",
        "value",
        "limit",
        "95 % interval",
        "n",
        "decided at",
        "would have found",
        "worst",
        "odd",
    )
    rows = [_gate(gate) for gate in scenario.gates]
    return table(f"{scenario.name}: gates", headings, rows, (0, 1, 9))


def _gate(gate: Gate) -> tuple[str, ...]:
    metric, found = gate.limit.metric, gate.estimate
    none = found.low is None or found.high is None
    span = "none" if none else f"{figure_words(metric, found.low or 0.0)} to {figure_words(metric, found.high or 0.0)}"
    odd = [f"outliers: blocks {', '.join(map(str, gate.outliers))}"] if gate.outliers else []
    if gate.drift_p is not None and gate.drift_p < DRIFT_P:
        odd.append(f"drifts (p = {gate.drift_p:.2g})")
    worst = number(gate.worst_value, 0) if metric == "contention_rate" else figure_words(metric, gate.worst_value)
    return (
        METRIC_NAMES[metric],
        gate.verdict.value,
        figure_words(metric, found.point),
        f"{'at least' if gate.limit.side == 'min' else 'at most'} {figure_words(metric, gate.limit.value)}",
        span,
        str(found.n),
        "-" if gate.decided_at is None else f"block {gate.decided_at}",
        "-" if gate.mde_pct is None else f"{gate.mde_pct:.1f} % beyond",
        f"{worst} (block {gate.worst_block})",
        "; ".join(odd) or "-",
    )


def _changes(scenario: ScenarioSummary) -> Table:
    headings = (
        "compared",
        "verdict",
        "against",
        "change",
        "95 % interval",
        "n",
        "PASS rules out",
        "decided at",
        "in words",
    )
    rows = [_change(change) for change in scenario.changes]
    return table(f"{scenario.name}: comparisons", headings, rows, (0, 1, 2, 8))


def _change(change: Change) -> tuple[str, ...]:
    ratio = change.ratio
    none = ratio.low is None or ratio.high is None
    span = "none" if none else f"{_percent(ratio.low or 0.0)} to {_percent(ratio.high or 0.0)}"
    return (
        METRIC_NAMES[change.metric],
        change.verdict.value,
        change.against,
        _percent(ratio.point),
        span,
        str(ratio.n),
        f"{change.worse_pct:g} % worse ({change.worse})",
        "-" if change.decided_at is None else f"pair {change.decided_at}",
        change_line(change),
    )


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+z.1f} %"
