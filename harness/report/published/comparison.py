"""Printed figures beside what the raw runs say of them: the guide's table, the reports' figures, the cells."""

from __future__ import annotations

from collections.abc import Sequence

from harness.judge.published import GUIDE, SPREAD, CellCheck, Check, Column, Comparison, ComparisonRow, DatasetFigures
from harness.report.text import aligned, printable


def comparison_lines(comparison: Comparison) -> list[str]:
    """The guide's table, figure by figure, with the winner of each row; no lines if no column's runs are there."""
    if not any(dataset for _, dataset in comparison.columns):
        return []
    lines = [
        f"== The guide's comparison table ({GUIDE}), held against the raw runs",
        *(printable(_column_line(column, dataset)) for column, dataset in comparison.columns),
        "A winner is taken over runs in every column; the guide holds a mean of five runs against single runs.",
    ]
    rows: list[tuple[str, ...]] = []
    for row in comparison.rows:
        checks = {check.column: check for check in row.checks}
        for column, _ in comparison.columns:
            check = checks.get(column.title)
            claim = column.claim(row.statistic)
            said = check_words(check) if check else "not checked: its runs are not in this folder"
            rows.append((row.statistic, column.title, claim.printed, said))
        rows.append((row.statistic, "winner", row.printed_winner, _winner_words(row)))
    return [*lines, *_grouped(rows), *_source_lines(comparison)]


def _column_line(column: Column, dataset: DatasetFigures | None) -> str:
    wanted = column.datasets[0]
    if dataset is None:
        return f"{column.title}: no runs of {' or '.join(column.datasets)} in this folder"
    alone = dataset.whole.solo
    others = dataset.runtimes.keys() - {each.first.runtime for each in dataset.in_parallel}
    line = f"{column.title}: {dataset.name}"
    if alone:
        line += f", at most {alone.efficiency_pct:.1f} % vs alone"
    if others:
        line += f"; figures without {', '.join(sorted(others))} (all flagged)"
    return line if dataset.report == wanted else f"{line}; printed are {wanted}'s"


def _grouped(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in columns, their first cell as a heading above those that share it."""
    lines, group = [], ""
    for row, line in zip(rows, aligned([row[1:] for row in rows], left={0, 2}, indent="  "), strict=True):
        if row[0] != group:
            group = row[0]
            lines.append(f"{group}, sample SD" if group == SPREAD else group)
        lines.append(line)
    return lines


def _source_lines(comparison: Comparison) -> list[str]:
    rows = [
        (column.title, claim.statistic, claim.printed, claim.source)
        for column, _ in comparison.columns
        for claim in column.claims
    ]
    return ["The guide's figures are first printed in:", *aligned(rows, left={0, 1, 3}, indent="  ")]


def check_words(check: Check) -> str:
    """Whether a printed figure is reproduced, over which units, and what it is over the others."""
    unit = "pp" if check.claim.statistic == SPREAD else "%"
    said = [f"{each.value:.3f} {unit} ({each.over})" for each in check.candidates]
    if check.reproduced is None:
        return f"not reproduced: {', '.join(said) or 'one run has no spread'}"
    place = check.candidates.index(check.reproduced)
    return f"reproduced: {'; '.join([said[place], *said[:place], *said[place + 1 :]])}"


def _winner_words(row: ComparisonRow) -> str:
    if row.winner is None:
        return "not checked: the runs of a column are not in this folder"
    verdict = "reproduced" if row.winner.language == row.printed_winner else "not reproduced"
    unit = "pp" if row.statistic == SPREAD else "%"
    return f"{verdict}: {row.winner.title}, {row.winner_has:.3f} {unit}"


def report_lines(checks: Sequence[Check]) -> list[str]:
    """Figures of the reports beside the guide's table; no lines if there is none."""
    if not checks:
        return []
    rows = [(each.claim.statistic, each.claim.source, each.claim.printed, check_words(each)) for each in checks]
    return ["== Figures of other reports, held against the raw runs", *aligned(rows, left={0, 1, 3})]


def cell_lines(checks: Sequence[CellCheck] | None) -> list[str]:
    """Each cell that is not reproduced with what came instead, then how many are; no lines if none were asked for."""
    if checks is None:
        return []
    missed = [check for check in checks if not check.reproduced]
    lines = ["== Cells of the published tables, from the raw runs to the printed digit"]
    if missed:
        head = ("report", "table", "row", "column", "printed", "the raw runs say")
        rows = [(c.cell.report, c.cell.table, c.cell.row, c.cell.column, c.cell.printed, c.got) for c in missed]
        lines += [printable(line) for line in aligned([head, *rows], left={0, 1, 2, 3, 5})]
    return [*lines, f"{len(checks) - len(missed)} of {len(checks)}"]
