"""A session as a table with a row for each request: what each column is, in which unit, and its value.

Requests of warm-up blocks and of agents in the background are rows, too: filter by ``warmup``, ``background`` and
``valid``. Instants are relative to the start of the block's first arm. What was not told is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from harness.judge import metrics
from harness.judge.ledger import server_phases
from harness.judge.statistics import quantile
from harness.report.exports.seen import SeenRequest, Validity, model_of, seen_requests, unix_ns
from harness.report.judged import JudgedSession
from harness.report.text import printable

Kind = Literal["text", "integer", "real", "truth"]
Value = str | int | float | bool | None
Row = dict[str, Value]
_MS = 1e6
_MOST = 2**63


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        name: Its name, with the unit at its end.
        kind: What its values are.
        meaning: What it says.
    """

    name: str
    kind: Kind
    meaning: str


COLUMNS = (
    Column("session", "text", "the session: its journal's name"),
    Column("scenario", "text", "the scenario, or study"),
    Column("block", "integer", "index of the block, 0 for the warm-up"),
    Column("warmup", "truth", "the block is a warm-up, and not judged"),
    Column("side", "text", "candidate, or base"),
    Column("valid", "truth", "the block could be judged; empty: nobody judged it"),
    Column("invalid_reasons", "text", "why it could not"),
    Column("arm", "text", "concurrent, solo:ROLE, fallback, or a study's arm"),
    Column("role", "text", "the agent"),
    Column("background", "truth", "the agent only kept a server busy, and was cut off"),
    Column("url", "text", "its server"),
    Column("model", "text", "its model"),
    Column("position", "integer", "of the request in the agent's run, from 0"),
    Column("request", "text", "name of the call in the agent's workflow"),
    Column("nonce", "text", "the unique text at the start of the prompt"),
    Column("block_start_unix_ns", "integer", "start of the block's first arm, since 1970"),
    Column("sent_unix_ns", "integer", "the request was sent, since 1970"),
    Column("arm_start_ms", "real", "start of the arm, from the block's start"),
    Column("queued_ms", "real", "the agent asked to be let in, from the block's start"),
    Column("admitted_ms", "real", "the coordinator let the agent in, from the block's start"),
    Column("asked_ms", "real", "the agent handed the request to the client, from the block's start"),
    Column("sent_ms", "real", "the request was sent, from the block's start"),
    Column("first_token_ms", "real", "its first token came, from the block's start"),
    Column("last_token_ms", "real", "its last token came, from the block's start"),
    Column("ended_ms", "real", "its stream ended, from the block's start"),
    Column("coordinator_wait_ms", "real", "the agent's wait for the coordinator"),
    Column("ttft_ms", "real", "time to first token: sent to first token"),
    Column("tpot_ms", "real", "time per output token after the first"),
    Column("itl_p50_ms", "real", "median gap between tokens of different reads"),
    Column("itl_p99_ms", "real", "99th percentile of these gaps"),
    Column("itl_max_ms", "real", "the longest of them"),
    Column("end_to_end_ms", "real", "end-to-end latency: sent to end of stream"),
    Column("prompt_tokens", "integer", "tokens of the prompt, by the server"),
    Column("output_tokens", "integer", "generated tokens, by the server, or else token events"),
    Column("token_events", "integer", "token events that came"),
    Column("reads", "integer", "reads that they came in; fewer than the events: some were coalesced"),
    Column("tok_s", "real", "output tokens over the end-to-end latency"),
    Column("server_total_ms", "real", "the server's own: arrival to end"),
    Column("server_load_ms", "real", "the server's own: arrival to runner"),
    Column("server_queue_ms", "real", "the server's total less load, prefill and decode"),
    Column("server_prefill_ms", "real", "the server's own: prompt evaluation"),
    Column("server_decode_ms", "real", "the server's own: decode of the other tokens"),
    Column("server_decode_tok_s", "real", "the server's own decode rate"),
    Column("done_reason", "text", "stop, length, ...; empty: the stream had no last line"),
    Column("connected", "truth", "a connection had to be opened for it"),
    Column("stamped_by", "text", "kernel, or user: who stamped the reads"),
    Column("read_lag_max_ms", "real", "the longest that received bytes lay in the kernel"),
    Column("error", "text", "why the request failed"),
)


def request_rows(judged: JudgedSession) -> Iterator[Row]:
    """A value for each of ``COLUMNS``, by name; texts are made harmless, whole numbers fit in 64 bits."""
    validity = Validity(judged)
    name = PurePath(judged.journal).name
    for seen in seen_requests(judged.session):
        row: Row = {"session": name, **_row(judged, seen, validity)}
        yield {column: _fitting(value) for column, value in row.items()}


def _fitting(value: Value) -> Value:
    if isinstance(value, str):
        return printable(value)
    return None if isinstance(value, int) and not -_MOST <= value < _MOST else value


def _row(judged: JudgedSession, seen: SeenRequest, validity: Validity) -> Row:
    at, request = seen.at, seen.request
    reasons = validity.reasons(at.block)
    return {
        "scenario": at.block.scenario,
        "block": at.block.index,
        "warmup": at.block.warmup,
        "side": at.block.side,
        "valid": None if reasons is None else not reasons,
        "invalid_reasons": "; ".join(reasons) if reasons else None,
        "arm": at.run.arm,
        "role": at.agent.role,
        "background": at.background,
        "url": at.agent.url,
        "model": model_of(judged.session, at.block),
        "position": seen.position,
        "request": request.name,
        "nonce": request.nonce,
        **_instants(judged, seen),
        **_latencies(seen),
        **_server(seen),
        "done_reason": request.done_reason,
        "connected": request.connected,
        "stamped_by": request.stamped_by,
        "read_lag_max_ms": None if request.read_lag_max_ns is None else request.read_lag_max_ns / _MS,
        "error": request.error,
    }


def _instants(judged: JudgedSession, seen: SeenRequest) -> Row:
    agent, request = seen.at.agent, seen.request
    start = min(run.started_ns for run in seen.at.block.runs)
    instants = {
        "arm_start_ms": seen.at.run.started_ns,
        "queued_ms": agent.queued_ns,
        "admitted_ms": agent.admitted_ns,
        "asked_ms": request.asked_ns,
        "sent_ms": request.sent_ns,
        "first_token_ms": request.token_ns[0] if request.token_ns else None,
        "last_token_ms": request.token_ns[-1] if request.token_ns else None,
        "ended_ms": request.ended_ns,
    }
    return {
        "block_start_unix_ns": unix_ns(judged.session, start),
        "sent_unix_ns": unix_ns(judged.session, request.sent_ns),
        **{name: None if instant is None else (instant - start) / _MS for name, instant in instants.items()},
    }


def _latencies(seen: SeenRequest) -> Row:
    request = seen.request
    gaps = metrics.inter_token_latencies_ms(request)
    tokens, length_ns = metrics.output_tokens(request), request.ended_ns - request.sent_ns
    return {
        "coordinator_wait_ms": seen.at.agent.wait_ns / _MS,
        "ttft_ms": metrics.ttft_ms(request) if request.token_ns else None,
        "tpot_ms": metrics.tpot_ms(request) if request.token_ns else None,
        "itl_p50_ms": quantile(gaps, 0.5) if gaps else None,
        "itl_p99_ms": quantile(gaps, 0.99) if gaps else None,
        "itl_max_ms": max(gaps, default=None),
        "end_to_end_ms": metrics.end_to_end_ms(request),
        "output_tokens": tokens,
        "token_events": len(request.token_ns),
        "reads": len(set(request.token_chunk)),
        "tok_s": metrics.tokens_per_second(tokens, length_ns) if length_ns > 0 else None,
    }


def _server(seen: SeenRequest) -> Row:
    server = seen.request.server
    if server is None:
        return {}
    phases = server_phases(server)
    return {
        "prompt_tokens": server.prompt_eval_count,
        "server_total_ms": server.total_ns / _MS,
        "server_load_ms": phases.load / _MS,
        "server_queue_ms": phases.queue / _MS,
        "server_prefill_ms": phases.prefill / _MS,
        "server_decode_ms": phases.decode / _MS,
        "server_decode_tok_s": metrics.decode_rate(seen.request),
    }
