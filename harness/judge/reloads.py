"""What it takes that agents with different options share a server: each switch has it load its model anew.

A request's load duration runs from its arrival to the grant of a runner. Where the other agent is still being served
meanwhile, the server works, and what the request waits for is its turn; what a reload costs is the time in which a
request waits for its runner and nobody is served. By the client's instants and the server's durations:

    sent .. sent + load           waits for its runner
    sent + load + queue .. ended  is served
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.judge.ledger import server_phases
from harness.judge.ranking import Shown, shown
from harness.judge.statistics import Estimate, mean_estimate
from harness.records import Block, RequestRecord, Run
from harness.scenarios.reloads import RUNNER_OPTIONS

_COMPARED = tuple(name for name in RUNNER_OPTIONS if name != "num_thread")
"""``num_thread`` follows the server here, and so never differs between agents that share one."""

Options = Mapping[str, Mapping[str, float]]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reloads:
    """What loading takes in an arm whose agents share a server and differ in their options.

    Attributes:
        arm: The arm.
        agents: Role and options that differ, in words, of each agent.
        loading_s: Time in which a request waited for its runner and its server served nobody, s.
        wall_s: Wall time of the arm, s.
        more_s: ``loading_s`` less the reference arm's, paired, s; ``loading_s`` itself without one.
        shown: ``more`` if that was shown to be above 0.
    """

    arm: str
    agents: tuple[tuple[str, str], ...]
    loading_s: Estimate
    wall_s: Estimate
    more_s: Estimate
    shown: Shown


def _uncovered(spans: Sequence[Span], cover: Sequence[Span]) -> int:
    """Length of what lies in at least one of ``spans`` and in none of ``cover``."""
    edges = sorted(
        [(start, 1, 0) for start, end in spans if end > start]
        + [(end, -1, 0) for start, end in spans if end > start]
        + [(start, 0, 1) for start, end in cover if end > start]
        + [(end, 0, -1) for start, end in cover if end > start]
    )
    length = inside = covered = reached = 0
    for instant, more_inside, more_covered in edges:
        if inside and not covered:
            length += instant - reached
        inside, covered, reached = inside + more_inside, covered + more_covered, instant
    return length


def _waits_and_service(request: RequestRecord) -> tuple[Span, Span]:
    phases = server_phases(request.server)
    granted = request.sent_ns + phases.load
    return (request.sent_ns, granted), (granted + max(0, phases.queue), request.ended_ns)


def loading_ns(run: Run) -> int:
    """Time in which a request of a run waited for its runner while its server served nobody, ns, over its servers."""
    found = 0
    for url in dict.fromkeys(agent.url for agent in run.agents):
        both = [_waits_and_service(each) for agent in run.agents if agent.url == url for each in agent.requests]
        found += _uncovered([wait for wait, _ in both], [service for _, service in both])
    return found


def _differing(run: Run, options: Options) -> tuple[tuple[str, str], ...]:
    """Agents of a run that share a server with one whose load-time options differ, and these options of theirs."""
    found = []
    for url in dict.fromkeys(agent.url for agent in run.agents):
        roles = [agent.role for agent in run.agents if agent.url == url and agent.role in options]
        held = {role: {name: options[role].get(name) for name in _COMPARED} for role in roles}
        names = [name for name in _COMPARED if len({each[name] for each in held.values()}) > 1]
        if names:
            found += [(role, ", ".join(_words(name, held[role][name]) for name in names)) for role in roles]
    return tuple(found)


def _words(name: str, value: float | None) -> str:
    return f"{name} {'by default' if value is None else f'{value:g}'}"


def reloads(blocks: Sequence[Block], arm: str, reference: str | None, options: Options) -> Reloads | None:
    """What loading takes in an arm, over n >= 1 valid blocks; None if no agents of it that share a server differ.

    Args:
        blocks: Blocks that have the arm.
        arm: The arm.
        reference: The arm whose loading is normal; None if there is none.
        options: What each role sends.
    """
    runs = [run for block in blocks if (run := block.run(arm)) is not None]
    normal = [run for block in blocks if (run := block.run(reference or "")) is not None]
    agents = _differing(runs[0], options) if runs else ()
    if not agents:
        return None
    loading = [loading_ns(run) / 1e9 for run in runs]
    usual = [loading_ns(run) / 1e9 for run in normal] if len(normal) == len(runs) else [0.0] * len(runs)
    more = mean_estimate([one - other for one, other in zip(loading, usual, strict=True)])
    return Reloads(
        arm=arm,
        agents=agents,
        loading_s=mean_estimate(loading),
        wall_s=mean_estimate([run.wall_ns / 1e9 for run in runs]),
        more_s=more,
        shown=shown(more, 0.0),
    )
