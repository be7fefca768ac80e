"""Distributions of TTFT and of the gaps between tokens, alone and together, by agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from harness.judge import ScenarioSummary, metrics
from harness.records import Block, RequestRecord
from harness.records.session import CONCURRENT, solo_arm
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Plot, number, table
from harness.report.html.plotting import Panel, Trace, colour, panels, rounded, spread_axis

_SHARES = tuple(np.unique(np.concatenate([np.linspace(0, 1, 81), [0.005, 0.995, 0.999]])).tolist())
"""Shares at which a distribution is drawn: 84 points look like all, however many there are."""
TOGETHER: Final = "together"
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
        for arm, name in ((solo_arm(agent.role), "alone"), (CONCURRENT, TOGETHER)):
            requests = _requests(scenario.measured, arm, agent.role)
            gaps = [gap for request in requests for gap in metrics.inter_token_latencies_ms(request)]
            found.append(_Sample(agent.role, name, [metrics.ttft_ms(request) for request in requests], gaps))
    return found


def _curve(values: Sequence[float], name: str, place: int, *, together: bool) -> Trace:
    """Share of values that are at most so large."""
    points = np.quantile(np.asarray(values), _SHARES).tolist()
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plot_text(name),
        "x": rounded(points, 4),
        "y": [round(100 * share, 2) for share in _SHARES],
        "line": {"color": colour(place), "dash": "solid" if together else "dot", "width": 2.5 if together else 2},
        "hovertemplate": "%{y:.0f} % are at most %{x:.3g} ms<extra>%{fullData.name}</extra>",
    }


def ttft_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """How TTFT is distributed; None if nothing was judged."""
    return _plot(scenario, ident, "TTFT", "requests", lambda sample: sample.ttft)


def gap_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """How the gaps between tokens are distributed; None if nothing was judged, or no answer had two tokens."""
    return _plot(scenario, ident, "gaps between tokens", "gaps", lambda sample: sample.gaps)


def _plot(
    scenario: ScenarioSummary, ident: str, what: str, unit: str, values: Callable[[_Sample], list[float]]
) -> Plot | None:
    samples = [sample for sample in _samples(scenario) if values(sample)]
    if not samples:
        return None
    roles = list(dict.fromkeys(sample.role for sample in samples))
    traces = [
        _curve(values(each), f"{each.role} {each.arm}", roles.index(each.role), together=each.arm == TOGETHER)
        for each in samples
    ]
    every = [value for sample in samples for value in values(sample)]
    axis = spread_axis(f"{what}, ms", every)
    headings = ("agent", "arm", "n", *(f"p{100 * share:.0f} ms" for share in _TOLD[:-1]), "longest ms")
    rows = [(sample.role, sample.arm, str(len(values(sample))), *_quantiles(values(sample))) for sample in samples]
    title = f"{scenario.name}: {what}, alone and together"
    told = table(f"{title}: quantiles", headings, rows, (0, 1))
    figure = panels([Panel(f"% of {unit} that took at most so long", traces)], axis)
    return Plot(ident, title, _words([(each.role, each.arm, values(each)) for each in samples]), figure, told)


def _quantiles(values: Sequence[float]) -> list[str]:
    return [number(float(each), 2) for each in np.quantile(np.asarray(values), _TOLD)]


def _words(samples: Sequence[tuple[str, str, list[float]]]) -> str:
    """The medians and the slowest hundredth of each agent and arm."""
    told = []
    for role in dict.fromkeys(role for role, _, _ in samples):
        arms = [
            f"{arm} {np.median(np.asarray(values)):.1f} ms (p99 {np.quantile(np.asarray(values), 0.99):.1f})"
            for each, arm, values in samples
            if each == role
        ]
        told.append(f"{role}: {', '.join(arms)}")
    return f"Medians. {'; '.join(told)}."
