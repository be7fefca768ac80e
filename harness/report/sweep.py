"""A sweep for people and programs: what is going to be measured, how far it has come, the table over cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from harness.judge.progress import TimeLeft
from harness.judge.statistics import Estimate
from harness.judge.sweep import FIGURES, Best, CellRow, best_cells
from harness.report.text import aligned, printable
from harness.scenarios.reloads import Order
from harness.scenarios.sweeps import Sweep, catalogue_name

DRIFT = (
    "the cells were measured one after the other, in an order made for few reloads, and not interleaved as the arms "
    "of a block are: what the host did meanwhile is part of the differences between them"
)
_HEADINGS = {
    "measured_efficiency_pct": ("measured efficiency", 1, " %"),
    "guide_efficiency_pct": ("guide's", 1, " %"),
    "measured_speedup": ("speedup", 2, "x"),
    "aggregate_tok_s": ("tok/s", 1, ""),
    "concurrent_ttft_ms": ("TTFT ms", 0, ""),
}
_WORDS = {
    "measured_efficiency_pct": "highest measured efficiency",
    "aggregate_tok_s": "most tokens per second together",
    "concurrent_ttft_ms": "shortest TTFT together",
}
_NAMED = 4
_MINUTE, _HOUR = 60.0, 3600.0
_SMALL = 2
"""A time is told in the largest unit of which it has at least so many."""


def sweep_plan_lines(sweep: Sweep, order: Order, runs: int, passes: int = 1) -> list[str]:
    """What is going to be measured: cells, reloads of the order taken, and what was left out as a duplicate."""
    best = "the fewest" if order.reloads == order.at_least else f"at least {order.at_least} in any order"
    told = f"{order.reloads} reloads a pass, {order.as_given} in the order given, {best}"
    lines = [f"  sweep: {len(sweep.cells)} cells, {runs} blocks each in {passes} pass{'es' * (passes > 1)}; {told}"]
    lines += [f"  {each.name} is {each.same_as} again: measured once" for each in sweep.duplicates]
    return [printable(line) for line in lines]


def sweep_progress_line(cell: int, cells: int, block: int, left: TimeLeft | None, *, at_most: bool = False) -> str:
    """How far a sweep has come, such as ``cell 7 of 18, block 3; about 12 min left (10..15)``.

    Args:
        cell: Number of the cell in the order of measuring, from 1.
        cells: Cells.
        block: Index of the block that ended.
        left: The time left; None is not told.
        at_most: Cells may end sooner, when their verdicts are decided.
    """
    where = f"  cell {cell} of {cells}, {f'block {block}' if block else 'warm-up'}"
    if left is None:
        return where
    unit, name = _unit(left.seconds)
    about = f"{'at most ' if at_most else ''}about {_number(left.seconds / unit)} {name} left"
    if left.low is None or left.high is None:
        return f"{where}; {about}"
    return f"{where}; {about} ({_number(left.low / unit)}..{_number(left.high / unit)})"


def _unit(seconds: float) -> tuple[float, str]:
    if seconds >= _SMALL * _HOUR:
        return _HOUR, "h"
    return (_MINUTE, "min") if seconds >= _SMALL * _MINUTE else (1.0, "s")


def _number(value: float) -> str:
    """Whole from 10 on, with one decimal below."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")  # noqa: PLR2004 - two digits are enough


def sweep_lines(rows: Sequence[CellRow], passes: int = 1) -> list[str]:
    """The table over cells, a line each in the grid's order, the best ones by name, and what not to read from it."""
    options = _options(rows)
    phases = any(row.cell.phase for row in rows)
    headings = ("scenario", *options, "n", "contention", *(name for name, _, _ in _HEADINGS.values()), "verdict")
    table = aligned(
        [(*(["phase"] * phases), *headings), *(_cells(row, options, phases) for row in rows)], left={0, phases}
    )
    unmeasured = sum(row.verdict is None for row in rows)
    lines = [*table, ""]
    if unmeasured:
        lines.append(f"{unmeasured} of {len(rows)} cells were not measured: --resume goes on")
    lines += [_best_line(best) for best in best_cells(rows)]
    spread = f"; their blocks are spread over {passes} passes" if passes > 1 else "; --passes 2 would show a drift"
    return [printable(line) for line in [*lines, DRIFT + spread]]


def _options(rows: Sequence[CellRow]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in sorted(row.cell.values, key=lambda n: ("." in n, n))))


def _cells(row: CellRow, options: Sequence[str], phases: bool) -> tuple[str, ...]:
    values = row.cell.values
    set_here = (f"{values[option]:.15g}" if option in values else "-" for option in options)
    n = str(row.blocks) + (f" (+{row.invalid} invalid)" if row.invalid else "")
    figures = row.figures
    told = (
        ["-"] * (len(_HEADINGS) + 1)
        if figures is None
        else [
            f"{row.contended}/{row.blocks}",
            *(_figure(figures[name], digits, unit) for name, (_, digits, unit) in _HEADINGS.items()),
        ]
    )
    verdict = "not measured" if row.verdict is None else row.verdict.value
    return (*([row.cell.phase] * phases), catalogue_name(row.cell.name), *set_here, n, *told, verdict)


def _figure(found: Estimate, digits: int, unit: str) -> str:
    if found.low is None or found.high is None:
        return f"{found.point:.{digits}f}{unit}"
    return f"{found.point:.{digits}f} ({found.low:.{digits}f}..{found.high:.{digits}f}){unit}"


def _best_line(best: Best) -> str:
    _, digits, unit = _HEADINGS[best.metric]
    figures = best.row.figures or {}
    head = f"{_WORDS[best.metric]}: {best.row.cell.name}, {_figure(figures[best.metric], digits, unit)}"
    if not best.ties:
        return f"{head}; its interval is apart from those of all {best.others} others"
    names = [row.cell.name for row in best.ties]
    if not best.others:
        return f"{head}; cannot be told apart from any other cell"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{head}; cannot be told apart from {', '.join(names[:_NAMED])}{more}"


def sweep_csv(rows: Sequence[CellRow]) -> str:
    """The table as CSV: a column for each option and for both ends of each interval; empty where there is nothing."""
    options = _options(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["cell", "scenario", "phase", "published", *options, "verdict", "blocks", "invalid_blocks", "contended_blocks"]
        + [column for name in FIGURES for column in (name, f"{name}_low", f"{name}_high")]
    )
    for row in rows:
        figures = [row.figures[name] if row.figures else None for name in FIGURES]
        writer.writerow(
            [row.cell.name, catalogue_name(row.cell.name), row.cell.phase, " ".join(row.cell.published)]
            + [row.cell.values.get(option, "") for option in options]
            + [row.verdict or "", row.blocks, row.invalid, row.contended]
            + [end for found in figures for end in ((found.point, found.low, found.high) if found else ("", "", ""))]
        )
    return text.getvalue()
