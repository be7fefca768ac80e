"""A judged study in words: the first line answers its question, and tables follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.judge.ranking import Effect, Ranking
from harness.judge.reloads import Reloads
from harness.judge.study import StudySummary
from harness.report.study_json import study_json
from harness.report.study_tables import (
    arm_grids,
    control_grid,
    ladder_grid,
    plus_minus,
    ratio,
    role_grid,
)
from harness.report.text import Grid, printable, spaced
from harness.scenarios.studies import DECODE, IDLE, LADDER, MITIGATION, PREFILL, study_kind

__all__ = ["study_answer", "study_grids", "study_json", "study_lines", "study_notes"]

_CAUSES = {IDLE: "presence", PREFILL: "prefill", DECODE: "decode"}


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _wall(study: StudySummary, arm: str) -> str:
    found = study.arm(arm)
    return f"{found.estimates['wall_s'].point:.2f} s" if found else "-"


def _ranked(study: StudySummary, found: Ranking) -> str:
    behind = [f"{arm} takes {ratio(each)} as long" for arm, each in found.ratios.items() if arm not in found.ties]
    rest = f"; {', '.join(behind)}" if behind else ""
    if found.winner:
        return f"{found.winner} finishes the work first, in {_wall(study, found.winner)}{rest}"
    ties = _listed([f"{arm}, {ratio(found.ratios[arm])} as long" for arm in found.ties])
    return (
        f"none was shown to finish the work first: {found.fastest} ({_wall(study, found.fastest)}) cannot be told from "
        f"{ties}{rest}"
    )


def _cost(effect: Effect) -> str:
    """What a kind of company costs an agent."""
    if effect.shown == "nothing":
        return f"nothing shown ({ratio(effect.estimate)})"
    low, high = effect.estimate.low or 0.0, effect.estimate.high or 0.0
    return f"{100 * (effect.estimate.point - 1):+.0f} % ({100 * (low - 1):+.0f} to {100 * (high - 1):+.0f})"


def _controls(study: StudySummary) -> str:
    by_role: dict[str, list[str]] = {}
    for effect in study.effects:
        cause = _CAUSES.get(effect.arm.partition(":")[0])
        if cause and effect.role:
            by_role.setdefault(effect.role, []).append(f"{cause} {_cost(effect)}")
    told = "; ".join(f"{role}: {', '.join(costs)}" for role, costs in by_role.items())
    return f"what the others cost each agent's time in requests: {told or 'nothing was compared'}"


def _scaling(study: StudySummary) -> str:
    arms = [arm for effect in study.effects if (arm := study.arm(effect.arm))]
    if not arms:
        return "nothing was compared"
    most = arms[-1]
    speedup = ratio(most.estimates["measured_speedup"])
    efficiency = plus_minus(most.estimates["measured_efficiency_pct"], 1)
    verbs = {"more": "gains", "less": "loses", "nothing": "no gain shown"}
    steps = [
        f"{each.arm} over {each.against or 'one after the other'}: {verbs[each.shown]}, {ratio(each.estimate)}"
        for each in study.effects
    ]
    count = len(most.agents)
    return (
        f"{count} agents together finish {speedup} as fast as one after the other, efficiency {efficiency} %; "
        f"{'; '.join(steps)}"
    )


def _own_cost(study: StudySummary) -> str:
    if not study.effects:
        return "nothing was compared"
    kind, effect = study_kind(study.name), study.effects[0]
    estimate, metric = effect.estimate, effect.metric
    without, usual = (study.arm(arm or "") for arm in (effect.against, effect.arm))
    both = [f"{arm.estimates[metric].point:.1f} %" for arm in (usual, without) if arm]
    span = "" if estimate.low is None or estimate.high is None else f" ({estimate.low:+.2f} to {estimate.high:+.2f})"
    said = {
        "less": f"{kind} costs efficiency",
        "more": f"runs with {kind} were more efficient, which it cannot do: something else differed",
        "nothing": f"no cost of {kind} was shown: the interval includes 0",
    }[effect.shown]
    return (
        f"{said}: measured efficiency {both[0]} with it and {both[1]} without, "
        f"difference {estimate.point:+.2f} points{span}"
    )


def _ladder(study: StudySummary) -> str:
    def told(shown: str) -> str:
        return _listed([f"{each.arm} ({ratio(each.estimate)})" for each in study.effects if each.shown == shown])

    if not study.effects:
        return "no remedy could be tried"
    bought, cost, nothing = (told(shown) for shown in ("less", "more", "nothing"))
    said = f"wall time was bought by {bought}" if bought else "no remedy was shown to buy anything"
    return said + (f", cost by {cost}" if cost else "") + (f"; nothing was shown of {nothing}" if nothing else "")


_ANSWERS: Mapping[str, Callable[[StudySummary], str]] = {
    "controls": _controls,
    "scaling": _scaling,
    "sampling": _own_cost,
    "drawing": _own_cost,
}


def study_answer(study: StudySummary) -> str:
    """The answer to the study's question, or why there is none."""
    if study.unsaid:
        return f"nothing can be said: {study.unsaid}"
    if study.name.startswith(MITIGATION):
        return _ladder(study)
    if study_kind(study.name) in _ANSWERS:
        return _ANSWERS[study_kind(study.name)](study)
    return _ranked(study, study.ranking) if study.ranking else study.title


def _reload_line(found: Reloads) -> str:
    agents = ", ".join(f"{role} {options}" for role, options in found.agents)
    said = {
        "more": "every switch reloads the model",
        "nothing": "no cost of switching was shown",
        "less": "less than in the arm it is compared with",
    }[found.shown]
    return (
        f"{found.arm}: {found.loading_s.point:.2f} s of {found.wall_s.point:.2f} s wall went into loading: "
        f"{agents}: {said}"
    )


def study_grids(study: StudySummary) -> list[Grid]:
    """The tables of a study, the most telling first; [] if it has no valid block."""
    if not study.arms:
        return []
    if study_kind(study.name) == "controls":
        return [control_grid(study), role_grid(study)]
    if study.name.startswith(MITIGATION):
        return [ladder_grid(study), *arm_grids(study)]
    if study_kind(study.name) in _ANSWERS:
        return arm_grids(study)
    return [*arm_grids(study), role_grid(study)]


def study_notes(study: StudySummary) -> list[str]:
    """What needs saying in words besides the tables: doubts, reloads, what was not tried, invalid blocks."""
    in_table = LADDER if study.name.startswith(MITIGATION) and study.arms else ()
    return [
        *(f"{arm} is not what it says: {why}" for arm, why in study.doubts.items()),
        *map(_reload_line, study.reloads),
        *(f"not tried: {arm}: {printable(why)}" for arm, why in study.left_out.items() if arm not in in_table),
        *(f"block {index} is invalid: {printable('; '.join(why))}" for index, why in study.invalid.items()),
    ]


def study_lines(study: StudySummary) -> list[str]:
    """A study for the terminal: its answer, its tables, and what needs saying in words.

    Intervals of the first line (and of a remedy's or a company's verdict) hold jointly in 95 % of sessions, the others
    one by one.
    """
    blocks = f"{study.blocks} blocks" + (f", {len(study.invalid)} invalid" if study.invalid else "")
    return [
        f"{study.name}: {study_answer(study)} [{blocks}]",
        *spaced(study_grids(study)),
        *(f"  {note}" for note in study_notes(study)),
    ]
