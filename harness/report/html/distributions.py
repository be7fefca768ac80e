"""Distributions of TTFT and of the gaps between tokens, alone and together, by agent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.judge import ScenarioSummary, metrics
from harness.records import Block, RequestRecord
from harness.records.session import CONCURRENT, solo_arm
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Plot, number, table
from harness.report.html.plotting import Panel, Trace, colour, panels, rounded
from harness.report.text import printable

_SHARES = tuple(np.unique(np.concatenate([np.linspace(0, 1, 81), [0.005, 0.995, 0.999]])).tolist())
"""Shares at which a distribution is drawn: 84 points look like all, however many there are."""
_TOLD = (0.05, 0.5, 0.95, 0.99, 1.0)


class _Sample(NamedTuple):
    """What was seen of one agent in one arm, ms."""

    role: str
    arm: str
    ttft: list[float]
    gaps: list[float]


def _requests(blocks: Sequence[Block], arm: str, role: str) -> list[RequestRecord]:
    return [
        request
        for block in blocks
        if (run := block.run(arm)) is not None
        for agent in run.agents
        if agent.role == role
        for request in agent.requests
        if request.token_ns
    ]


def _samples(scenario: ScenarioSummary) -> list[_Sample]:
    found = []
    for agent in scenario.agents:
        for arm, name in ((solo_arm(agent.role), "alone"), (CONCURRENT, "together")):
            requests = _requests(scenario.measured, arm, agent.role)
            gaps = [gap for request in requests for gap in metrics.inter_token_latencies_ms(request)]
            found.append(_Sample(agent.role, name, [metrics.ttft_ms(request) for request in requests], gaps))
    return found


def _curve(values: Sequence[float], name: str, place: int, *, together: bool, legend: bool) -> Trace:
    """Share of values that are at most so large."""
    points = np.quantile(np.asarray(values), _SHARES).tolist() if len(values) else []
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plot_text(name),
        "legendgroup": plot_text(name),
        "showlegend": legend,
        "x": rounded(points, 4),
        "y": [round(100 * share, 2) for share in _SHARES][: len(points)],
        "line": {"color": colour(place), "dash": "solid" if together else "dot", "width": 2.5 if together else 2},
        "hovertemplate": "%{y:.0f} % are at most %{x:.3g} ms<extra>%{fullData.name}</extra>",
    }


def distribution_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """How TTFT and gaps are distributed; None if nothing was judged."""
    samples = _samples(scenario)
    if not samples or not any(sample.ttft for sample in samples):
        return None
    roles = list(dict.fromkeys(sample.role for sample in samples))
    shown = []
    for title, figure in (("TTFT: % of requests", "ttft"), ("gaps between tokens: % of gaps", "gaps")):
        traces = [
            _curve(
                getattr(sample, figure),
                f"{sample.role} {sample.arm}",
                roles.index(sample.role),
                together=sample.arm == "together",
                legend=figure == "ttft",
            )
            for sample in samples
        ]
        shown.append(Panel(title, traces))
    axis = {"type": "log", "title": {"text": "at most so many ms (logarithmic)"}}
    headings = ("agent", "arm", "figure", "n", *(f"p{100 * share:.0f} ms" for share in _TOLD[:-1]), "longest ms")
    rows = [
        (printable(sample.role), sample.arm, name, str(len(values)), *_quantiles(values))
        for name, figure in (("TTFT", "ttft"), ("gap", "gaps"))
        for sample in samples
        if (values := getattr(sample, figure))
    ]
    title = f"{printable(scenario.name)}: TTFT and gaps, alone and together"
    told = table(f"{title}: quantiles", headings, rows, (0, 1, 2))
    return Plot(ident, title, _words(samples), panels(shown, axis), told)


def _quantiles(values: Sequence[float]) -> list[str]:
    return [number(float(each), 2) for each in np.quantile(np.asarray(values), _TOLD)]


def _words(samples: Sequence[_Sample]) -> str:
    """The medians, alone and together."""
    told = []
    for alone, together in zip(samples[::2], samples[1::2], strict=True):
        medians = [
            f"{name} {_median(one)} ms alone and {_median(other)} ms together"
            for name, one, other in (("TTFT", alone.ttft, together.ttft), ("gap", alone.gaps, together.gaps))
            if one and other
        ]
        told.append(f"{printable(alone.role)}: {', '.join(medians)}")
    return f"Medians. {'; '.join(told)}."


def _median(values: Sequence[float]) -> str:
    return f"{np.median(np.asarray(values)):.1f}"
