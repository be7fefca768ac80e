"""Cells of published tables, given again from the raw runs in the form in which they were printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.judge.published.figures import DatasetFigures
from harness.judge.published.printed import as_printed, is_figure
from harness.judge.published.runs import RunMeans
from harness.judge.published.spread import Spread, floor_percentile, upper_median
from harness.records.published import ExpectedCell

_OF_CONFIGURATION: Mapping[str, Callable[[RunMeans], float]] = {
    "speedup": lambda found: found.speedup,
    "efficiency": lambda found: found.efficiency_pct,
    "ttft_delta": lambda found: found.ttft_delta_ms,
    "tp_delta": lambda found: found.throughput_delta_tok_s,
}
_OF_RUNTIME: Mapping[str, Callable[[Spread], float | None]] = {
    "peak": lambda found: found.peak,
    "mean": lambda found: found.mean,
    "stdev(sample, runs)": lambda found: found.sd,
    "min": lambda found: found.low,
    "median as sorted[n//2]": lambda found: upper_median(found.values),
    "cv": lambda found: found.cv_pct,
}
_CONTENTION = "contention"
_SETTING = re.compile(r"(g|c|t)(?:pu|tx|emp)?(\d+(?:[.p]\d+)?)")
_PERCENTILE = re.compile(r"P(\d+)\b.*")


@dataclass(frozen=True, slots=True)
class CellCheck:
    """A published cell and what the raw runs give for it.

    Attributes:
        cell: The cell.
        got: What they give, in the cell's form; or why they give nothing.
    """

    cell: ExpectedCell
    got: str

    @property
    def reproduced(self) -> bool:
        """True if it is the printed text, to the last digit."""
        return self.got == self.cell.printed


def check_cells(cells: Sequence[ExpectedCell], datasets: Sequence[DatasetFigures]) -> tuple[CellCheck, ...]:
    """Each cell with what the data set of its report gives for it."""
    by_report = {dataset.report: dataset for dataset in datasets}
    return tuple(CellCheck(cell, _given(cell, by_report.get(cell.report.replace("_", "")))) for cell in cells)


def _given(cell: ExpectedCell, dataset: DatasetFigures | None) -> str:
    if dataset is None:
        return f"no runs of {cell.report}"
    if cell.column in _OF_CONFIGURATION or cell.column == _CONTENTION:
        found = [c for c in dataset.configurations if _names(cell.row, c.first.configuration)]
        return _of_configuration(cell, found[0]) if len(found) == 1 else f"{len(found)} configurations of that name"
    percentile = _PERCENTILE.fullmatch(cell.row)
    runtime = dataset.by_runtime.get(cell.column if percentile else cell.row)
    if runtime is None:
        return "no runtime of that name"
    if percentile:
        return _in_form(cell, floor_percentile(runtime.values, int(percentile[1]) / 100))
    if cell.column in _OF_RUNTIME:
        return _in_form(cell, _OF_RUNTIME[cell.column](runtime))
    return "no figure of that name"


def _of_configuration(cell: ExpectedCell, found: RunMeans) -> str:
    if cell.column != _CONTENTION:
        return _in_form(cell, _OF_CONFIGURATION[cell.column](found))
    if "/" in cell.printed:
        return f"{found.flagged}/{len(found.runs)}"
    return "Yes" if found.flagged else "No"


def _in_form(cell: ExpectedCell, value: float | None) -> str:
    if value is None:
        return "nothing: one run has no spread"
    return as_printed(cell.printed, value) if is_figure(cell.printed) else f"{value:g}: the printed text is no figure"


def _names(label: str, configuration: str) -> bool:
    """True if a row's label stands for a configuration.

    TR110 numbers its tests (``1`` is ``test_001``). TR113 shortens: ``bvc_g60_c512_t0.6`` is
    ``bvc_gpu60_ctx512_temp0p6``, and ``het_g60/g120`` leaves out all but the layers of its two agents.
    """
    if label == configuration:
        return True
    if label.isdecimal():
        return configuration == f"test_{int(label):03d}"
    wanted, found = _settings(label), _settings(configuration)
    kind = label.partition("_")[0]
    return bool(wanted) and kind in configuration.split("_") and all(found.get(k) == v for k, v in wanted.items())


def _settings(name: str) -> dict[str, list[float]]:
    """Layers, context lengths and temperatures in a name, by their first letter, in the agents' order."""
    found: dict[str, list[float]] = {}
    for letter, number in _SETTING.findall(name):
        found.setdefault(letter, []).append(float(number.replace("p", ".")))
    return found
