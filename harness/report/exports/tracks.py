"""The tracks of a trace: what the session, its agents, its servers and its sampler did, as slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.judge import metrics
from harness.judge.ledger import server_phases
from harness.judge.phases import request_phases
from harness.records import Block, RequestRecord, Run, ServerDurations, Session
from harness.report.exports.lanes import Slice, nested, steps_of, stretch
from harness.report.exports.seen import SeenAgent, Validity, seen_agents
from harness.report.judged import JudgedSession
from harness.report.text import printable


def told(**args: object) -> dict[str, object]:
    """Arguments of a slice, those that are not known left out, texts made harmless."""
    return {
        name: printable(value) if isinstance(value, str) else value for name, value in args.items() if value is not None
    }


def block_slices(judged: JudgedSession) -> Iterator[Slice]:
    """Each block, with its arms in it."""
    validity = Validity(judged)
    for block in judged.session.blocks:
        if not block.runs:
            continue
        start = min(run.started_ns for run in block.runs)
        end = max(run.finished_ns for run in block.runs)
        arms = (stretch(printable(run.arm), run.started_ns, run.finished_ns, told(arm=run.arm)) for run in block.runs)
        yield from nested(stretch(_title(block), start, end, _block_args(block, validity.reasons(block))), arms)


def _title(block: Block) -> str:
    name = "warm-up" if block.warmup else f"block {block.index}"
    return printable(f"{block.scenario} {name}{' (base)' if block.side == 'base' else ''}")


def _block_args(block: Block, reasons: tuple[str, ...] | None) -> dict[str, object]:
    return told(
        scenario=block.scenario,
        block=block.index,
        side=block.side,
        warmup=block.warmup,
        valid=None if reasons is None else not reasons,
        reasons="; ".join(reasons) if reasons else None,
        error=block.error,
        fallback=block.fallback,
    )


def agent_slices(session: Session, every: int = 1) -> Iterator[tuple[str, list[Slice]]]:
    """By role, each agent's run with its wait and its requests in it; what does not fit in stands beside it.

    Args:
        session: The session.
        every: 1 tells every token, 2 every second one of a request, and so on.
    """
    arrow = 0
    for at in seen_agents(session):
        agent = at.agent
        title = printable(f"{agent.role} in {at.run.arm}{' (background)' if at.background else ''}")
        inside = []
        for request in agent.requests:
            arrow += 1
            marks = tuple(sorted(Counter(map(steps_of, request.token_ns[::every])).items()))
            inside.append(
                replace(_request_slice(at, request), marks=marks, arrow=arrow if request.server is not None else 0)
            )
        if agent.wait_ns > 0:
            inside.append(stretch("coordinator's wait", agent.queued_ns, agent.admitted_ns))
        args = told(**_place(at), url=agent.url, error=agent.error)
        yield agent.role, nested(stretch(title, agent.queued_ns, agent.finished_ns, args), inside)


def _place(at: SeenAgent) -> Mapping[str, object]:
    return {"scenario": at.block.scenario, "block": at.block.index, "side": at.block.side, "arm": at.run.arm}


def _request_slice(at: SeenAgent, request: RequestRecord) -> Slice:
    phases = (stretch(phase, start, end) for phase, start, end in request_phases(request))
    args = told(
        **_place(at),
        nonce=request.nonce,
        tokens=metrics.output_tokens(request),
        prompt_tokens=request.server.prompt_eval_count if request.server else None,
        ttft_ms=metrics.ttft_ms(request) if request.token_ns else None,
        tpot_ms=metrics.tpot_ms(request) if request.token_ns else None,
        done_reason=request.done_reason,
        connected=request.connected or None,
        stamped_by=request.stamped_by,
        error=request.error,
    )
    return nested(stretch(printable(request.name), request.sent_ns, request.ended_ns, args), phases)[0]


def server_slices(session: Session) -> Iterator[tuple[str, Slice]]:
    """By URL, what the servers told of each request, from the moment of its sending on.

    A server tells no instants: how long the request took to get there is not in it.
    """
    arrow = 0
    for at in seen_agents(session):
        for request in at.agent.requests:
            arrow += 1
            if request.server is not None:
                yield at.agent.url, replace(_server_slice(at, request, request.server), arrow=-arrow)


def _server_slice(at: SeenAgent, request: RequestRecord, server: ServerDurations) -> Slice:
    inside, reached = [], request.sent_ns
    for name, length in zip(("load", "queue", "prefill", "decode"), server_phases(server), strict=True):
        if length > 0:  # a server whose phases exceed its total has a queue below 0
            inside.append(stretch(name, reached, reached + length))
            reached += length
    end = max(reached, request.sent_ns + server.total_ns)
    args = told(**_place(at), role=at.agent.role, total_ms=server.total_ns / 1e6, tokens=server.eval_count)
    title = printable(f"{at.agent.role}: {request.name}")
    return nested(stretch(title, request.sent_ns, end, args), inside)[0]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was sampled over a run: one value of each figure by series, and the run as a slice."""

    whole: Slice
    counters: Mapping[str, Mapping[str, float]]


def readings(session: Session) -> Iterator[Reading]:
    """What the sampler found over each run that it sampled."""
    for block in session.blocks:
        for run in block.runs:
            if run.resources is not None:
                counters = _counters(run)
                args = told(scenario=block.scenario, block=block.index, arm=run.arm, samples=run.resources.samples)
                args |= counters
                yield Reading(stretch(printable(run.arm), run.started_ns, run.finished_ns, args), counters)


def _counters(run: Run) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}

    def add(counter: str, series: str, value: float | None, unit: float = 1.0) -> None:
        if value is not None:
            found.setdefault(counter, {})[printable(series)] = value / unit

    for server in run.resources.servers if run.resources else ():
        add("CPU, cores", server.url, server.cpu_cores)
        add("resident memory, MiB", server.url, server.rss_bytes, 2**20)
        add("GPU memory of servers, MiB", server.url, server.gpu_memory_bytes, 2**20)
    for place, gpu in enumerate(run.resources.gpus if run.resources else ()):
        series = f"{place}: {gpu.name}"
        add("GPU memory, MiB", series, gpu.memory_bytes, 2**20)
        add("GPU utilization, %", series, gpu.utilization_pct)
        add("GPU power, W", series, gpu.power_w)
        add("GPU clock, MHz", series, gpu.sm_clock_mhz)
    return found
