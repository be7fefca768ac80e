"""Properties for JUnit's XML: what a session, a scenario and a study came to, as names and texts.

Figures are plain numbers, an interval's ends have names of their own (``slowdown_low``); whatever XML cannot hold is
escaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge import ScenarioSummary
from harness.judge.study import StudySummary
from harness.records import Session
from harness.report.exports.figures import main_figures
from harness.report.study import study_lines
from harness.report.terminal import calibration_line
from harness.report.text import printable
from harness.report.verdicts import change_line, gate_line

Property = tuple[str, str]


def session_properties(session: Session, journal: str) -> Iterator[Property]:
    """What all tests of a session share: model, servers, profile, seed, instrument, journal."""
    yield "model", printable(session.model)
    for place, info in enumerate(session.servers, start=1):
        yield f"server_{place}", printable(f"{info.kind} {info.version} at {info.url}")
    if session.base is not None:
        yield "base_model", printable(session.base.model)
        for place, info in enumerate(session.base.servers, start=1):
            yield f"base_server_{place}", printable(f"{info.kind} {info.version} at {info.url}")
    yield "profile", printable(session.profile)
    yield "seed", str(session.seed)
    found = session.calibrations
    yield "instrument", printable(calibration_line(found[-1]).strip()) if found else "not calibrated"
    yield "journal", printable(journal)


def scenario_properties(scenario: ScenarioSummary, journal: str) -> Iterator[Property]:
    """A scenario's verdict, figures with the ends of their intervals, gates and comparisons in words, and journal."""
    yield "verdict", scenario.verdict.value
    yield "blocks", str(len(scenario.blocks))
    yield "invalid_blocks", str(len(scenario.invalid))
    for figure in main_figures(scenario):
        name = figure.metric if figure.role is None else printable(f"{figure.role}.{figure.metric}")
        for end, value in (("", figure.value), ("_low", figure.low), ("_high", figure.high)):
            if value is not None:
                yield f"{name}{end}", repr(value)
    for gate in scenario.gates:
        yield f"gate.{gate.limit.metric}", printable(gate_line(gate))
    for change in scenario.changes:
        yield f"change.{change.metric}", printable(change_line(change))
    for index, reasons in scenario.invalid.items():
        yield f"invalid_block.{index}", printable("; ".join(reasons))
    yield "journal", printable(journal)


def study_properties(study: StudySummary, journal: str) -> Iterator[Property]:
    """A study's answer in words, its blocks, the arm that won, and journal."""
    yield "answer", printable(study_lines(study)[0])
    yield "blocks", str(study.blocks)
    yield "invalid_blocks", str(len(study.invalid))
    if study.ranking is not None and study.ranking.winner:
        yield "winner", printable(study.ranking.winner)
    for arm in study.arms:
        yield printable(f"{arm.arm}.wall_s"), repr(arm.estimates["wall_s"].point)
    yield "journal", printable(journal)
