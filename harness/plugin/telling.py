"""What the terminal is told of a session: its plan before, its tables after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.judge import Verdict
from harness.judge.sweep import sweep_rows
from harness.plugin.options import Settings
from harness.plugin.session import PerfSession
from harness.report import calibration_line, summary_lines
from harness.report.presets import SettingSource, preset_lines, source_lines
from harness.report.study import study_lines
from harness.report.sweep import sweep_lines, sweep_plan_lines


def plan_lines(settings: Settings, sources: Sequence[SettingSource]) -> list[str]:
    """Which servers will be measured and why, where settings came from, and what is going to be measured."""
    selection = settings.selection
    where = f" {', '.join(selection.urls)}" if selection.urls else ""
    lines = [f"servers: {selection.kind}{where} ({selection.reason}); model {selection.model}", *source_lines(sources)]
    unit = "pairs of blocks (base and candidate)" if settings.base else "blocks"
    until = "" if settings.stopping.fixed else ", as many as the verdicts need"
    most = f"{'' if settings.stopping.fixed else 'at most '}{settings.stopping.runs} {unit}"
    names = ", ".join(scenario.name for scenario in settings.scenarios)
    sweep = settings.sweep
    if sweep is not None:
        lines += [*sweep_plan_lines(sweep.sweep, sweep.order, sweep.runs, sweep.passes), f"  seed {settings.seed}"]
    elif names:
        lines.append(f"plan: {names}; {most} each after a warm-up{until}; seed {settings.seed}")
    studies = ", ".join(study.name for study in settings.studies)
    if studies:
        lines.append(f"studies: {studies}; {settings.study_runs} blocks each after a warm-up; seed {settings.seed}")
    return lines


def closing_lines(session: PerfSession) -> Iterator[str]:
    """The tables of a session that is over, or was ended."""
    if session.session.calibrations:
        yield calibration_line(session.session.calibrations[-1]).strip()
    if session.summaries and session.settings.sweep is None:
        yield from summary_lines(list(session.summaries.values()))
    choice = session.settings.sweep
    if choice is not None:
        yield ""
        yield from sweep_lines(sweep_rows(choice.sweep.cells, session.summaries), choice.passes)
    yield from _expected_lines(session)
    for study in session.studied.values():
        yield ""
        yield from study_lines(study)
    for name, blocks in session.blocks.items():
        if name not in session.summaries and name not in session.studied:
            yield f"{name}: not finished; {len(blocks)} blocks are in the journal"


def _expected_lines(session: PerfSession) -> Iterator[str]:
    """What a preset is expected to give, beside what it gave."""
    preset = session.settings.preset
    if preset is None:
        return
    head = session.session
    for name, summary in session.summaries.items():
        sent = head.options.get(name)
        yield from preset_lines(preset, summary, head.environment.gpus, model=head.model, sent=sent)


def undecided_line(session: PerfSession) -> str | None:
    """Which scenarios are INCONCLUSIVE, and what may help; None if none is."""
    names = [summary.name for summary in session.summaries.values() if summary.verdict is Verdict.INCONCLUSIVE]
    if not names:
        return None
    return (
        f"INCONCLUSIVE: {', '.join(names)}: more blocks (--max-runs, --runs) may decide; "
        "--inconclusive=fail makes this red"
    )
