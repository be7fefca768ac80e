"""Who slows whom: the matrix, and each effect with its interval, the longest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.judge import ScenarioSummary
from harness.judge.interference import Effect
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Figure, Group, Plot, number, sentence, table, table_of
from harness.report.html.plotting import COLOURS, GREY, Trace
from harness.report.interference import conclusion, doing, effect_sentence, interference_grid

_MOST: Final = 14
_SAID: Final = 4
_ROW, _FRAME = 40, 60


def effect_groups(scenarios: Sequence[ScenarioSummary]) -> list[Group]:
    """The matrix and the plot of each scenario that has effects: not of one agent, nor where nothing was judged."""
    return [
        Group(
            scenario.name,
            (sentence(conclusion(scenario.interference)),),
            (_plot(scenario, f"effects-of-{place}"),),
            (table_of(interference_grid(scenario.name, scenario.interference)),),
        )
        for place, scenario in enumerate(scenarios)
        if scenario.interference
    ]


def _plot(scenario: ScenarioSummary, ident: str) -> Plot:
    effects = scenario.interference
    active = [effect for effect in effects if effect.aggressor_phase != "idle"]
    drawn = sorted(active or effects, key=lambda effect: -abs(effect.excess_ms))[:_MOST]
    drawn.sort(key=lambda effect: -effect.ratio.point)
    left = f" (the {_MOST} that cost the most)" if len(active) > _MOST else ""
    shown = [effect_sentence(effect) for effect in drawn if _is_shown(effect)]
    words = f"Of {len(drawn)} effects {len(shown)} have an interval above 0 %"
    words += f": {'; '.join(shown[:_SAID])}." if shown else "."
    title = f"{scenario.name}: how much longer than alone, while another agent did what{left}"
    headings = ("whose", "phase", "while", "% longer", "from", "to", "ms a block", "% of its time", "blocks")
    return Plot(ident, title, words, _figure(drawn), table(title, headings, map(_row, drawn), (0, 1, 2)))


def _row(effect: Effect) -> tuple[str, ...]:
    return (
        effect.victim,
        effect.victim_phase,
        doing(effect.aggressor, effect.aggressor_phase),
        *(number(None if end is None else 100 * (end - 1), 0) for end in _ends(effect)),
        number(effect.excess_ms, 1),
        number(100 * effect.share, 1),
        str(effect.ratio.n),
    )


def _ends(effect: Effect) -> tuple[float, float | None, float | None]:
    return effect.ratio.point, effect.ratio.low, effect.ratio.high


def _is_shown(effect: Effect) -> bool:
    return effect.ratio.low is not None and effect.ratio.low > 1


def _label(effect: Effect) -> str:
    victim = plot_text(effect.victim)
    return f"{victim}'s {effect.victim_phase}<br>while {plot_text(doing(effect.aggressor, effect.aggressor_phase))}"


def _trace(effects: Sequence[Effect], name: str, colour: str, symbol: str) -> Trace:
    """Points with their intervals, %."""
    points = [100 * (effect.ratio.point - 1) for effect in effects]
    ends = [(effect.ratio.low, effect.ratio.high, effect.ratio.point) for effect in effects]
    above = [0.0 if high is None else 100 * (high - point) for _, high, point in ends]
    below = [0.0 if low is None else 100 * (point - low) for low, _, point in ends]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "y": [_label(effect) for effect in effects],
        "x": [round(point, 2) for point in points],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [round(each, 2) for each in above],
            "arrayminus": [round(each, 2) for each in below],
            "color": colour,
            "thickness": 2,
        },
        "marker": {"color": colour, "symbol": symbol, "size": 10},
        "customdata": [[round(effect.excess_ms, 1), round(100 * effect.share, 1)] for effect in effects],
        "hovertemplate": "%{x:+.0f} %<br>%{customdata[0]} ms a block, %{customdata[1]} % of its time<extra></extra>",
    }


def _figure(effects: Sequence[Effect]) -> Figure:
    shown = [effect for effect in effects if _is_shown(effect)]
    rest = [effect for effect in effects if effect not in shown]
    traces = [_trace(shown, "longer: the interval is above 0", COLOURS[1], "diamond")] if shown else []
    traces += [_trace(rest, "not shown to be longer", GREY, "circle-open")] if rest else []
    order = list(dict.fromkeys(_label(effect) for effect in effects))[::-1]
    layout = {
        "xaxis": {
            "title": {"text": "% longer than alone (95 % interval)"},
            "rangemode": "tozero",
            "zeroline": True,
        },
        "yaxis": {"categoryorder": "array", "categoryarray": order},
    }
    return {"data": traces, "layout": layout, "height": _FRAME + _ROW * len(order)}
