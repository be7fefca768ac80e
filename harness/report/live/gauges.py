"""A gate's running interval drawn on a line: how far it is from its limit, and whether it still spans it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich.text import Text

from harness.report.live.scene import Gauge

VERDICT_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow", "INVALID": "magenta"}
_MARGIN = 0.08


@dataclass(frozen=True, slots=True)
class Marks:
    """The characters of a track.

    Attributes:
        nothing: Beyond the interval.
        span: Within it.
        low: Its lower end.
        high: Its upper end.
        point: The estimate.
        limit: The limit.
        both: The estimate on its limit.
    """

    nothing: str
    span: str
    low: str
    high: str
    point: str
    limit: str
    both: str


DRAWN = Marks(" ", "─", "├", "┤", "●", "┃", "◆")
ASCII = Marks(" ", "-", "[", "]", "o", "|", "#")


def track(gauge: Gauge, width: int, marks: Marks = DRAWN) -> Text:
    """A line of ``width`` cells with the interval, the estimate and the limit to scale."""
    low = gauge.point if gauge.low is None else gauge.low
    high = gauge.point if gauge.high is None else gauge.high
    at = _scale(min(low, gauge.limit), max(high, gauge.limit), width)
    cells = [marks.nothing] * width
    if gauge.low is not None:
        cells[at(low) : at(high) + 1] = marks.span * (at(high) + 1 - at(low))
        cells[at(low)], cells[at(high)] = marks.low, marks.high
    point, limit = at(gauge.point), at(gauge.limit)
    cells[point] = marks.point
    cells[limit] = marks.both if limit == point else marks.limit
    text = Text("".join(cells), no_wrap=True)
    text.stylize(VERDICT_STYLES.get(gauge.verdict, ""))
    text.stylize("bold default", limit, limit + 1)
    return text


def _scale(low: float, high: float, width: int) -> Callable[[float], int]:
    """The cell of a value; both ends are a little within the line."""
    margin = (high - low) * _MARGIN
    low, high = low - margin, high + margin

    def at(value: float) -> int:
        share = (value - low) / (high - low) if high > low else 0.5
        return min(width - 1, max(0, round(share * (width - 1))))

    return at


def figure(gauge: Gauge, value: float) -> str:
    """A value of a gauge with its unit."""
    return f"{value:.2f}x" if gauge.unit == "x" else f"{value:.1f} {gauge.unit}"


def interval(gauge: Gauge) -> str:
    """The interval of a gauge in figures; empty if it has none."""
    if gauge.low is None or gauge.high is None:
        return ""
    return f"{figure(gauge, gauge.low).removesuffix(f' {gauge.unit}')} to {figure(gauge, gauge.high)}"
