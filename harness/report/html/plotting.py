"""Figures for Plotly as plain data: its colours, axes and panels.

Text, grid and background have the page's colours, by its style sheet, in light, dark and print alike. What is drawn
has one set of colours for all of them, each with a contrast of at least 3 to white and to the dark page; and never
colour alone: lines have dashes and symbols, bars have patterns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Final, NamedTuple

import numpy as np

from harness.report.html.escaping import plot_text
from harness.report.html.parts import Figure

COLOURS: Final[tuple[str, ...]] = (
    "#3b7de0",
    "#d2691e",
    "#1e9e6a",
    "#a45ee5",
    "#d6457f",
    "#0f93a8",
    "#9a7b0a",
    "#7a8290",
)
"""One an agent, and again from the start."""
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GREY = COLOURS[-1]
_WIDE, _DECADE = 3, 12
_ROW, _PANEL, _FRAME = 44, 170, 60

Trace = dict[str, object]


class Panel(NamedTuple):
    """One of several plots above each other that share what is below them.

    Attributes:
        title: What its vertical axis shows, and its unit.
        traces: What is drawn.
        limit: A horizontal line at a limit, and what it is called.
        from_zero: Its vertical axis begins at 0.
    """

    title: str
    traces: Sequence[Trace]
    limit: tuple[float, str] | None = None
    from_zero: bool = False


def colour(index: int) -> str:
    """The colour of the agent (arm, series) at this place."""
    return COLOURS[index % len(COLOURS)]


def rounded(values: Sequence[float | None], digits: int = 5) -> list[float | None]:
    """Values with as many significant digits as a plot can show."""
    return [None if value is None else float(f"{value:.{digits}g}") for value in values]


def spread_axis(title: str, values: Sequence[float]) -> dict[str, object]:
    """An axis for n >= 1 values: logarithmic where they are spread widely, with ticks that are written in full.

    The shortest 0.5 % do not stretch it.
    """
    low, high = (max(float(each), 1e-6) for each in np.quantile(np.asarray(values), (0.005, 1.0)))
    if high < _WIDE * low:
        return {"title": {"text": title}}
    steps = (1, 2, 5) if high > _DECADE * low else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [step * 10.0**decade for decade in range(floor(log10(low)), ceil(log10(high)) + 1) for step in steps]
    text = [f"{tick:g}" for tick in ticks]
    span = [log10(low) - 0.03, log10(high) + 0.03]
    named: dict[str, object] = {"title": {"text": f"{title} (logarithmic)"}, "type": "log", "range": span}
    return named | {"tickvals": ticks, "ticktext": text}


def line(name: str, x: Sequence[float], y: Sequence[float | None], place: int = 0, **others: object) -> Trace:
    """A line with a mark at each value."""
    style: Trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plot_text(name),
        "x": list(x),
        "y": rounded(y),
        "line": {"color": colour(place), "dash": DASHES[place % len(DASHES)], "width": 2},
        "marker": {"color": colour(place), "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7},
    }
    return style | others


def bars(rows: Sequence[str], height_rows: int, traces: Sequence[Trace], x_title: str) -> Figure:
    """Horizontal bars, stacked: what is negative is stacked to the left of 0.

    Args:
        rows: Labels, the first one on top; HTML that Plotly knows.
        height_rows: Rows whose height is needed.
        traces: One a term.
        x_title: What the horizontal axis shows.
    """
    layout = {
        "barmode": "relative",
        "bargap": 0.25,
        "xaxis": {"title": {"text": x_title}, "zeroline": True},
        "yaxis": {"categoryorder": "array", "categoryarray": list(rows)[::-1]},
    }
    return {"data": list(traces), "layout": layout, "height": _FRAME + _ROW * height_rows}


def panels(shown: Sequence[Panel], x_axis: Mapping[str, object]) -> Figure:
    """Plots above each other over one horizontal axis."""
    names = ["y" if place == 0 else f"y{place + 1}" for place in range(len(shown))]
    grid = {"rows": len(shown), "columns": 1, "subplots": [[f"x{name}"] for name in names], "ygap": 0.28}
    layout: dict[str, object] = {"grid": grid, "xaxis": {"zeroline": False, **x_axis}}
    data: list[Trace] = []
    for name, panel in zip(names, shown, strict=True):
        mode = "tozero" if panel.from_zero else "normal"
        layout[name.replace("y", "yaxis")] = {"rangemode": mode, "zeroline": False}
        traces = [*panel.traces, *([_limit_trace(*panel.limit, panel.traces)] if panel.limit else [])]
        data += [{**trace, "yaxis": name, "xaxis": "x"} for trace in traces]
    layout["annotations"] = [_note(panel.title, name) for name, panel in zip(names, shown, strict=True)]
    return {"data": data, "layout": layout, "height": _FRAME + _PANEL * len(shown)}


def _note(text: str, axis: str) -> dict[str, object]:
    """A title at the upper left of a panel."""
    place = {"x": 0, "xref": "paper", "xanchor": "left", "y": 1, "yref": f"{axis} domain", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, "align": "left", **place}


def _limit_trace(limit: float, name: str, traces: Sequence[Trace]) -> Trace:
    """A limit over the whole width of what is drawn."""
    xs = [x for trace in traces for x in trace["x"]]  # type: ignore[attr-defined]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [min(xs, default=0), max(xs, default=1)],
        "y": [limit, limit],
        "line": {"color": GREY, "dash": "dashdot", "width": 2},
        "hoverinfo": "name+y",
        "showlegend": False,
    }
