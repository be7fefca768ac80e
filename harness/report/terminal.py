"""Text for the terminal: progress, and the summary's tables."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge import AgentFigures, Estimate, ScenarioSummary, Verdict, block_figures, invalid_reasons
from harness.judge.study import StudySummary
from harness.judge.validity import study_reasons
from harness.records import Block, Calibration, ModelMemory, Session
from harness.records.session import BASE
from harness.report.interference import interference_lines
from harness.report.loss import ledger_lines, loss_lines
from harness.report.resources import resource_lines
from harness.report.study import study_lines
from harness.report.text import Grid, aligned, printable
from harness.report.verdicts import change_line, gate_line, invalid_lines, invalid_message, overlap_words
from harness.scenarios import InstrumentLimits, Stopping


def calibration_line(found: Calibration) -> str:
    """What the instrument is off by, in one line."""
    return (
        f"  instrument: TTFT {found.ttft_bias_ms:+.3f} ms (p99 {found.ttft_error_p99_ms:.3f}), gaps p99 "
        f"{found.gap_error_p99_ms:.3f} ms, loop lag p99 {found.loop_lag_p99_ms:.1f} ms at {found.streams} streams "
        f"({found.stamped_by} stamps, {found.loop})"
    )


def progress_line(
    block: Block, stopping: Stopping, instrument: InstrumentLimits | None = None, reference: Sequence[ModelMemory] = ()
) -> str:
    """One line about a block that has just ended."""
    most = "" if stopping.fixed else " at most"
    name = "warm-up" if block.warmup else f"block {block.index}/{stopping.runs}{most}"
    if block.side == BASE:
        name = f"base, {name}"
    reasons = invalid_reasons(block, instrument, reference)
    if reasons:
        return f"  {block.scenario} {name}: invalid: {printable(reasons[0])}"
    figures = block_figures(block)
    agents = ", ".join(f"{a.role} {a.solo.tok_s:.0f} -> {a.concurrent.tok_s:.0f} tok/s" for a in figures.agents)
    return (
        f"  {block.scenario} {name}: {agents}; efficiency: guide's {figures.guide_efficiency_pct:.0f} %, "
        f"measured {figures.measured_efficiency_pct:.0f} %"
    )


def study_progress_line(block: Block, runs: int, instrument: InstrumentLimits | None = None) -> str:
    """One line about a block of a study that has just ended."""
    name = f"  {block.scenario} {'warm-up' if block.warmup else f'block {block.index}/{runs}'}: "
    reasons = study_reasons(block, instrument)
    if reasons:
        return f"{name}invalid: {printable(reasons[0])}"
    walls = {run.arm: run.wall_ns / 1e9 for run in block.runs}
    return name + ", ".join(f"{printable(arm)} {walls[arm]:.2f} s" for arm in sorted(walls))


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


def scenario_grid(scenarios: Sequence[ScenarioSummary]) -> Grid:
    """A row for each scenario: its verdict, both kinds of figures, contention and throughput."""
    return Grid("scenarios", [_COLUMNS, *(_row(scenario) for scenario in scenarios)], (0, 1))


def agent_grid(scenarios: Sequence[ScenarioSummary]) -> Grid:
    """A row for each agent of each scenario, alone and together; only headings if nothing was judged."""
    rows = [row for scenario in scenarios for row in _agent_rows(scenario)]
    return Grid("agents, alone and together", [_AGENT_COLUMNS, *rows])


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


def summary_lines(scenarios: Sequence[ScenarioSummary]) -> list[str]:
    """The table of a session, its deltas, and what needs saying in words."""
    grid, agents = scenario_grid(scenarios), agent_grid(scenarios)
    lines = aligned(grid.rows, grid.left)
    if len(agents.rows) > 1:
        lines += ["", *aligned(agents.rows, agents.left)]
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
        lines += [f"  {change_line(change)}" for change in scenario.changes]
        if scenario.overlap_only:
            lines.append(f"  {overlap_words(scenario)}")
        lines += invalid_lines(scenario)
        if scenario.loss is not None:
            wall_s = scenario.estimates["concurrent_wall_s"].point
            lines += ["", *loss_lines(scenario.name, scenario.loss, scenario.agent_losses, wall_s=wall_s)]
            lines += ["", *ledger_lines(scenario.name, scenario.ledgers)]
            for more in (
                interference_lines(scenario.name, scenario.interference),
                resource_lines(scenario.name, scenario.resources),
            ):
                lines += ["", *more] if more else []
    return lines


def judged_lines(
    session: Session,
    scenarios: Sequence[ScenarioSummary],
    studies: Sequence[StudySummary] = (),
    *,
    cut: bool = False,
) -> list[str]:
    """A session from its journal: the same tables, and what is to be known of the file.

    Args:
        session: The session.
        scenarios: Its scenarios, judged.
        studies: Its studies, judged.
        cut: A last line of the journal was cut short, and left out.
    """
    lines = [calibration_line(session.calibrations[-1]).strip()] if session.calibrations else []
    lines += summary_lines(scenarios) if scenarios else []
    for study in studies:
        lines += ["", *study_lines(study)]
    if cut:
        lines += ["", "the journal's last line was cut short, and left out: that session did not end as it should"]
    return lines
