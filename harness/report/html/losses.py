"""Where every lost per cent went, as bars of signed terms and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from harness.judge import ScenarioSummary
from harness.judge.loss import Loss
from harness.report.html.escaping import plot_text
from harness.report.html.parts import Group, Plot, number, table, table_of
from harness.report.html.plotting import Trace, bars
from harness.report.loss import ledger_grid, loss_grid


class Term(NamedTuple):
    """A term that is no sum of others: its field, its name, and what its bar looks like."""

    field: str
    name: str
    colour: str
    pattern: str


TERMS: Final[tuple[Term, ...]] = (
    Term("useful", "useful", "#1e9e6a", ""),
    Term("contention_queue", "contention: queue", "#c97a22", "/"),
    Term("contention_prefill", "contention: prefill", "#d2691e", "x"),
    Term("contention_decode", "contention: decode", "#d9484f", "\\"),
    Term("contention_unattributed", "contention: unattributed", "#b0607a", "."),
    Term("load", "load", "#a45ee5", "|"),
    Term("orchestration_stagger", "orchestration: staggered starts", "#7a8290", "/"),
    Term("orchestration_wait", "orchestration: coordinator's wait", "#7a8290", "x"),
    Term("orchestration_client", "orchestration: client", "#7a8290", "-"),
    Term("orchestration_join", "orchestration: join", "#7a8290", "."),
    Term("imbalance_inherent", "imbalance: inherent", "#3b7de0", "-"),
    Term("imbalance_induced", "imbalance: induced", "#0f93a8", "+"),
)
_NOTHING = 0.0005
_MOST_AGENT_BARS = 40


class _Bar(NamedTuple):
    """One bar: the scenario, whose part it is, and its shares of 1."""

    scenario: str
    who: str
    shares: tuple[float, ...]

    @property
    def label(self) -> str:
        """Of the plot."""
        return f"{plot_text(self.scenario)}<br>{plot_text(self.who)}"


def _shares(loss: Loss, parts: int = 1) -> tuple[float, ...]:
    return tuple(parts * getattr(loss, term.field) for term in TERMS)


def _bars(scenarios: Sequence[ScenarioSummary]) -> list[_Bar]:
    found = []
    for scenario in scenarios:
        if scenario.loss is not None:
            parts = scenario.agent_losses
            found.append(_Bar(scenario.name, "all agents", _shares(scenario.loss)))
            found += [_Bar(scenario.name, part.role, _shares(part.loss, len(parts))) for part in parts]
    return found


def loss_plot(scenarios: Sequence[ScenarioSummary]) -> Plot | None:
    """A bar for each scenario and for each of its agents, of 100 % of its time each; None if nothing was judged."""
    every = _bars(scenarios)
    if not every:
        return None
    drawn = every if len(every) <= _MOST_AGENT_BARS else [bar for bar in every if bar.who == "all agents"]
    labels = [bar.label for bar in drawn]
    shown = [place for place in range(len(TERMS)) if max(abs(bar.shares[place]) for bar in every) >= _NOTHING]
    traces = [_trace(TERMS[place], labels, [bar.shares[place] for bar in drawn]) for place in shown]
    worst = min((bar for bar in every if bar.who == "all agents"), key=lambda bar: bar.shares[0])
    lost = max(range(1, len(TERMS)), key=lambda place: worst.shares[place])
    words = (
        f"Of 100 % of the agents' time, {worst.scenario} has the least that was useful: "
        f"{100 * worst.shares[0]:.1f} %. Its largest loss is {TERMS[lost].name}: {100 * worst.shares[lost]:.1f} %. "
        "What is to the left of 0 took less time together than alone."
    )
    headings = ("scenario", "whose time", *(TERMS[place].name for place in shown), "sum")
    rows = [(bar.scenario, bar.who, *(_percent(bar.shares[place]) for place in shown), _sum(bar)) for bar in every]
    told = table("where 100 % of the time went, %; each agent's own time is 100 %", headings, rows, (0, 1))
    figure = bars(labels, len(drawn), traces, "% of the agents' time in the concurrent run")
    return Plot("losses", "Where 100 % of the agents' time went", words, figure, told)


def _trace(term: Term, labels: Sequence[str], shares: Sequence[float]) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": term.name,
        "y": list(labels),
        "x": [round(100 * share, 3) for share in shares],
        "marker": {"color": term.colour, "pattern": {"shape": term.pattern}},
        "hovertemplate": "%{x:.1f} %<extra>%{fullData.name}</extra>",
    }


def _percent(share: float) -> str:
    return number(100 * share, 1)


def _sum(bar: _Bar) -> str:
    return _percent(sum(bar.shares))


def loss_groups(scenarios: Sequence[ScenarioSummary]) -> list[Group]:
    """What each term is made of, and the ledger of a request, by scenario."""
    groups = []
    for scenario in scenarios:
        if scenario.loss is not None:
            wall_s = scenario.estimates["concurrent_wall_s"].point
            tables = (
                table_of(loss_grid(scenario.name, scenario.loss, scenario.agent_losses, wall_s=wall_s)),
                table_of(ledger_grid(scenario.name, scenario.ledgers)),
            )
            groups.append(Group(scenario.name, tables=tables, open=False))
    return groups
