"""How it came about: each gate's interval closing in on its limit, pairs with the base, sessions of the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log
from statistics import fmean
from typing import Final

from harness.judge import Change, Estimate, Gate, ScenarioSummary, log_estimate, share_estimate
from harness.judge.change import COMPARED
from harness.judge.figures import BlockFigures
from harness.judge.summary import CONTENTION_RATE
from harness.report.html.parts import Plot, number, table
from harness.report.html.plotting import COLOURS, GREY, Panel, Trace, line, panels
from harness.report.verdicts import METRIC_NAMES, change_line, figure_words, gate_line
from harness.scenarios import StoredBaseline

_BAND: Final = "rgba(59, 125, 224, 0.25)"
_MOST_POINTS = 60


def _running(scenario: ScenarioSummary, metric: str) -> list[Estimate]:
    """The estimate after each number of blocks."""
    values = [float(getattr(block, metric, 0.0)) for block in scenario.blocks]
    hits = [block.index in scenario.symptoms for block in scenario.blocks]
    counts = range(max(1, len(values) - _MOST_POINTS + 1), len(values) + 1)
    if metric == CONTENTION_RATE:
        return [share_estimate(sum(hits[:n]), n) for n in counts]
    logs = [log(value) for value in values]
    return [log_estimate(logs[:n]) for n in counts]


def _gate_panel(gate: Gate, estimates: Sequence[Estimate]) -> Panel:
    """The interval as an area, the point as a line, and the limit.

    Ends that are far outside of what there is to see (two blocks give wide intervals) end at the frame.
    """
    metric, factor = gate.limit.metric, 100.0 if gate.limit.metric == CONTENTION_RATE else 1.0
    limit = factor * gate.limit.value
    points = [factor * each.point for each in estimates]
    low, high = min([*points, limit]), max([*points, limit])
    room = 1.5 * max(high - low, 0.1 * abs(high), 1e-9)
    told = [(each.n, each.low, each.high) for each in estimates if each.low is not None and each.high is not None]
    edge: Trace = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    edge |= {"x": [n for n, _, _ in told], "line": {"color": COLOURS[0], "width": 1}}
    lower = edge | {"y": [max(factor * end, low - room) for _, end, _ in told]}
    upper = edge | {"y": [min(factor * end, high + room) for _, _, end in told], "fill": "tonexty", "fillcolor": _BAND}
    shown: Trace = {"showlegend": False, "hovertemplate": "%{y:.4g} after %{x} blocks<extra></extra>"}
    point = line("", [each.n for each in estimates], points) | shown
    side = "at least" if gate.limit.side == "min" else "at most"
    title = f"{METRIC_NAMES[metric]}, {side} {figure_words(metric, gate.limit.value)}: {gate.verdict.value}"
    return Panel(title, [lower, upper, point], (limit, "limit"))


def gates_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """The running interval of each gate; None below two blocks, or without a gate."""
    if not scenario.gates or len(scenario.blocks) < 2:  # noqa: PLR2004 - one value has no interval
        return None
    running = [(gate, _running(scenario, gate.limit.metric)) for gate in scenario.gates]
    shown = [_gate_panel(gate, estimates) for gate, estimates in running]
    rows = [_gate_row(gate, estimate) for gate, each in running for estimate in each]
    title = f"{scenario.name}: each gate after so many blocks"
    told = table(title, ("metric", "blocks", "figure", "from", "to", "limit"), rows)
    words = f"The area is the 95 % interval, the broken line the limit. {'; '.join(map(_decided, scenario.gates))}."
    return Plot(ident, title, words, panels(shown, {"title": {"text": "blocks"}}), told)


def _decided(gate: Gate) -> str:
    return gate_line(gate).partition(" (")[0] + ("" if gate.decided_at is None else f", at block {gate.decided_at}")


def _gate_row(gate: Gate, found: Estimate) -> tuple[str, ...]:
    metric = gate.limit.metric
    low, high = ("-" if end is None else figure_words(metric, end) for end in (found.low, found.high))
    limit = figure_words(metric, gate.limit.value)
    return METRIC_NAMES[metric], str(found.n), figure_words(metric, found.point), low, high, limit


def base_plot(scenario: ScenarioSummary, ident: str) -> Plot | None:
    """The candidate over its base, pair by pair; None without a base."""
    changes = [change for change in scenario.changes if change.against == "base"]
    if not changes or not scenario.base:
        return None
    pairs = list(zip(scenario.blocks, scenario.base, strict=True))
    ratios = {change.metric: [_ratio(change.metric, *pair) for pair in pairs] for change in changes}
    xs = [block.index for block, _ in pairs]
    shown = [_change_panel(change, line("", xs, ratios[change.metric]) | {"showlegend": False}) for change in changes]
    rows = [
        (METRIC_NAMES[name], str(x), number(y, 4)) for name, ys in ratios.items() for x, y in zip(xs, ys, strict=True)
    ]
    title = f"{scenario.name}: candidate over base, pair by pair"
    words = "; ".join(map(change_line, changes)) + "."
    axis = {"title": {"text": "pair of blocks"}}
    return Plot(ident, title, words, panels(shown, axis), table(title, ("metric", "pair", "ratio"), rows))


def _ratio(metric: str, candidate: BlockFigures, base: BlockFigures) -> float:
    return float(getattr(candidate, metric)) / float(getattr(base, metric))


def _change_panel(change: Change, trace: Trace) -> Panel:
    """The limit is where the candidate is as much worse as PASS rules out."""
    worse = change.worse_pct / 100
    limit = 1 + worse if change.worse == "higher" else 1 / (1 + worse)
    name = f"{change.worse_pct:g} % worse"
    return Panel(f"{METRIC_NAMES[change.metric]}, ratio: {change.verdict.value}", [trace], (limit, name))


def baseline_plot(scenario: ScenarioSummary, stored: StoredBaseline | None, ident: str) -> Plot | None:
    """The stored sessions of a baseline and this one; None without a baseline or without valid blocks."""
    if stored is None or not scenario.blocks:
        return None
    values: Mapping[str, Sequence[float]] = {name: each for name, each in stored.ratios.items() if each}
    if not values:
        return None
    new = {name: exp(fmean(log(float(getattr(block, name))) for block in scenario.blocks)) for name in values}
    verdicts = {change.metric: change for change in scenario.changes if change.against != "base"}
    shown: list[Panel] = []
    for name, old in values.items():
        said = f": {verdicts[name].verdict.value}" if name in verdicts else ""
        first = not shown
        xs = list(range(1, len(old) + 1))
        dots = line("stored sessions", xs, old) | {"mode": "markers", "legendgroup": "old", "showlegend": first}
        this = line("this session", [len(old) + 1], [new[name]], 1) | {"legendgroup": "new", "showlegend": first}
        marked = {"color": COLOURS[1], "symbol": "diamond", "size": 13, "line": {"color": GREY, "width": 1}}
        worse = "" if name not in COMPARED else f" ({COMPARED[name]} is worse)"
        shown.append(Panel(f"{METRIC_NAMES[name]}{worse}{said}", [dots, this | {"marker": marked}]))
    rows = [
        *(
            (METRIC_NAMES[name], f"stored {n}", number(y, 4))
            for name, old in values.items()
            for n, y in enumerate(old, 1)
        ),
        *((METRIC_NAMES[name], "this session", number(y, 4)) for name, y in new.items()),
    ]
    title = f"{scenario.name}: baseline {stored.name}, session by session"
    words = "; ".join(map(change_line, verdicts.values())) + "."
    axis = {"title": {"text": "session, in the order of saving"}, "dtick": 1}
    return Plot(ident, title, words, panels(shown, axis), table(title, ("metric", "session", "value"), rows, (0, 1)))
