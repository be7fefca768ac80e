"""Bencher's metric format (BMF): benchmark, measure, value and its interval.

A scenario is a benchmark, and so is each of its agents (``chimera_homo/Insight``). ``latency`` and ``throughput`` are
the measures that every project of Bencher has, in its units (ns, and operations per second, which are tokens here).
All others are made by Bencher when it first sees them; their slugs are the metrics' names with dashes.

Source: https://bencher.dev/docs/reference/bencher-metric-format and its JSON schema.
"""

from __future__ import annotations

from math import isfinite

from harness.report.exports.figures import Figure, main_figures
from harness.report.judged import JudgedSession
from harness.report.summary import json_text
from harness.report.text import printable

LONGEST_NAME = 1024
_NS = 1e9
_BUILT_IN = {"concurrent_wall_s": ("latency", _NS), "aggregate_tok_s": ("throughput", 1.0)}


def _measure(figure: Figure) -> tuple[str, float]:
    """A figure's slug and what its values are multiplied by."""
    return _BUILT_IN.get(figure.metric, (figure.metric.replace("_", "-"), 1.0))


def _values(figure: Figure, factor: float) -> dict[str, float]:
    values = {"value": figure.value, "lower_value": figure.low, "upper_value": figure.high}
    return {name: factor * value for name, value in values.items() if value is not None and isfinite(factor * value)}


def bencher_json(judged: JudgedSession) -> str:
    """The scenarios of a session in Bencher's metric format; one that is INVALID is left out."""
    document: dict[str, dict[str, dict[str, float]]] = {}
    for scenario in judged.scenarios:
        for figure in main_figures(scenario):
            name = scenario.name if figure.role is None else f"{scenario.name}/{figure.role}"
            slug, factor = _measure(figure)
            document.setdefault(printable(name)[:LONGEST_NAME], {})[slug] = _values(figure, factor)
    return json_text(document)
