"""Text for the terminal: progress, the summary's table, and the messages of failing tests."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge import (
    AgentFigures,
    Estimate,
    Gate,
    ScenarioSummary,
    Symptom,
    Verdict,
    block_figures,
    invalid_reasons,
)
from harness.records import Block, Calibration
from harness.scenarios import InstrumentLimits

_UNITS = {
    "guide_efficiency_pct": "%",
    "measured_efficiency_pct": "%",
    "guide_speedup": "x",
    "measured_speedup": "x",
}
_NAMES = {
    "guide_efficiency_pct": "guide's efficiency",
    "guide_speedup": "guide's speedup",
    "measured_efficiency_pct": "measured efficiency",
    "measured_speedup": "measured speedup",
    "contention_rate": "contention rate",
}


def printable(text: str) -> str:
    """Text of a server or model with everything that could steer a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose newlines stay."""
    return "\n".join(printable(line) for line in text.splitlines())


def _figure(metric: str, value: float) -> str:
    if metric == "contention_rate":
        return f"{100 * value:.1f} %"
    unit = _UNITS[metric]
    return f"{value:.2f}x" if unit == "x" else f"{value:.1f} %"


def _span(metric: str, estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"n = {estimate.n}, no interval"
    low, high = _figure(metric, estimate.low), _figure(metric, estimate.high)
    return f"95 % interval {low} to {high}, n = {estimate.n}"


def gate_line(gate: Gate) -> str:
    """One gate in words: the figure, its interval, the limit, the verdict and the worst block."""
    metric = gate.limit.metric
    side = "at least" if gate.limit.side == "min" else "at most"
    worst = (
        f"most symptoms in block {gate.worst_block}: {gate.worst_value:.0f}"
        if metric == "contention_rate"
        else f"worst block {gate.worst_block}: {_figure(metric, gate.worst_value)}"
    )
    return (
        f"{gate.verdict.value}: {_NAMES[metric]} {_figure(metric, gate.estimate.point)} "
        f"({_span(metric, gate.estimate)}), limit {side} {_figure(metric, gate.limit.value)}; {worst}"
    )


def _symptom(symptom: Symptom) -> str:
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
    decisive = [_NAMES[gate.limit.metric] for gate in scenario.gates if gate.verdict is scenario.verdict]
    lines = [f"{scenario.name}: {scenario.verdict.value} by {', '.join(decisive) or 'no limit'}"]
    lines += [f"  {gate_line(gate)}" for gate in scenario.gates]
    if scenario.overlap_only:
        lines.append(f"  {overlap_words(scenario)}")
    lines += [
        f"  contention in block {index}: {'; '.join(_symptom(s) for s in fired)}"
        for index, fired in scenario.symptoms.items()
    ]
    return "\n".join(lines + _invalid_lines(scenario))


def invalid_message(scenario: ScenarioSummary) -> str:
    """Why nothing can be said about a scenario."""
    total = len(scenario.blocks) + len(scenario.invalid)
    lines = [f"{scenario.name}: INVALID, {len(scenario.blocks)} of {total} blocks could be judged"]
    return "\n".join(lines + _invalid_lines(scenario))


def _invalid_lines(scenario: ScenarioSummary) -> list[str]:
    return [
        f"  block {index} is invalid: {printable('; '.join(reasons))}" for index, reasons in scenario.invalid.items()
    ]


def calibration_line(found: Calibration) -> str:
    """What the instrument is off by, in one line."""
    return (
        f"  instrument: TTFT {found.ttft_bias_ms:+.3f} ms (p99 {found.ttft_error_p99_ms:.3f}), gaps p99 "
        f"{found.gap_error_p99_ms:.3f} ms, loop lag p99 {found.loop_lag_p99_ms:.1f} ms at {found.streams} streams "
        f"({found.stamped_by} stamps, {found.loop})"
    )


def progress_line(block: Block, runs: int, instrument: InstrumentLimits | None = None) -> str:
    """One line about a block that has just ended."""
    name = "warm-up" if block.warmup else f"block {block.index}/{runs}"
    reasons = invalid_reasons(block, instrument)
    if reasons:
        return f"  {block.scenario} {name}: invalid: {printable(reasons[0])}"
    figures = block_figures(block)
    agents = ", ".join(f"{a.role} {a.solo.tok_s:.0f} -> {a.concurrent.tok_s:.0f} tok/s" for a in figures.agents)
    return (
        f"  {block.scenario} {name}: {agents}; efficiency: guide's {figures.guide_efficiency_pct:.0f} %, "
        f"measured {figures.measured_efficiency_pct:.0f} %"
    )


_COLUMNS = (
    "scenario",
    "verdict",
    "n",
    "guide's efficiency",
    "guide's speedup",
    "measured efficiency",
    "measured speedup",
    "contention",
    "tok/s",
)
_AGENT_COLUMNS = ("alone -> together", "TTFT ms", "ITL p50 ms", "ITL p99 ms", "TPOT ms", "tok/s", "slowdown", "wait ms")


def _with_interval(estimate: Estimate, digits: int) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.point:.{digits}f}"
    return f"{estimate.point:.{digits}f} +-{(estimate.high - estimate.low) / 2:.{digits}f}"


def _row(scenario: ScenarioSummary) -> tuple[str, ...]:
    found = scenario.estimates
    n = str(len(scenario.blocks)) + (f" (+{len(scenario.invalid)} invalid)" if scenario.invalid else "")
    if not found:
        return (scenario.name, scenario.verdict.value, n, *("-",) * (len(_COLUMNS) - 3))
    return (
        scenario.name,
        scenario.verdict.value,
        n,
        f"{_with_interval(found['guide_efficiency_pct'], 1)} %",
        f"{found['guide_speedup'].point:.2f}x",
        f"{_with_interval(found['measured_efficiency_pct'], 1)} %",
        f"{found['measured_speedup'].point:.2f}x",
        f"{len(scenario.symptoms)}/{len(scenario.blocks)}",
        f"{found['aggregate_tok_s'].point:.1f}",
    )


def _change(agent: AgentFigures, name: str, digits: int) -> str:
    alone, together = (getattr(arm, name) for arm in (agent.solo, agent.concurrent))
    return " -> ".join("-" if value is None else f"{value:.{digits}f}" for value in (alone, together))


def _agent_rows(scenario: ScenarioSummary) -> list[tuple[str, ...]]:
    return [
        (
            f"{scenario.name} {agent.role}",
            _change(agent, "ttft_ms", 0),
            _change(agent, "itl_p50_ms", 1),
            _change(agent, "itl_p99_ms", 1),
            _change(agent, "tpot_ms", 1),
            _change(agent, "tok_s", 1),
            f"{agent.slowdown:.2f}x",
            f"{agent.wait_ms:.0f}",
        )
        for agent in scenario.agents
    ]


def _aligned(rows: Sequence[Sequence[str]], names: int) -> list[str]:
    """Rows in columns, the first ``names`` of them flush left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < names else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def summary_lines(scenarios: Sequence[ScenarioSummary]) -> list[str]:
    """The table of a session, its deltas, and what needs saying in words."""
    lines = _aligned([_COLUMNS, *(_row(scenario) for scenario in scenarios)], names=2)
    agents = [row for scenario in scenarios for row in _agent_rows(scenario)]
    if agents:
        lines += ["", *_aligned([_AGENT_COLUMNS, *agents], names=1)]
    for scenario in scenarios:
        if not scenario.estimates:
            lines += ["", invalid_message(scenario)]
            continue
        ttft, rate = scenario.estimates["ttft_delta_ms"], scenario.estimates["throughput_delta_tok_s"]
        signed_ttft = scenario.estimates["ttft_delta_signed_ms"].point
        signed_rate = scenario.estimates["throughput_delta_signed_tok_s"].point
        lines += [
            "",
            f"{scenario.name}: between the agents while together: TTFT delta {ttft.point:.0f} ms "
            f"({signed_ttft:+.0f}), throughput delta {rate.point:.1f} tok/s ({signed_rate:+.1f})",
        ]
        lines += [f"  {gate_line(gate)}" for gate in scenario.gates if gate.verdict is not Verdict.PASS]
        if scenario.overlap_only:
            lines.append(f"  {overlap_words(scenario)}")
        lines += _invalid_lines(scenario)
    return lines
