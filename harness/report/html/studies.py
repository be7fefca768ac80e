"""Studies: the answer, how the arms compare in a plot, and the tables."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.arms import ArmSummary
from harness.judge.ranking import Effect
from harness.judge.study import StudySummary
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Group, Plot, number, sentence, table, table_of
from harness.report.html.plotting import COLOURS, GREY, Trace
from harness.report.study import study_answer, study_grids, study_notes
from harness.report.text import Grid
from harness.scenarios.studies import arm_title

_ROW, _FRAME, _TITLE = 44, 60, 40

_SHOWN = {"more": "shown to be more", "less": "shown to be less", "nothing": "no difference shown"}


def study_groups(studies: Sequence[StudySummary]) -> list[Group]:
    """Each study with all that it has."""
    return [
        Group(
            study.name,
            (f"{sentence(study.title + '?')} ({study.blocks} blocks)", sentence(study_answer(study))),
            tuple(plot for plot in (_walls(study, f"walls-{place}"), _effects(study, f"effects-{place}")) if plot),
            tuple(table_of(_named(grid, study)) for grid in study_grids(study)),
            tuple(study_notes(study)),
        )
        for place, study in enumerate(studies)
    ]


def _named(grid: Grid, study: StudySummary) -> Grid:
    return grid._replace(title=f"{study.name}: {grid.title}")


def _walls(study: StudySummary, ident: str) -> Plot | None:
    """When each arm finishes, with its interval; None if there are none to compare."""
    arms = [arm for arm in study.arms if "wall_s" in arm.estimates]
    if len(arms) < 2:  # noqa: PLR2004 - one arm compares with nothing
        return None
    title = f"{study.name}: when each arm finishes"
    rows = [_wall_row(arm) for arm in arms]
    words = "; ".join(f"{row[0]}: {row[2]} s" for row in rows) + "."
    told = table(title, ("arm", "what it is", "finishes in s", "from", "to"), rows, (0, 1))
    trace: Trace = {
        "type": "bar",
        "orientation": "h",
        "y": [_label(arm.arm) for arm in arms],
        "x": [round(arm.estimates["wall_s"].point, 4) for arm in arms],
        "error_x": {"type": "data", "array": [_half(arm) for arm in arms], "color": GREY, "thickness": 2},
        "marker": {"color": COLOURS[0]},
        "hovertemplate": "%{x:.2f} s<extra></extra>",
    }
    axis = {"categoryorder": "array", "categoryarray": [_label(a.arm) for a in arms][::-1]}
    layout = {
        "xaxis": {"title": {"text": "s (95 % interval of the mean)"}, "rangemode": "tozero"},
        "yaxis": axis,
        "showlegend": False,
    }
    return Plot(ident, title, words, {"data": [trace], "layout": layout, "height": _FRAME + _ROW * len(arms)}, told)


def _label(arm: str) -> str:
    title = arm_title(arm)
    return plot_text(arm) if title == arm or ":" in arm else f"{plot_text(arm)}<br>{plot_text(title, _TITLE)}"


def _half(arm: ArmSummary) -> float:
    found = arm.estimates["wall_s"]
    return 0.0 if found.low is None or found.high is None else round((found.high - found.low) / 2, 4)


def _wall_row(arm: ArmSummary) -> tuple[str, ...]:
    found = arm.estimates["wall_s"]
    return (
        arm.arm,
        arm_title(arm.arm),
        number(found.point, 2),
        number(found.low, 2),
        number(found.high, 2),
    )


def _effects(study: StudySummary, ident: str) -> Plot | None:
    """What was compared, with intervals that hold jointly; None if nothing was, or only a difference."""
    effects = [effect for effect in study.effects if effect.metric != "measured_efficiency_pct"]
    if not effects:
        return None
    title = f"{study.name}: ratios to what each is compared with"
    rows = [_effect_row(effect) for effect in effects]
    words = "The intervals hold jointly in 95 % of sessions. " + "; ".join(
        f"{row[0]} over {row[1]}: {row[3]}, {row[6]}" for row in rows
    )
    told = table(title, ("arm", "against", "figure", "ratio", "from", "to", "shown"), rows, (0, 1, 2, 6))
    labels = [_effect_label(effect) for effect in effects]
    points = [effect.estimate for effect in effects]
    trace: Trace = {
        "type": "scatter",
        "mode": "markers",
        "y": labels,
        "x": [round(each.point, 4) for each in points],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [0.0 if each.high is None else round(each.high - each.point, 4) for each in points],
            "arrayminus": [0.0 if each.low is None else round(each.point - each.low, 4) for each in points],
            "color": COLOURS[0],
            "thickness": 2,
        },
        "marker": {
            "color": COLOURS[0],
            "size": 10,
            "symbol": ["circle-open" if effect.shown == "nothing" else "diamond" for effect in effects],
        },
        "hovertemplate": "%{x:.3f}x<extra></extra>",
    }
    even: Trace = {
        "type": "scatter",
        "mode": "lines",
        "x": [1, 1],
        "y": [labels[0], labels[-1]],
        "line": {"color": GREY, "dash": "dashdot", "width": 2},
        "hoverinfo": "skip",
    }
    layout = {
        "xaxis": {"title": {"text": "ratio; 1 is no difference (hollow: none shown)"}},
        "yaxis": {
            "categoryorder": "array",
            "categoryarray": list(dict.fromkeys(labels))[::-1],
        },
        "showlegend": False,
    }
    figure = {"data": [even, trace], "layout": layout, "height": _FRAME + _ROW * len(labels)}
    return Plot(ident, title, words, figure, told)


def _effect_label(effect: Effect) -> str:
    against = f"<br>over {plot_text(effect.against)}" if effect.against else ""
    return f"{plot_text(effect.arm)}{against}"


def _effect_row(effect: Effect) -> tuple[str, ...]:
    found = effect.estimate
    return (
        effect.arm,
        effect.against or "the agents alone",
        effect.metric,
        number(found.point, 3),
        number(found.low, 3),
        number(found.high, 3),
        _SHOWN[effect.shown],
    )
