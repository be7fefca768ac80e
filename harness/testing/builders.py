"""Builders of records: whole, valid observations from the few figures that a test is about.

Durations are given in ms, because people think in them; the records hold ns as they always do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.records import (
    AgentRun,
    Block,
    Calibration,
    ClockAnchor,
    Environment,
    RequestRecord,
    Run,
    ServerDurations,
    ServerInfo,
    Session,
)
from harness.records.session import CONCURRENT, solo_arm

_MS = 1_000_000
_URL = "http://127.0.0.1:1"


def build_request(
    *,
    name: str = "ask",
    sent_ms: float = 0.0,
    ttft_ms: float = 100.0,
    duration_ms: float = 1000.0,
    tokens: int = 10,
    counted: int | None = None,
    error: str | None = None,
    asked_before_ms: float = 0.0,
    connected: bool = False,
    load_ms: float = 0.0,
    queue_ms: float = 0.0,
    outside_ms: float = 0.0,
) -> RequestRecord:
    """A request whose tokens come evenly from its first token to its end, each in a read of its own.

    Its server tells durations that fill the time from sent to ended: load, queue, prefill to the first token, decode.

    Args:
        name: Name of the call.
        sent_ms: When it was sent, ms.
        ttft_ms: Time to first token, ms; ``load_ms`` and ``queue_ms`` come on top of it.
        duration_ms: From sent to the end of its stream, ms, with everything in it.
        tokens: Token events that came.
        counted: The server's ``eval_count``; ``tokens`` by default.
        error: Makes it a failed one, without a last line.
        asked_before_ms: How long before ``sent_ms`` its agent had asked for it, ms.
        connected: A connection had to be opened for it.
        load_ms: The server's load duration, ms.
        queue_ms: What the server's total has besides load, prefill and decode, ms.
        outside_ms: What the server's total lacks of the request's duration (taken from its decode), ms.
    """
    sent, load, queue, outside = (round(ms * _MS) for ms in (sent_ms, load_ms, queue_ms, outside_ms))
    first, end = sent + load + queue + round(ttft_ms * _MS), sent + round(duration_ms * _MS)
    stamps = tuple(first + (end - first) * i // max(1, tokens - 1) for i in range(tokens))
    server = ServerDurations(
        total_ns=end - sent - outside,
        load_ns=load,
        prompt_eval_ns=first - sent - load - queue,
        eval_ns=end - first - outside,
        prompt_eval_count=5,
        eval_count=tokens if counted is None else counted,
    )
    return RequestRecord(
        name=name,
        nonce="00000000",
        asked_ns=sent - round(asked_before_ms * _MS),
        sent_ns=sent,
        ended_ns=end,
        connected=connected,
        token_ns=stamps,
        token_chunk=tuple(range(tokens)),
        text="x" * tokens,
        done_reason=None if error else "length",
        server=None if error else server,
        error=error,
    )


def build_agent_run(
    role: str = "A",
    duration_ms: float = 1000.0,
    *,
    wait_ms: float = 0.0,
    ttft_ms: float = 100.0,
    tokens: int = 10,
    requests: Sequence[RequestRecord] | None = None,
    error: str | None = None,
    load_ms: float = 0.0,
) -> AgentRun:
    """An agent's run, queued at 0; one request fills it from admission to end unless ``requests`` are given."""
    if requests is None:
        requests = [
            build_request(sent_ms=wait_ms, ttft_ms=ttft_ms, duration_ms=duration_ms, tokens=tokens, load_ms=load_ms)
        ]
    admitted = round(wait_ms * _MS)
    finished = admitted + round(duration_ms * _MS)
    return AgentRun(role, _URL, 0, admitted, finished, tuple(requests), error)


def build_run(arm: str, agents: Sequence[AgentRun], wall_ms: float | None = None) -> Run:
    """An arm that starts at 0 and ends with its last agent, or after ``wall_ms``."""
    last = max(agent.finished_ns for agent in agents)
    return Run(arm, 0, last if wall_ms is None else round(wall_ms * _MS), tuple(agents))


def build_block(
    solo_ms: Mapping[str, float] | None = None,
    concurrent_ms: Mapping[str, float] | None = None,
    *,
    wall_ms: float | None = None,
    index: int = 1,
    scenario: str = "pair",
    tokens: int = 10,
    solo_ttft_ms: float = 100.0,
    concurrent_ttft_ms: float = 100.0,
    warmup: bool = False,
    error: str | None = None,
    wait_ms: Mapping[str, float] | None = None,
    load_ms: Mapping[str, float] | None = None,
) -> Block:
    """A valid block of two agents (or those named): durations alone and together by role, ms.

    By default the agents ``A`` and ``B`` take 1000 ms, alone and together: perfect efficiency. ``wait_ms`` is what
    each had to wait for the coordinator while together, before its duration, and ``load_ms`` the load that its
    server told of then, within it.
    """
    solo = {"A": 1000.0, "B": 1000.0} if solo_ms is None else solo_ms
    together = solo if concurrent_ms is None else concurrent_ms
    runs = [
        build_run(solo_arm(role), [build_agent_run(role, ms, ttft_ms=solo_ttft_ms, tokens=tokens)])
        for role, ms in solo.items()
    ]
    waits, loads = wait_ms or {}, load_ms or {}
    agents = [
        build_agent_run(
            role,
            ms,
            wait_ms=waits.get(role, 0.0),
            ttft_ms=concurrent_ttft_ms,
            tokens=tokens,
            load_ms=loads.get(role, 0.0),
        )
        for role, ms in together.items()
    ]
    runs.append(build_run(CONCURRENT, agents, wall_ms))
    return Block(
        scenario=scenario,
        index=index,
        warmup=warmup,
        order=tuple(run.arm for run in runs),
        runs=tuple(runs),
        deadline_s=300.0,
        error=error,
    )


def build_study_block(
    arms: Mapping[str, Mapping[str, float]],
    *,
    index: int = 1,
    study: str = "patterns",
    warmup: bool = False,
    tokens: int = 10,
    ttft_ms: float = 100.0,
    load_ms: Mapping[str, float] | None = None,
    background: Mapping[str, Sequence[str]] | None = None,
    shared: Sequence[str] = (),
) -> Block:
    """A valid block of a study: durations by arm and role, ms.

    Args:
        arms: What its agents take in each arm.
        index: The block's index.
        study: The study.
        warmup: It is the warm-up block.
        tokens: Tokens of each agent.
        ttft_ms: Time to first token of each agent, ms.
        load_ms: The load that the server told every agent of, by arm, ms; within the agent's duration.
        background: By arm, agents that kept a server busy; their last request was cut off at the end of the arm.
        shared: Arms whose agents share one server; in the others each agent has its own.
    """
    loads, behind = load_ms or {}, background or {}
    urls: dict[str, str] = {}
    for role in (role for agents in (*arms.values(), *behind.values()) for role in agents):
        urls.setdefault(role, f"http://127.0.0.1:{len(urls) + 1}")

    def agent(arm: str, role: str, ms: float) -> AgentRun:
        run = build_agent_run(role, ms, ttft_ms=ttft_ms, tokens=tokens, load_ms=loads.get(arm, 0.0))
        return replace(run, url=_URL if arm in shared else urls[role])

    def cut_off(role: str, ms: float) -> AgentRun:
        return replace(build_agent_run(role, ms, error="cancelled"), url=urls[role])

    runs = []
    for arm, agents in arms.items():
        run = build_run(arm, [agent(arm, role, ms) for role, ms in agents.items()])
        beside = tuple(cut_off(role, max(agents.values())) for role in behind.get(arm, ()))
        runs.append(replace(run, background=beside))
    return Block(study, index, warmup, tuple(arms), tuple(runs), deadline_s=300.0)


def build_calibration() -> Calibration:
    """A calibration of a good instrument at two streams."""
    return Calibration(
        streams=2,
        tokens=200,
        unaccounted_tokens=0,
        ttft_bias_ms=0.005,
        ttft_error_p50_ms=0.005,
        ttft_error_p99_ms=0.05,
        gap_error_p99_ms=0.01,
        throughput_error_pct=0.01,
        coalesced_share=0.0,
        cpu_s_per_1000_tokens=0.05,
        loop_lag_p99_ms=1.0,
        stamped_by="kernel",
        loop="uvloop",
    )


def build_environment() -> Environment:
    """An environment with something in every field."""
    return Environment(
        versions={"python": "3.11.7", "httpx": "0.28.1"},
        host="host",
        platform="Linux",
        cpu="a CPU",
        cores=2,
        memory_bytes=2**33,
        gpus=("a GPU, 1.0, 1024 MiB",),
        command_line=("pytest", "perf"),
        anchor=ClockAnchor(monotonic_ns=1, unix_ns=2),
    )


def build_session(blocks: Sequence[Block] = ()) -> Session:
    """A session of two servers with these blocks."""
    servers = tuple(
        ServerInfo(f"http://127.0.0.1:{port}", "embedded", "0.1", "sha256:0", 10, 0, (cpu,))
        for cpu, port in enumerate((1, 2))
    )
    return Session(
        environment=build_environment(),
        servers=servers,
        model="embedded",
        profile="embedded",
        seed=7,
        max_concurrent=2,
        settings={"runs": "5"},
        options={"pair": {"A": {"num_ctx": 512.0}}},
        blocks=tuple(blocks),
        calibrations=(build_calibration(),),
    )
