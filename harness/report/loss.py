"""Where every lost per cent went, and the ledger of a request, for programs and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields

from harness.judge.ledger import AgentLedger, MeanLedger
from harness.judge.loss import AgentLoss, Loss
from harness.report.text import Grid

_TERMS = ("useful", "contention", "load", "orchestration", "imbalance")
_SPLIT = {
    "contention": ("queue", "prefill", "decode", "unattributed"),
    "orchestration": ("stagger", "wait", "client", "join"),
    "imbalance": ("inherent", "induced"),
}
_WORDS = {
    "useful": "the agents' time alone",
    "contention": "longer in flight than alone",
    "load": "loading models, together less alone",
    "orchestration": "outside the requests",
    "imbalance": "until the last agent ended",
    "stagger": "starts staggered",
    "wait": "coordinator's wait",
}


def loss_json(loss: Loss) -> dict[str, object]:
    """A decomposition in shares of 1: the five terms, which sum to 1, and under ``split`` what each is made of."""
    return {
        **{term: getattr(loss, term) for term in _TERMS},
        "split": {term: {part: getattr(loss, f"{term}_{part}") for part in parts} for term, parts in _SPLIT.items()},
    }


def ledger_json(ledger: MeanLedger) -> dict[str, float]:
    """A mean ledger, ms by term (``queue_ms`` and so on) and ``total_ms``, their sum."""
    return asdict(ledger)


def _number(value: float) -> str:
    """One decimal; what rounds to nothing has no sign."""
    return f"{value:z.1f}"


def _percent(share: float) -> str:
    return _number(100 * share)


def _meaning(term: str, loss: Loss) -> str:
    """What a term is, and what it is made of."""
    shares = {part: getattr(loss, f"{term}_{part}") for part in _SPLIT.get(term, ())}
    asked_for = {part: share for part, share in shares.items() if share or part != "stagger"}
    parts = [f"{_WORDS.get(part, part)} {_percent(share)}" for part, share in asked_for.items()]
    return _WORDS[term] + (f": {', '.join(parts)}" if parts else "")


def loss_grid(name: str, loss: Loss, agents: Sequence[AgentLoss], *, wall_s: float) -> Grid:
    """A table of the five terms in %, for all agents and for each: every column but ``all`` is a part of ``all``.

    Args:
        name: The scenario.
        loss: Its decomposition.
        agents: The agents' parts in it.
        wall_s: Wall time of the concurrent run, s.
    """
    columns = [loss, *(part.loss for part in agents)]
    rows = [["%", "all", *(part.role for part in agents), ""]]
    rows += [[term, *(_percent(getattr(each, term)) for each in columns), _meaning(term, loss)] for term in _TERMS]
    title = f"{name}: where 100 % of {len(agents)} x {wall_s:.2f} s went"
    return Grid(title, rows, (0, len(agents) + 2))


def loss_lines(name: str, loss: Loss, agents: Sequence[AgentLoss], *, wall_s: float) -> list[str]:
    """The same for the terminal."""
    grid = loss_grid(name, loss, agents, wall_s=wall_s)
    return [grid.title, *grid.lines()]


def ledger_grid(name: str, agents: Sequence[AgentLedger]) -> Grid:
    """A table of the mean request's terms in ms, alone and together by agent; a term that is nowhere is left out."""
    rows = [["ms", *(f"{agent.role} alone -> together" for agent in agents)]]
    for field in fields(MeanLedger):
        pairs = [[_number(getattr(arm, field.name)) for arm in (agent.alone, agent.together)] for agent in agents]
        if any(value != "0.0" for pair in pairs for value in pair):
            rows.append([field.name.removesuffix("_ms").replace("_", " "), *(" -> ".join(pair) for pair in pairs)])
    return Grid(f"{name}: where the time of a request went, on average", rows)


def ledger_lines(name: str, agents: Sequence[AgentLedger]) -> list[str]:
    """The same for the terminal."""
    grid = ledger_grid(name, agents)
    return [grid.title, *grid.lines()]
