"""One published run as a flat row, and the record that it becomes. Every published format is first made such a row.

Source: the field list in the README beside the tidied JSON Lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from harness.records import AgentRun, Run
from harness.records.published import AgentTotals, PublishedRun, RecordedFigures, SoloRun
from harness.records.session import CONCURRENT, solo_arm

Positive = Annotated[float, msgspec.Meta(ge=1e-9, le=1e12)]
"""A duration of at least 1 ns, or another figure above 0; the upper bound keeps the arithmetic finite."""
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
OPTIONS = ("num_gpu", "num_ctx", "temperature", "top_p", "top_k", "repeat_penalty")
ROLES = ("collector", "insight")
"""What the publisher calls the first and the second agent."""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent of a row: durations in s, a null option is the server's default."""

    role: str
    url: str
    llm_calls: Count
    total_s: Positive
    llm_total_s: Positive
    tokens: Count
    ttft_ms: NotNegative
    tok_s: Positive
    load_s: NotNegative | None
    prompt_eval_s: NotNegative | None
    eval_s: NotNegative | None
    num_gpu: float | None
    num_ctx: float | None
    temperature: float | None
    top_p: float | None
    top_k: float | None
    repeat_penalty: float | None

    def totals(self) -> AgentTotals:
        """The record of it."""
        sent = {name: getattr(self, name) for name in OPTIONS}
        return AgentTotals(
            kind=self.role,
            options={name: value for name, value in sent.items() if value is not None},
            calls=self.llm_calls,
            tokens=self.tokens,
            ttft_ms=self.ttft_ms,
            tok_s=self.tok_s,
            requests_ns=_ns(self.llm_total_s),
            load_ns=_optional_ns(self.load_s),
            prompt_eval_ns=_optional_ns(self.prompt_eval_s),
            eval_ns=_optional_ns(self.eval_s),
        )


@dataclass(frozen=True, slots=True)
class PairRow:
    """One run of two agents: times in s, TTFT in ms, rates in tok/s."""

    dataset: str
    phase: str
    config_id: str
    scenario: str
    run: Count
    runtime: str
    model: str
    agent1: AgentRow
    agent2: AgentRow
    concurrent_wall_s: Positive
    speedup: Positive
    efficiency_pct: Positive | None
    contention: bool
    throughput_delta: float
    ttft_delta_ms: float
    source_path: str
    source_commit: str

    def record(self) -> PublishedRun:
        """The record of it."""
        agents = (self.agent1, self.agent2)
        runs = tuple(_agent_run(role, agent) for role, agent in zip(ROLES, agents, strict=True))
        return PublishedRun(
            phase=self.phase,
            configuration=self.config_id,
            scenario=self.scenario,
            runtime=self.runtime,
            index=self.run,
            model=self.model,
            run=Run(CONCURRENT, 0, _ns(self.concurrent_wall_s), runs),
            totals=tuple(agent.totals() for agent in agents),
            recorded=RecordedFigures(
                self.speedup, self.efficiency_pct, self.contention, self.throughput_delta, self.ttft_delta_ms
            ),
            source=_source(self.source_path, self.source_commit),
        )


@dataclass(frozen=True, slots=True)
class SoloRow:
    """One run of one agent alone: ``workflow_s`` is the agent's duration, ``duration_s`` its process's."""

    dataset: str
    config_id: str
    run: Count
    model: str
    agent: AgentRow
    duration_s: Positive
    source_path: str
    source_commit: str

    def record(self) -> SoloRun:
        """The record of it."""
        role = self.agent.role
        return SoloRun(
            configuration=self.config_id,
            index=self.run,
            model=self.model,
            run=Run(solo_arm(role), 0, _ns(self.duration_s), (_agent_run(role, self.agent),)),
            totals=self.agent.totals(),
            source=_source(self.source_path, self.source_commit),
        )


Row = PairRow | SoloRow


def row_of(item: object) -> Row | None:
    """The row of a line of tidied JSON Lines; None if it is no published run at all.

    Raises:
        msgspec.ValidationError: If a field is missing, null where a number is needed, or of another type.
    """
    if not isinstance(item, dict):
        return None
    if any(name.startswith("agent1_") for name in item):
        return msgspec.convert(_nested(item), PairRow)
    if {"agent", "workflow_s"} <= item.keys():
        agent = {**item, "role": item["agent"], "total_s": item["workflow_s"], "url": ""}
        return msgspec.convert({**item, "agent": agent}, SoloRow)
    return None


def _nested(item: dict[str, Any]) -> dict[str, Any]:
    agents: dict[str, dict[str, Any]] = {"agent1": {}, "agent2": {}}
    rest = {}
    for name, value in item.items():
        prefix, _, field = name.partition("_")
        if prefix in agents:
            agents[prefix][field] = value
        else:
            rest[name] = value
    return {**rest, **agents}


def _agent_run(role: str, agent: AgentRow) -> AgentRun:
    return AgentRun(role, agent.url, queued_ns=0, admitted_ns=0, finished_ns=_ns(agent.total_s), requests=())


def _source(path: str, commit: str) -> str:
    return f"{path} at {commit}" if commit else path


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _optional_ns(seconds: float | None) -> int | None:
    return None if seconds is None else _ns(seconds)
