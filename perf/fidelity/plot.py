"""The result as a picture: errors and CPU over the number of streams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log10
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from perf.fidelity.loads import Load
from perf.fidelity.rows import Row

_PANELS: tuple[tuple[str, str, Callable[[Row], float | None]], ...] = (
    ("TTFT error, p99", "ms", lambda row: row.ttft_p99_ms),
    ("Error of each gap, p99", "ms", lambda row: row.gap_p99_ms),
    ("Client CPU for 1000 tokens", "s", lambda row: row.cpu_s_per_1000),
)
_STYLES = {
    "ours": ("#d62728", "-", 2.6),
    "httpx-lines": ("#1f77b4", "-", 1.4),
    "httpx-raw": ("#17a2c4", "-", 1.4),
    "aiohttp": ("#2ca02c", "-", 1.4),
    "ollama-python": ("#9467bd", "-", 1.4),
    "floor": ("#777777", "--", 1.2),
    "floor-kernel": ("#333333", ":", 1.6),
    "guidellm": ("#8c564b", "-", 1.4),
    "aiperf": ("#ff7f0e", "-", 1.4),
}
_OTHER = ("#bcbd22", "-", 1.4)
_FEW_DECADES = 500.0  # ends of an axis: below this ratio its ticks are at 1, 2 and 5
_LABEL_STEP = 0.034  # least distance of two labels, as a share of a panel's height


def draw(rows: Sequence[Row], loads: Sequence[Load], path: Path, title: str) -> None:
    """Writes a PNG with one panel a figure; loads with stalls are not on it."""
    mpl.use("Agg")
    shown = [load for load in loads if not load.stall_ms]
    streams = {load.name: load.streams for load in shown}
    figure = Figure(figsize=(17, 6.2), layout="constrained")
    for axes, (name, unit, value) in zip(figure.subplots(1, len(_PANELS)), _PANELS, strict=True):
        _panel(axes, rows, streams, value)
        axes.set_title(name, loc="left", fontsize=12, fontweight="bold")
        axes.set_ylabel(unit)
        axes.set_xlabel("streams at a time")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    figure.savefig(path, dpi=110)


def _panel(axes: Axes, rows: Sequence[Row], streams: dict[str, int], value: Callable[[Row], float | None]) -> None:
    ends: list[tuple[str, float, float]] = []
    for client in dict.fromkeys(row.client for row in rows):
        points = [
            (streams[row.load], found)
            for row in rows
            if row.client == client and row.load in streams and (found := value(row))
        ]
        if not points:
            continue
        points.sort()
        colour, dash, width = _STYLES.get(client, _OTHER)
        axes.plot(*zip(*points, strict=True), color=colour, linestyle=dash, linewidth=width, marker="o", markersize=4)
        ends.append((client, *points[-1]))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ticks = sorted(set(streams.values()))
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < _FEW_DECADES else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if ends:
        _label(axes, ends, max(ticks))


def _label(axes: Axes, ends: Sequence[tuple[str, float, float]], last: int) -> None:
    """Names each line at its right end; names that would lie upon each other are pushed apart."""
    low, high = (log10(bound) for bound in axes.get_ylim())
    axes.set_xlim(right=last * 1.15)
    at = -1.0
    for client, x, y in sorted(ends, key=lambda end: end[2]):
        height = (log10(y) - low) / (high - low)
        at = max(height, at + _LABEL_STEP)
        colour, _, width = _STYLES.get(client, _OTHER)
        axes.annotate(
            client,
            xy=(x, y),
            xycoords="data",
            xytext=(1.03, at),
            textcoords="axes fraction",
            color=colour,
            fontsize=9.5,
            fontweight="bold" if width > 2 else "normal",  # noqa: PLR2004 - the thick line is the one to find
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
        )
