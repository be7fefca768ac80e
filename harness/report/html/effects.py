"""Who slows whom: each effect with its interval, drawn in the order of what it cost, and the matrix as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from harness.judge import ScenarioSummary
from harness.judge.interference import Effect
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Figure, Plot, table_of
from harness.report.html.plotting import COLOURS, GREY, Trace
from harness.report.interference import conclusion, doing, interference_grid
from harness.report.text import printable

_MOST: Final = 14
_ROW, _FRAME = 34, 120


def effect_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """The effects of a scenario; None if there is none, as for one agent or where nothing was judged."""
    effects = scenario.interference
    if not effects:
        return None
    active = [effect for effect in effects if effect.aggressor_phase != "idle"]
    drawn = sorted(active or effects, key=lambda effect: -abs(effect.excess_ms))[:_MOST]
    drawn.sort(key=lambda effect: -effect.ratio.point)
    grid = interference_grid(scenario.name, effects)
    left = f" (the {_MOST} that cost the most)" if len(active) > _MOST else ""
    words = f"{conclusion(effects)}. An effect whose interval has 0 % in it was not shown."
    title = f"{printable(scenario.name)}: how much longer than alone, while another agent did what{left}"
    return Plot(ident, title, words, _figure(drawn), table_of(grid))


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
    shown = [effect for effect in effects if effect.ratio.low is not None and effect.ratio.low > 1]
    rest = [effect for effect in effects if effect not in shown]
    traces = [_trace(shown, "longer: the interval is above 0", COLOURS[1], "diamond")] if shown else []
    traces += [_trace(rest, "not shown to be longer", GREY, "circle-open")] if rest else []
    order = list(dict.fromkeys(_label(effect) for effect in effects))[::-1]
    layout = {
        "xaxis": {"title": {"text": "% longer than alone (95 % interval)"}, "zeroline": True, "automargin": True},
        "yaxis": {"automargin": True, "categoryorder": "array", "categoryarray": order, "ticksuffix": " "},
    }
    return {"data": traces, "layout": layout, "height": _FRAME + _ROW * len(order)}
