"""The timeline: every run of a session with every phase and token, small enough for hundreds of runs in one page.

Instants are whole microseconds from the start of their run, and most are told as the difference to the one before.
``static/timeline.js`` reads what is packed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from harness.judge import ScenarioSummary, Verdict, metrics
from harness.judge.phases import PHASES, agent_phases, request_phases
from harness.records import AgentRun, Block, RequestRecord, Run
from harness.records.session import BASE, CONCURRENT
from harness.report.html.parts import Table, number, table
from harness.report.judged import JudgedSession
from harness.report.text import printable

MOST_TOKENS: Final = 400_000
"""Tokens that are told one by one in one page (about 3 MB); of a session with more the runs that matter most."""
_TEXT = 60
_US, _MS = 1000, 1e6
HEADINGS = ("agent", "request", "sent", "load", "queue", "prefill", "decode", "tokens", "longest gap", "what came")
CAPTION = "requests of the run shown, in ms"
_WORDS = 9


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the timeline shows.

    Attributes:
        packed: Every run, for its script; None if nothing was run.
        first: The run that is shown from the start: its place in ``packed``.
        words: What is to be seen in that run.
        table: Its requests.
        left_out: Runs that are not in it, as there are too many.
    """

    packed: dict[str, object] | None
    first: int
    words: str
    table: Table
    left_out: int


_Key = tuple[Block, Run]


def timeline(judged: JudgedSession) -> Timeline:
    """All runs of a session, or those that matter most, and which to show first."""
    every = [(block, run) for block in judged.session.blocks for run in block.runs if run.wall_ns > 0]
    shown = _that_fit(every)
    if not shown:
        return Timeline(None, 0, "nothing was run", table(CAPTION, HEADINGS, []), 0)
    labels = _labels(judged, shown)
    first = _first(judged, shown)
    names: dict[str, int] = {}
    packed = {
        "phases": PHASES,
        "headings": HEADINGS,
        "words": _WORDS,
        "first": first,
        "runs": [_packed(block, run, labels.get(id(block), ""), names) for block, run in shown],
    }
    packed["names"] = [printable(name) for name in names]
    told = table(CAPTION, HEADINGS, _rows(shown[first][1]), (0, 1, _WORDS))
    return Timeline(packed, first, _words(*shown[first]), told, len(every) - len(shown))


def _tokens(run: Run) -> int:
    return sum(len(request.token_ns) for agent in (*run.agents, *run.background) for request in agent.requests)


def _that_fit(every: Sequence[_Key]) -> list[_Key]:
    """The runs in their order, as many as the page may hold: those with several agents before the others."""
    room = MOST_TOKENS
    kept = set()
    for place in sorted(range(len(every)), key=lambda at: (len(every[at][1].agents) < 2, every[at][0].warmup)):  # noqa: PLR2004
        room -= _tokens(every[place][1])
        if room < 0:
            break
        kept.add(place)
    return [each for place, each in enumerate(every) if place in kept]


def _labels(judged: JudgedSession, shown: Sequence[_Key]) -> dict[int, str]:
    """What is special about a block: the slowest and the median one of each scenario, and those that are not judged."""
    labels: dict[int, str] = {}
    for summary in judged.scenarios:
        walls = {
            id(block): run.wall_ns
            for block, run in shown
            if block.scenario == summary.name and run.arm == CONCURRENT and _is_judged(block, summary)
        }
        if len(walls) > 1:
            middle = median(walls.values())
            labels[min(walls, key=lambda key: abs(walls[key] - middle))] = "the median"
            labels[max(walls, key=lambda key: walls[key])] = "the slowest"
    bad = {(name, index) for name, reasons in judged.invalid.items() for index in reasons}
    for block, _ in shown:
        if block.warmup:
            labels[id(block)] = "warm-up"
        elif (block.scenario, block.index) in bad:
            labels[id(block)] = "invalid"
    return labels


def _is_judged(block: Block, summary: ScenarioSummary) -> bool:
    return block.side != BASE and not block.warmup and block.index not in summary.invalid


def _first(judged: JudgedSession, shown: Sequence[_Key]) -> int:
    """The slowest concurrent run of the first scenario that did not pass, or the median one of the first scenario."""
    ranked = sorted(judged.scenarios, key=lambda each: each.verdict is not Verdict.FAIL)
    for summary in ranked:
        runs = [
            (run.wall_ns, place)
            for place, (block, run) in enumerate(shown)
            if block.scenario == summary.name and run.arm == CONCURRENT and _is_judged(block, summary)
        ]
        if runs:
            runs.sort()
            return runs[-1][1] if summary.verdict is Verdict.FAIL else runs[(len(runs) - 1) // 2][1]
    together = [place for place, (_, run) in enumerate(shown) if len(run.agents) > 1]
    return together[0] if together else 0


def _deltas(instants: Iterable[int], start: int) -> list[int]:
    """Instants in ns as differences in us, the first one to ``start``."""
    whole = [0, *((each - start) // _US for each in instants)]
    return [after - before for before, after in pairwise(whole)]


def _packed(block: Block, run: Run, label: str, names: dict[str, int]) -> dict[str, object]:
    def name(text: str) -> int:
        return names.setdefault(text, len(names))

    def agent(each: AgentRun, *, background: bool) -> dict[str, object]:
        phases = agent_phases(each, run.started_ns, run.finished_ns)
        found: dict[str, object] = {
            "r": name(each.role),
            "u": name(each.url),
            "w": [(at - run.started_ns) // _US for at in (each.queued_ns, each.admitted_ns)],
            "f": (each.finished_ns - run.started_ns) // _US,
            "p": [[PHASES.index(p.phase), (p.end_ns - p.start_ns) // _US] for p in phases],
            "t": _deltas(sorted(at for request in each.requests for at in request.token_ns), run.started_ns),
        }
        return found | ({"b": 1} if background else {})

    agents = [agent(each, background=False) for each in run.agents]
    agents += [agent(each, background=True) for each in run.background]
    return {
        "s": name(block.scenario),
        "b": block.index,
        "d": int(block.side == BASE),
        "l": name(label),
        "a": name(run.arm),
        "w": run.wall_ns // _US,
        "x": _words(block, run),
        "g": agents,
        "q": _rows(run),
    }


def _words(block: Block, run: Run) -> str:
    """What is to be seen in a run: what each agent did with its time."""
    told = []
    for agent in run.agents:
        phases = agent_phases(agent, run.started_ns, run.finished_ns)
        sums = {phase: sum(p.end_ns - p.start_ns for p in phases if p.phase == phase) for phase in PHASES}
        parts = [f"{phase} {100 * ns / run.wall_ns:.0f} %" for phase, ns in sums.items() if ns >= run.wall_ns / 200]
        wait = f", after {agent.wait_ns / _MS:.0f} ms for the coordinator" if agent.wait_ns >= _MS else ""
        told.append(f"{printable(agent.role)}: {', '.join(parts) or 'nothing'}{wait}")
    side = "base, " if block.side == BASE else ""
    which = "warm-up" if block.warmup else f"block {block.index}"
    head = f"{printable(block.scenario)}, {side}{which}, {printable(run.arm)}: {run.wall_ns / 1e9:.2f} s"
    return f"{head}. {'; '.join(told)}."


def _rows(run: Run) -> list[list[str]]:
    """A row for each request of a run."""
    return [
        _row(agent.role, request, run.started_ns)
        for agent in (*run.agents, *run.background)
        for request in agent.requests
    ]


def _row(role: str, request: RequestRecord, started_ns: int) -> list[str]:
    spent = dict.fromkeys(PHASES, 0.0)
    for phase, start, end in request_phases(request):
        spent[phase] += (end - start) / _MS
    gaps = metrics.inter_token_latencies_ms(request)
    came = f"failed: {request.error}" if request.error else request.text
    return [
        printable(role),
        printable(request.name),
        number((request.sent_ns - started_ns) / _MS, 1),
        *(number(spent[phase], 1) for phase in PHASES[1:]),
        str(len(request.token_ns)),
        number(max(gaps, default=None), 1),
        printable(came if len(came) <= _TEXT else came[:_TEXT] + "..."),
    ]
