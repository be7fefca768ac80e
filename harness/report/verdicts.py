"""Verdicts in words: gates, comparisons, symptoms, and the messages of failing tests."""

from __future__ import annotations

from harness.judge import Change, Estimate, Gate, ScenarioSummary, Symptom, Verdict
from harness.report.text import printable

DRIFT_P = 0.01
_HOPELESS_PCT = 1000.0
_UNITS = {
    "guide_efficiency_pct": "%",
    "measured_efficiency_pct": "%",
    "guide_speedup": "x",
    "measured_speedup": "x",
}
METRIC_NAMES = {
    "guide_efficiency_pct": "guide's efficiency",
    "guide_speedup": "guide's speedup",
    "measured_efficiency_pct": "measured efficiency",
    "measured_speedup": "measured speedup",
    "contention_rate": "contention rate",
    "concurrent_wall_s": "wall time of the concurrent run",
    "slowdown": "slowdown",
    "ttft_ratio": "TTFT together over alone",
    "concurrent_ttft_ms": "TTFT together",
    "aggregate_tok_s": "throughput together",
}
"""What metrics are called, those that can have a limit and those that are compared."""


def figure_words(metric: str, value: float) -> str:
    """A value of a metric that can have a limit, with its unit."""
    if metric == "contention_rate":
        return f"{100 * value:.1f} %"
    unit = _UNITS[metric]
    return f"{value:.2f}x" if unit == "x" else f"{value:.1f} %"


def _span(metric: str, estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"n = {estimate.n}, no interval"
    low, high = figure_words(metric, estimate.low), figure_words(metric, estimate.high)
    return f"95 % {estimate.method} {low} to {high}, n = {estimate.n}"


def gate_line(gate: Gate) -> str:
    """One gate in words: the figure, its interval, the limit, the verdict and the worst block."""
    metric = gate.limit.metric
    side = "at least" if gate.limit.side == "min" else "at most"
    worst = (
        f"most symptoms in block {gate.worst_block}: {gate.worst_value:.0f}"
        if metric == "contention_rate"
        else f"worst block {gate.worst_block}: {figure_words(metric, gate.worst_value)}"
    )
    return (
        f"{gate.verdict.value}: {METRIC_NAMES[metric]} {figure_words(metric, gate.estimate.point)} "
        f"({_span(metric, gate.estimate)}), limit {side} {figure_words(metric, gate.limit.value)}; {worst}"
        f"{_fine_print(gate)}"
    )


def _fine_print(gate: Gate) -> str:
    """When it was decided or what could have been found out, and what is odd in the blocks."""
    notes = [f"decided at block {gate.decided_at}"] if gate.decided_at is not None and gate.estimate.n > 1 else []
    if gate.mde_pct is not None:
        notes.append(f"{gate.mde_pct:.1f} % beyond the limit would have been found")
    if gate.outliers:
        blocks = ", ".join(map(str, gate.outliers))
        notes.append(f"outliers: {blocks} (without them: {gate.verdict_without})")
    if gate.drift_p is not None and gate.drift_p < DRIFT_P:
        notes.append(f"it drifts over the blocks (p = {gate.drift_p:.2g})")
    return "".join(f"; {note}" for note in notes)


def change_line(change: Change) -> str:
    """One comparison in words: how much worse or better, its interval, what was shown, what could have been found."""
    name = METRIC_NAMES[change.metric]
    if change.verdict is Verdict.INVALID:
        return f"INVALID: {name} against {change.against}: {change.reason}"
    ratio = change.ratio
    span = "no interval" if ratio.low is None or ratio.high is None else f"{_pct(ratio.low)} to {_pct(ratio.high)}"
    better = "better" if (ratio.point > 1) == (change.worse == "lower") else "worse"
    direction = "unchanged" if _pct(ratio.point) == _pct(1.0) else better
    what = "session" if change.against.startswith("baseline") else "pair"
    said = {
        Verdict.PASS: f"not {change.worse_pct:g} % worse",
        Verdict.FAIL: f"more than {change.noise_pct:g} % worse",
        Verdict.INCONCLUSIVE: "not decided",
    }[change.verdict]
    at = f" at {what} {change.decided_at}" if change.decided_at is not None else ""
    found = "" if change.mde_pct is None else f"; {change.mde_pct:.1f} % worse would have been found"
    if change.mde_pct is not None and change.mde_pct > _HOPELESS_PCT:
        found = "; nothing smaller than many times worse would have been found"
    good = "; TOO GOOD to be an improvement: does the base do the same work?" if change.too_good else ""
    return (
        f"{change.verdict.value}: {name} against {change.against}: {_pct(ratio.point)} "
        f"({direction}; 95 % {ratio.method} {span}, {ratio.n} {what}s): {said}{at}{found}{good}"
    )


def _pct(ratio: float) -> str:
    return f"{100 * (ratio - 1):+z.1f} %"


def symptom_words(symptom: Symptom) -> str:
    """A symptom, on whom it fired, and its limit."""
    if symptom.rule == "ttft":
        return f"TTFT of {symptom.role} {symptom.value:.1f} s over its solo one (limit {symptom.limit:g} s)"
    if symptom.rule == "throughput":
        return f"throughput of {symptom.role} {symptom.value:.0f} % below its solo one (limit {symptom.limit:g} %)"
    return f"measured efficiency {symptom.value:.0f} % (limit {symptom.limit:g} %)"


def overlap_words(scenario: ScenarioSummary) -> str:
    """The sentence for agents that overlap without running in parallel."""
    guide = scenario.estimates["guide_efficiency_pct"].point
    measured = scenario.estimates["measured_efficiency_pct"].point
    slow = ", ".join(f"{agent.role} {agent.slowdown:.2f}x slower than alone" for agent in scenario.agents)
    return (
        f"the agents overlap {guide:.0f} % of the time but do not run in parallel: "
        f"against their solo baselines they reach {measured:.0f} % ({slow})"
    )


def breach_message(scenario: ScenarioSummary) -> str:
    """Why a scenario's verdict is what it is: every gate, then the symptoms of each block."""
    decisive = [METRIC_NAMES[gate.limit.metric] for gate in scenario.gates if gate.verdict is scenario.verdict]
    decisive += [
        f"{METRIC_NAMES[each.metric]} against {each.against}"
        for each in scenario.changes
        if each.verdict is scenario.verdict
    ]
    lines = [f"{scenario.name}: {scenario.verdict.value} by {', '.join(decisive) or 'no limit'}"]
    lines += [f"  {gate_line(gate)}" for gate in scenario.gates]
    lines += [f"  {change_line(change)}" for change in scenario.changes]
    if scenario.overlap_only:
        lines.append(f"  {overlap_words(scenario)}")
    lines += [
        f"  contention in block {index}: {'; '.join(symptom_words(s) for s in fired)}"
        for index, fired in scenario.symptoms.items()
    ]
    return "\n".join(lines + invalid_lines(scenario))


def invalid_message(scenario: ScenarioSummary) -> str:
    """Why nothing can be said about a scenario."""
    total = len(scenario.blocks) + len(scenario.invalid)
    lines = [f"{scenario.name}: INVALID, {len(scenario.blocks)} of {total} blocks could be judged"]
    lines += [f"  {change_line(change)}" for change in scenario.changes if change.verdict is Verdict.INVALID]
    return "\n".join(lines + invalid_lines(scenario))


def invalid_lines(scenario: ScenarioSummary) -> list[str]:
    """Why blocks could not be judged, a line each."""
    return [
        f"  block {index} is invalid: {printable('; '.join(reasons))}" for index, reasons in scenario.invalid.items()
    ]
