"""Whether servers did what a pattern takes for granted: who tells that a server has so many slots may be wrong.

A server that is only connected to has the slots that it was started with, and the coordinator may let in fewer agents
than a pattern has. Then an arm measures something else than its name says. What its agents did at the same time shows
it: by the client's instants and the server's durations, prefill and decode are work, the wait for a slot is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from harness.judge.phases import agent_phases
from harness.records import Block, Run
from harness.scenarios.studies import DUAL, SINGLE, SINGLE_PARALLEL

_WORK = ("prefill", "decode")
NEVER, OFTEN = 0.02, 0.2
"""Shares of a run's wall time up to which agents did not work at once, and from which on they did."""


def at_once(run: Run) -> float | None:
    """Share of a run's wall time in which two or more agents were worked for, 0 to 1; None if it cannot be told.

    It cannot where a server did not tell its durations: then a wait looks like work.
    """
    if run.wall_ns <= 0 or any(request.server is None for agent in run.agents for request in agent.requests):
        return None
    edges: list[tuple[int, int]] = []
    for agent in run.agents:
        for piece in agent_phases(agent, run.started_ns, run.finished_ns):
            if piece.phase in _WORK:
                edges += [(piece.start_ns, 1), (piece.end_ns, -1)]
    shared = working = reached = 0
    for instant, change in sorted(edges):
        shared += instant - reached if working > 1 else 0
        working, reached = working + change, instant
    return shared / run.wall_ns


def pattern_doubts(blocks: Sequence[Block]) -> Mapping[str, str]:
    """Arms of a study of patterns that were not what their name says, each with why and what to do.

    Args:
        blocks: Its valid blocks.
    """
    found: dict[str, str] = {}
    for arm in (DUAL, SINGLE, SINGLE_PARALLEL):
        runs = [run for block in blocks if (run := block.run(arm)) is not None]
        shares = [share for run in runs if (share := at_once(run)) is not None]
        if not shares or len(shares) < len(runs):
            continue
        share = fmean(shares)
        if arm == SINGLE and share >= OFTEN:
            found[arm] = (
                f"its agents were worked for at once in {100 * share:.0f} % of the time: the server has more than one "
                "slot; start it with OLLAMA_NUM_PARALLEL=1"
            )
        elif arm == SINGLE_PARALLEL and share <= NEVER:
            found[arm] = (
                "its agents were worked for one after the other: the server has one slot; start it with "
                f"OLLAMA_NUM_PARALLEL={len(runs[0].agents)}"
            )
        elif arm == DUAL and share <= NEVER:
            found[arm] = "its agents never worked at once: the coordinator let in one at a time (--max-concurrent)"
    return found
