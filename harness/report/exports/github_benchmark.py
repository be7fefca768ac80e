"""Results for github-action-benchmark, its tool ``customSmallerIsBetter``: an array of name, unit, value and range.

One file has one direction, and this one has the figures of which less is better. Those of which more is better say
the same from the other side. The wall time of every concurrent run also stands in the file of ``--benchmark-json``, for
the action's tool ``pytest``.

Source: https://github.com/benchmark-action/github-action-benchmark, ``src/extract.ts``.
"""

from __future__ import annotations

from harness.judge import ScenarioSummary
from harness.report.exports.figures import Figure, main_figures
from harness.report.judged import JudgedSession
from harness.report.summary import json_text
from harness.report.text import printable


def _entry(scenario: ScenarioSummary, figure: Figure) -> dict[str, object]:
    where = scenario.name if figure.role is None else f"{scenario.name} {figure.role}"
    entry: dict[str, object] = {
        "name": printable(f"{where}: {figure.metric}"),
        "unit": figure.unit,
        "value": figure.value,
    }
    extra = f"verdict {scenario.verdict.value}, {len(scenario.blocks)} blocks"
    if figure.low is not None and figure.high is not None:
        entry["range"] = f"± {(figure.high - figure.low) / 2:.4g}"
        extra += f", 95 % interval {figure.low:.6g} to {figure.high:.6g}"
    return {**entry, "extra": extra}


def github_benchmark_json(judged: JudgedSession) -> str:
    """The figures of which less is better; no entry of a scenario that is INVALID.

    A session without any gives an empty array, at which the action fails: nothing was measured.
    """
    return json_text(
        [
            _entry(scenario, figure)
            for scenario in judged.scenarios
            for figure in main_figures(scenario)
            if figure.better == "less"
        ]
    )
