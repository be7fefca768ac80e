"""Judged sessions for the page's tests, made by the real judge from built blocks: large ones, all verdicts, hostile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.judge import judge_scenario, judge_study
from harness.records import AgentRun, Block, ModelMemory, Run, Session
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.records.session import BASE, CONCURRENT, BaseSide, solo_arm
from harness.report import JudgedSession
from harness.scenarios import ChangeRules, Limit, Stopping, StoredBaseline, Terms
from harness.testing import (
    build_agent_run,
    build_block,
    build_request,
    build_run,
    build_session,
    build_study_block,
)

LIMITS = (
    Limit("guide_efficiency_pct", 80.0),
    Limit("measured_efficiency_pct", 60.0),
    Limit("measured_speedup", 1.0),
    Limit("contention_rate", 0.33),
)
HOSTILE = (
    "<b></script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
    "\x1b[31m\u202eevil\u2028\x00<!--{{7*7}}"
)
"""What a model, a server or an error may be called: every way out of a page that is known."""
ROLES = ("DataCollector", "Insight")
SECTIONS = (
    "verdicts",
    "scenarios",
    "timeline",
    "losses",
    "distributions",
    "interference",
    "resources",
    "history",
    "studies",
    "checks",
    "again",
)
"""Sections of the page, in their order."""


def terms(runs: int, **others: object) -> Terms:
    """Usual limits, one look after so many blocks."""
    return replace(Terms(LIMITS, stopping=Stopping(runs, fixed=True), gates=4), **others)  # type: ignore[arg-type]


def agent(role: str, ms: float, *, tokens: int, ttft_ms: float, wait_ms: float = 0.0, url: str = "") -> AgentRun:
    """An agent with two requests, one after the other."""
    half = ms / 2
    requests = [
        build_request(name=name, sent_ms=wait_ms + at * half, ttft_ms=ttft_ms, duration_ms=half, tokens=tokens)
        for at, name in enumerate(("first", "second"))
    ]
    run = build_agent_run(role, ms, wait_ms=wait_ms, requests=requests)
    return replace(run, url=url or f"http://127.0.0.1:{ROLES.index(role) + 1 if role in ROLES else 9}")


def used(run: Run, gpu: bool) -> Run:
    """The run with what was sampled meanwhile."""
    servers = tuple(ServerUse(each.url, 0.5 + each.finished_ns % 7 / 100, 2**28) for each in run.agents)
    card = GpuUse("GPU-0", "a GPU", 70.0, 2**33, 1500.0, 200.0, 200.0 * run.wall_ns / 1e9)
    return replace(run, resources=Resources(5, servers, (card,) if gpu else ()))


def block(
    name: str,
    index: int,
    slow: float,
    *,
    roles: Sequence[str] = ROLES,
    tokens: int = 24,
    gpu: bool = False,
    warmup: bool = False,
) -> Block:
    """A block of a scenario whose agents take ``slow`` times as long together."""
    alone = {role: 1000.0 + 40 * place + 13 * (index * 7 % 5) for place, role in enumerate(roles)}
    runs = [build_run(solo_arm(role), [agent(role, ms, tokens=tokens, ttft_ms=ms / 10)]) for role, ms in alone.items()]
    together = [
        agent(role, slow * ms, tokens=tokens, ttft_ms=slow * ms / 8, wait_ms=2.0 * place)
        for place, (role, ms) in enumerate(alone.items())
    ]
    runs.append(build_run(CONCURRENT, together))
    return Block(
        scenario=name,
        index=index,
        warmup=warmup,
        order=tuple(run.arm for run in runs),
        runs=tuple(used(run, gpu) for run in runs),
        deadline_s=300.0,
        memory=(ModelMemory("http://127.0.0.1:1", "m", 10, 0),),
    )


def blocks(name: str, slow: float, runs: int, **others: object) -> list[Block]:
    """A warm-up block and so many others."""
    return [block(name, index, slow, warmup=index == 0, **others) for index in range(runs + 1)]  # type: ignore[arg-type]


def judged(
    session: Session,
    by_scenario: Mapping[str, Sequence[Block]],
    by_study: Mapping[str, Sequence[Block]] | None = None,
    by_terms: Mapping[str, Terms] | None = None,
) -> JudgedSession:
    """A session of these blocks, judged."""
    studies = by_study or {}
    held = {name: (by_terms or {}).get(name, terms(max(1, len(each) - 1))) for name, each in by_scenario.items()}
    every = [each for measured in (*by_scenario.values(), *studies.values()) for each in measured]
    return JudgedSession(
        replace(session, blocks=tuple(every)),
        "/tmp/journal.jsonl",
        Stopping(6, fixed=True),
        tuple(judge_scenario(name, each, held[name]) for name, each in by_scenario.items()),
        tuple(judge_study(name, each, None) for name, each in studies.items()),
        held,
    )


def pattern_blocks(parallel_ms: float = 1600.0, runs: int = 6) -> list[Block]:
    """The study of patterns: two servers take 2600 ms, one with slots so many."""
    return [
        build_study_block(
            {
                "dual": dict.fromkeys(ROLES, 2600.0 + 9 * (i * 3 % 5)),
                "single": dict.fromkeys(ROLES, 2900.0 + 9 * (i * 4 % 5)),
                "single_parallel": dict.fromkeys(ROLES, parallel_ms + 11 * (i * 2 % 5)),
                "sequential": dict.fromkeys(ROLES, 2700.0 + 10 * (i % 4)),
            },
            index=i,
            warmup=i == 0,
        )
        for i in range(runs + 1)
    ]


def every_verdict() -> JudgedSession:
    """A session with all verdicts, a study that shows something, a base, a baseline, and GPUs."""
    stored = StoredBaseline("main", {"slowdown": (2.3, 2.35, 2.28, 2.31)}, ChangeRules(("slowdown",)))
    pairs = [*blocks("with_base", 1.2, 6), *(replace(each, side=BASE) for each in blocks("with_base", 1.15, 6))]
    broken = [build_block(index=i, scenario="broken", error="the server died") for i in (1, 2)]
    session = replace(build_session(), base=BaseSide(build_session().servers, "older"))
    return judged(
        session,
        {
            "calm": blocks("calm", 1.01, 4),
            "chimera_homo": blocks("chimera_homo", 2.4, 6, gpu=True),
            "with_base": pairs,
            "undecided": blocks("undecided", 1.0, 1),
            "broken": broken,
        },
        {"patterns": pattern_blocks()},
        {
            "chimera_homo": terms(6, baseline=stored),
            "with_base": terms(6, change=ChangeRules(("concurrent_wall_s", "slowdown"))),
        },
    )


def hostile() -> JudgedSession:
    """A session in which all that others may name or write wants out of the page."""
    roles = (f"A{HOSTILE}", f"B{HOSTILE}")
    name = f"name{HOSTILE}"
    measured = [_with_text(each) for each in blocks(name, 2.2, 4, roles=roles)]
    failed = replace(measured[-1], index=5, error=f"server said {HOSTILE}")
    plain = build_session()
    session = replace(
        plain,
        model=f"model{HOSTILE}",
        servers=tuple(replace(each, version=HOSTILE, model_digest=HOSTILE) for each in plain.servers),
        environment=replace(
            plain.environment, gpus=(HOSTILE,), cpu=HOSTILE, command_line=("/bin/pytest", "perf", f"--model={HOSTILE}")
        ),
        options={name: {roles[0]: {HOSTILE: 1.0}}},
        settings={"flag": HOSTILE},
    )
    return judged(session, {name: [*measured, failed]})


def _with_text(measured: Block) -> Block:
    """The block, whose answers are hostile."""

    def said(each: AgentRun) -> AgentRun:
        return replace(each, requests=tuple(replace(r, text=HOSTILE, name=HOSTILE) for r in each.requests))

    runs = tuple(replace(run, agents=tuple(map(said, run.agents))) for run in measured.runs)
    return replace(measured, runs=runs)


def large(scenarios: int = 3, runs: int = 17, tokens: int = 128) -> JudgedSession:
    """A session of at least 150 runs: arms alone and together, two requests each of so many tokens."""
    names = [f"scenario_{place}" for place in range(scenarios)]
    measured = {name: blocks(name, 1.3 + 0.1 * at, runs, tokens=tokens, gpu=True) for at, name in enumerate(names)}
    return judged(build_session(), measured, {"patterns": pattern_blocks()})
