"""A judged study for programs: its part of the summary file."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge import Estimate
from harness.judge.arms import ArmSummary
from harness.judge.ranking import Effect, Ranking
from harness.judge.reloads import Reloads
from harness.judge.study import StudySummary
from harness.scenarios.studies import arm_title


def _estimate(found: Estimate) -> dict[str, object]:
    interval = None if found.low is None or found.high is None else [found.low, found.high]
    return {"point": found.point, "interval": interval, "n": found.n, "method": found.method}


def _estimates(found: Mapping[str, Estimate]) -> dict[str, object]:
    return {name: _estimate(each) for name, each in found.items()}


def _arm(arm: ArmSummary) -> dict[str, object]:
    return {
        "arm": arm.arm,
        "title": arm_title(arm.arm),
        "reference": arm.reference,
        "figures": _estimates(arm.estimates),
        "against": _estimates(arm.against),
        "agents": [
            {"role": each.role, "figures": _estimates(each.estimates), "against": _estimates(each.against)}
            for each in arm.agents
        ],
    }


def _ranking(found: Ranking) -> dict[str, object]:
    return {
        "winner": found.winner,
        "fastest": found.fastest,
        "ties": list(found.ties),
        "ratios": _estimates(found.ratios),
    }


def _effect(found: Effect) -> dict[str, object]:
    return {
        "arm": found.arm,
        "against": found.against,
        "role": found.role,
        "metric": found.metric,
        "shown": found.shown,
        **_estimate(found.estimate),
    }


def _reloads(found: Reloads) -> dict[str, object]:
    return {
        "arm": found.arm,
        "agents": dict(found.agents),
        "loading_s": _estimate(found.loading_s),
        "wall_s": _estimate(found.wall_s),
        "more_s": _estimate(found.more_s),
        "shown": found.shown,
    }


def study_json(study: StudySummary) -> dict[str, object]:
    """A study, with these keys; an estimate is ``point``, ``interval`` (two ends, or null), ``n`` and ``method``.

    * ``title``: the question; ``unsaid``: why nothing can be said, or null; ``blocks``: valid ones; ``invalid_blocks``:
      reasons by index; ``left_out``: reasons by arm (or agent) that could not be tried; ``doubts``: by arm, why it was
      not what its name says;
    * ``arms``: in the order of telling, each with ``arm``, ``title``, ``reference`` (or null), ``figures`` and
      ``against`` (ratios to the reference's, paired block by block) by name, and the same by ``role`` in ``agents``;
      the names are those of :func:`harness.judge.arms.arm_values` and :class:`harness.judge.arms.RoleSummary`;
    * ``ranking`` (or null): ``winner`` (null if none was shown), ``fastest``, ``ties`` (arms that cannot be told from
      it) and ``ratios`` (wall time over the fastest one's, by arm);
    * ``effects``: each with ``arm``, ``against`` (or null), ``role`` (or null), ``metric``, ``shown`` (``less``,
      ``more`` or ``nothing``) and the estimate of the ratio, or difference;
    * ``reloads``: each with ``arm``, ``agents`` (the options that differ, by role), ``shown``, and the estimates
      ``loading_s``, ``wall_s`` and ``more_s``.

    The intervals of ``ratios`` hold jointly in 95 % of sessions, and so do those of ``effects``; all others hold in
    95 % each.
    """
    return {
        "title": study.title,
        "unsaid": study.unsaid or None,
        "blocks": study.blocks,
        "arms": [_arm(arm) for arm in study.arms],
        "ranking": None if study.ranking is None else _ranking(study.ranking),
        "effects": [_effect(each) for each in study.effects],
        "reloads": [_reloads(each) for each in study.reloads],
        "left_out": dict(study.left_out),
        "doubts": dict(study.doubts),
        "invalid_blocks": {str(index): list(reasons) for index, reasons in study.invalid.items()},
    }
