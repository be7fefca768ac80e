"""A session judged, running or read back from its journal: one way for both, so that both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judge.change import SELF_NORMALISED
from harness.judge.instrument import calibration_faults
from harness.judge.study import StudySummary, judge_study
from harness.judge.summary import ScenarioSummary, judge_scenario, unmeasured_scenario
from harness.records import Block, Session
from harness.scenarios import StudyTerms, Terms
from harness.scenarios.studies import study_title

_UNFIT = "the instrument is worse than its limits: {}; keep this process a CPU free, or raise --instrument-limit"


def unfit(session: Session, terms: Terms | StudyTerms) -> str | None:
    """Why nothing that this session's instrument measures can be trusted, or None."""
    if not session.calibrations or terms.instrument is None:
        return None
    faults = calibration_faults(session.calibrations[-1], terms.instrument)
    return _UNFIT.format("; ".join(faults)) if faults else None


def judge_measured(
    session: Session, name: str, blocks: Sequence[Block], terms: Terms, fault: str | None = None
) -> ScenarioSummary:
    """One scenario of a session.

    Args:
        session: Its calibrations tell whether the instrument was fit.
        name: The scenario.
        blocks: Its blocks.
        terms: What they are judged by.
        fault: What ended it before its blocks said so, such as a server that was dead at its start.
    """
    reason = fault or unfit(session, terms)
    return unmeasured_scenario(name, reason) if reason else judge_scenario(name, blocks, terms)


def judge_measured_study(
    session: Session, name: str, blocks: Sequence[Block], terms: StudyTerms, fault: str | None = None
) -> StudySummary:
    """One study of a session; arguments as of :func:`judge_measured`."""
    reason = fault or unfit(session, terms)
    if reason:
        return StudySummary(name, study_title(name), reason, left_out=terms.left_out)
    return judge_study(name, blocks, terms.instrument, terms.options, terms.left_out)


def judge_session(
    session: Session, terms: Mapping[str, Terms], faults: Mapping[str, str]
) -> tuple[ScenarioSummary, ...]:
    """All scenarios of a session that were begun, in the order of ``terms``; ``faults`` by scenario."""
    return tuple(
        judge_measured(
            session, name, [block for block in session.blocks if block.scenario == name], each, faults.get(name)
        )
        for name, each in terms.items()
    )


def judge_studies(
    session: Session, terms: Mapping[str, StudyTerms], faults: Mapping[str, str]
) -> tuple[StudySummary, ...]:
    """All studies of a session that were begun, in the order of ``terms``; ``faults`` by study."""
    return tuple(
        judge_measured_study(
            session, name, [block for block in session.blocks if block.scenario == name], each, faults.get(name)
        )
        for name, each in terms.items()
    )


def ratios_by_scenario(summaries: Sequence[ScenarioSummary]) -> dict[str, dict[str, list[float]]]:
    """What a stored baseline takes of a session: by scenario and self-normalised metric, the value of each valid block.

    Scenarios whose measurement was INVALID are left out.
    """
    return {
        summary.name: {
            metric: [float(getattr(block, metric)) for block in summary.blocks] for metric in SELF_NORMALISED
        }
        for summary in summaries
        if summary.estimates
    }
