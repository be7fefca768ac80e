"""The summary of a session in Markdown, for a pull request or a CI job: verdicts in words, then what they rest on.

It is written for GitHub's Markdown, and nothing of a name or a reason means anything in it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from harness.judge import Estimate, ScenarioSummary, Verdict
from harness.judge.interference import strongest
from harness.judge.verdict import overall
from harness.report.exports.markdown import code, code_block, prose, table
from harness.report.interference import effect_cost, effect_sentence
from harness.report.judged import JudgedSession
from harness.report.loss import loss_grid
from harness.report.reproduction import reproduction
from harness.report.study import study_lines
from harness.report.terminal import calibration_line
from harness.report.verdicts import METRIC_NAMES, change_line, gate_line, invalid_lines, overlap_words

_NAMED = 8
"""Invalid blocks that are told one by one."""
_COLUMNS = (
    "scenario",
    "verdict",
    "blocks",
    "guide's efficiency",
    "measured efficiency",
    "guide's speedup",
    "measured speedup",
    "slowdown",
    "contention",
    "tok/s",
)


def summary_md(judged: JudgedSession) -> str:
    """The summary of a session in Markdown."""
    verdicts = [scenario.verdict for scenario in judged.scenarios]
    title = f"Concurrency: {overall(verdicts).value}" if verdicts else "Concurrency"
    lines = [f"## {title}", "", *_first_words(judged), ""]
    if judged.scenarios:
        lines += [*_figures(judged.scenarios), ""]
        lines += ["Intervals are 95 %. The guide's figures only say how equal the durations were.", ""]
    for scenario in judged.scenarios:
        lines += [*_scenario(scenario), ""]
    lines += [*_how(judged), ""]
    return "\n".join(lines)


def _first_words(judged: JudgedSession) -> Iterator[str]:
    if not judged.scenarios and not judged.studies:
        yield "Nothing was measured."
    for scenario in judged.scenarios:
        yield f"- {code(scenario.name)}: **{scenario.verdict.value}**: {_because(scenario)}"
        if scenario.overlap_only:
            yield f"  - {prose(overlap_words(scenario))}"
    for study in judged.studies:
        yield f"- {prose(study_lines(study)[0])}"


def _because(scenario: ScenarioSummary) -> str:
    """Why the verdict is what it is."""
    if scenario.verdict is Verdict.INVALID and not scenario.gates:
        total = len(scenario.blocks) + len(scenario.invalid)
        reason = next((reasons[0] for reasons in scenario.invalid.values() if reasons), "nothing was measured")
        return f"{len(scenario.blocks)} of {total} blocks could be judged: {prose(reason)}"
    decisive = [METRIC_NAMES[gate.limit.metric] for gate in scenario.gates if gate.verdict is scenario.verdict]
    decisive += [
        f"{METRIC_NAMES[change.metric]} against {prose(change.against)}"
        for change in scenario.changes
        if change.verdict is scenario.verdict
    ]
    what = ", ".join(decisive)
    return {
        Verdict.PASS: f"every limit is kept, over {len(scenario.blocks)} blocks",
        Verdict.FAIL: f"missed by {what}",
        Verdict.INCONCLUSIVE: f"not decided after {len(scenario.blocks)} blocks: {what or 'nothing was asked of it'}",
        Verdict.INVALID: f"cannot be compared: {what}",
    }[scenario.verdict]


def _figures(scenarios: Sequence[ScenarioSummary]) -> list[str]:
    return table([_COLUMNS, *(_row(scenario) for scenario in scenarios)], left=2)


def _row(scenario: ScenarioSummary) -> list[str]:
    found = scenario.estimates
    blocks = f"{len(scenario.blocks)}" + (f" (+{len(scenario.invalid)} invalid)" if scenario.invalid else "")
    figures = (
        ("guide_efficiency_pct", 1, " %"),
        ("measured_efficiency_pct", 1, " %"),
        ("guide_speedup", 2, "x"),
        ("measured_speedup", 2, "x"),
        ("slowdown", 2, "x"),
    )
    cells = [_estimate(found[name], digits, unit) if name in found else "" for name, digits, unit in figures]
    contended = f"{len(scenario.symptoms)}/{len(scenario.blocks)}" if found else ""
    rate = f"{found['aggregate_tok_s'].point:.1f}" if found else ""
    return [code(scenario.name), scenario.verdict.value, blocks, *cells, contended, rate]


def _estimate(found: Estimate, digits: int, unit: str) -> str:
    point = f"{found.point:.{digits}f}{unit}"
    if found.low is None or found.high is None:
        return point
    return f"{point} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _scenario(scenario: ScenarioSummary) -> Iterator[str]:
    yield f"### {code(scenario.name)}"
    yield ""
    yield from (f"- {prose(gate_line(gate))}" for gate in scenario.gates)
    yield from (f"- {prose(change_line(change))}" for change in scenario.changes)
    named = strongest(scenario.interference)
    if named is not None:
        yield f"- strongest interference: {prose(effect_sentence(named))}: {effect_cost(named)}"
    invalid = invalid_lines(scenario)
    yield from (f"- {prose(line.strip())}" for line in invalid[:_NAMED])
    if len(invalid) > _NAMED:
        yield f"- and {len(invalid) - _NAMED} more invalid blocks"
    if scenario.loss is not None:
        wall_s = scenario.estimates["concurrent_wall_s"].point
        heading, *rows = loss_grid(scenario.name, scenario.loss, scenario.agent_losses, wall_s=wall_s).rows
        yield ""
        yield f"Where the {len(scenario.agents)} agents' time went, % of all of it:"
        yield ""
        yield from table([["", *map(prose, heading[1:])], *([prose(cell) for cell in row] for row in rows)])


def _how(judged: JudgedSession) -> Iterator[str]:
    """What was measured, with what, and how to do it again."""
    session = judged.session
    yield "### How it was measured"
    yield ""
    yield f"- model {code(session.model)}, profile {code(session.profile)}, seed {session.seed}"
    servers = ", ".join(dict.fromkeys(f"{info.kind} {info.version}" for info in session.servers))
    yield f"- servers: {prose(servers)} ({len(session.servers)})"
    if session.base is not None:
        yield f"- base: model {code(session.base.model)}, {len(session.base.servers)} servers"
    machine = session.environment
    yield f"- host: {prose(', '.join((machine.cpu, f'{machine.cores} cores', *machine.gpus)))}"
    if session.calibrations:
        yield f"- {prose(calibration_line(session.calibrations[-1]).strip())}"
    yield ""
    yield "Measure again, and judge this session again without a server:"
    yield ""
    yield from code_block([reproduction(session), f"python -m harness judge {shlex.quote(judged.journal)}"])
