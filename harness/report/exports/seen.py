"""Every request of a session with where it was seen, and instants of the session as dates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.records import AgentRun, Block, RequestRecord, Run, Session
from harness.records.session import BASE
from harness.report.judged import JudgedSession


@dataclass(frozen=True, slots=True)
class SeenAgent:
    """An agent's run, and where it was seen.

    Attributes:
        block: The block.
        run: The arm.
        agent: The agent's run.
        background: It only kept a server busy.
    """

    block: Block
    run: Run
    agent: AgentRun
    background: bool


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """A request, and where it was seen.

    Attributes:
        at: Its agent's run.
        position: Of the request in it, from 0.
        request: The request.
    """

    at: SeenAgent
    position: int
    request: RequestRecord


def seen_agents(session: Session) -> Iterator[SeenAgent]:
    """Every agent's run of a session in the order of measuring, those in the background last in their arm."""
    for block in session.blocks:
        for run in block.runs:
            yield from (SeenAgent(block, run, agent, background=False) for agent in run.agents)
            yield from (SeenAgent(block, run, agent, background=True) for agent in run.background)


def seen_requests(session: Session) -> Iterator[SeenRequest]:
    """Every request of a session, those of warm-up blocks and of agents in the background too."""
    for at in seen_agents(session):
        yield from (SeenRequest(at, position, request) for position, request in enumerate(at.agent.requests))


def model_of(session: Session, block: Block) -> str:
    """The model that was measured in a block: the base has its own."""
    return session.base.model if session.base is not None and block.side == BASE else session.model


def unix_ns(session: Session, instant_ns: int) -> int:
    """An instant of the monotonic clock as nanoseconds since 1970."""
    anchor = session.environment.anchor
    return instant_ns - anchor.monotonic_ns + anchor.unix_ns


class Validity:
    """Which blocks of a judged session could be judged, and why the others could not."""

    def __init__(self, judged: JudgedSession) -> None:
        """Looks at its scenarios and studies."""
        self._invalid = {each.name: each.invalid for each in judged.scenarios}
        self._invalid |= {each.name: each.invalid for each in judged.studies}

    def reasons(self, block: Block) -> tuple[str, ...] | None:
        """Why a block could not be judged, () if it could; None if nobody judged it: a warm-up, or not finished."""
        if block.warmup or block.scenario not in self._invalid:
            return None
        return self._invalid[block.scenario].get(block.index, ())
