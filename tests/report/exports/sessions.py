"""Judged sessions for the exports' tests, made by the real judge from built blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.judge import judge_scenario
from harness.judge.study import judge_study
from harness.records import AgentRun, BaseSide, Block
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.records.session import BASE
from harness.report import JudgedSession
from harness.scenarios import Stopping
from harness.testing import build_block, build_run, build_session, build_study_block
from harness.testing.builders import build_agent_run, build_request
from tests.report.scenarios import blocks, compared, terms

HOSTILE = "<script>x</script>\x1b[2J\u202e|`=@user #1 www.evil.example http://e.example :boom: $x$\n\x00*_"
"""Markup, escapes, a mention, a reference, links, and what ends a line or a cell."""
EIGHT = {f"agent-{n}": 1000.0 + n for n in range(8)}
SAMPLED = Resources(
    3,
    (ServerUse("http://127.0.0.1:1", 1.5, 2**30, 2**20), ServerUse("http://127.0.0.1:2", None, None)),
    (GpuUse("GPU-1", "a GPU", 50.0, 2**31, 1000.0, 200.0, 100.0),),
)


def session_of(measured: Sequence[Block], *, shift_ns: int = 0, **others: object) -> JudgedSession:
    """A session of scenarios by the blocks' names, judged; ``shift_ns`` moves each block behind the one before it."""
    laid = [moved(block, shift_ns * place) for place, block in enumerate(measured)]
    names = dict.fromkeys(block.scenario for block in laid)
    by_name = {name: [block for block in laid if block.scenario == name] for name in names}
    scenarios = tuple(judge_scenario(name, each, terms(max(1, len(each)))) for name, each in by_name.items())
    session = replace(build_session(laid), **others)  # type: ignore[arg-type]
    return JudgedSession(session, "/journals/j.jsonl", Stopping(5), scenarios)


def moved(block: Block, by_ns: int) -> Block:
    """A block all of whose instants are later."""
    runs = (
        replace(
            run,
            started_ns=run.started_ns + by_ns,
            finished_ns=run.finished_ns + by_ns,
            agents=tuple(_moved_agent(agent, by_ns) for agent in run.agents),
            background=tuple(_moved_agent(agent, by_ns) for agent in run.background),
        )
        for run in block.runs
    )
    return replace(block, runs=tuple(runs))


def _moved_agent(agent: AgentRun, by_ns: int) -> AgentRun:
    requests = (
        replace(
            request,
            asked_ns=request.asked_ns + by_ns,
            sent_ns=request.sent_ns + by_ns,
            ended_ns=request.ended_ns + by_ns,
            token_ns=tuple(instant + by_ns for instant in request.token_ns),
        )
        for request in agent.requests
    )
    return replace(
        agent,
        queued_ns=agent.queued_ns + by_ns,
        admitted_ns=agent.admitted_ns + by_ns,
        finished_ns=agent.finished_ns + by_ns,
        requests=tuple(requests),
    )


def hostile(index: int) -> Block:
    """A block whose every text is hostile."""
    block = build_block({f"{HOSTILE}A": 1000.0, f"{HOSTILE}B": 1000.0 + index}, index=index, scenario=HOSTILE)
    runs = []
    for run in block.runs:
        agents = tuple(
            replace(
                agent,
                url=HOSTILE,
                requests=tuple(replace(each, name=HOSTILE, done_reason=HOSTILE) for each in agent.requests),
            )
            for agent in run.agents
        )
        runs.append(replace(run, agents=agents))
    return replace(block, runs=tuple(runs))


def _sampled(block: Block) -> Block:
    return replace(block, runs=tuple(replace(run, resources=SAMPLED) for run in block.runs))


def _base_session() -> JudgedSession:
    pairs = [*blocks(5, 1.2), *(replace(block, side=BASE) for block in blocks(5))]
    session = build_session([replace(block, scenario="compared") for block in pairs])
    base = BaseSide(session.servers, "other-model")
    return JudgedSession(replace(session, base=base), "/j.jsonl", Stopping(5), (compared(1.2),))


def _study_session() -> JudgedSession:
    arms = {"dual": {"A": 1000.0, "B": 1100.0}, "single": {"A": 2000.0, "B": 2100.0}}
    measured = [build_study_block(arms, index=i, warmup=i == 0, background={"dual": ["C"]}) for i in range(5)]
    study = judge_study("patterns", measured, None)
    return JudgedSession(build_session(measured), "/j.jsonl", Stopping(5), (), (study,))


def _odd_blocks() -> list[Block]:
    """Failed requests, requests without tokens, overlapping ones, and an arm that nobody finished."""
    failed = build_request(tokens=0, error="connection reset")
    silent = replace(build_request(sent_ms=100.0, duration_ms=500.0), server=None)
    overlapping = [build_request(sent_ms=start, duration_ms=700.0) for start in (0.0, 100.0, 300.0)]
    agents = [
        build_agent_run("A", requests=[failed], error="request 'ask' failed"),
        build_agent_run("B", requests=[silent]),
        build_agent_run("C", 1000.0, wait_ms=50.0, requests=overlapping),
    ]
    cut = replace(build_block(index=2, error="deadline"), runs=(build_run("concurrent", agents),))
    return [build_block(index=0, warmup=True), build_block(index=1), cut, replace(build_block(index=3), runs=())]


EMPTY = JudgedSession(build_session(), "/j.jsonl", Stopping(5))
GOOD = session_of([_sampled(blocks(5, 1 + i / 100)[i]) for i in range(5)], shift_ns=10**10)
"""Five blocks, each a little slower together than the one before it."""
SESSIONS = {
    "empty": EMPTY,
    "good": GOOD,
    "overlapping": session_of(blocks(5, 2.2), shift_ns=10**10),
    "invalid": session_of([build_block(index=1, error=HOSTILE)]),
    "hostile": session_of([*map(hostile, range(1, 5)), replace(hostile(5), error=HOSTILE)], model=HOSTILE),
    "odd": session_of(_odd_blocks(), shift_ns=10**10),
    "eight agents": session_of([build_block(EIGHT, index=i) for i in range(1, 4)], shift_ns=10**10),
    "compared": _base_session(),
    "study": _study_session(),
    "unjudged": replace(EMPTY, session=build_session(blocks(2))),
}
