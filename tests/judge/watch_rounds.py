"""Rounds of a watch for tests, from the few figures that a test is about. Two servers, all times in ms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.judge.watch import JudgedRound, RoundJudge
from harness.records.watch import HeldModel, Probe, Probed, ServerLook, WatchRound
from harness.testing import build_request

A, B = "http://127.0.0.1:1", "http://127.0.0.1:2"
URLS = (A, B)
STEP_MS = 5000
NOW_NS = 10**18
MODEL = HeldModel("m:latest", "sha256:1", 100, 100, 4096, "soon", NOW_NS + 10**15)


def look(
    url: str, at_ms: float = 0.0, models: Sequence[HeldModel] = (MODEL,), trouble: str | None = None
) -> ServerLook:
    """A server that answers, or that does not."""
    at_ns = round(at_ms * 1e6)
    return ServerLook(url, at_ns, trouble) if trouble else ServerLook(url, at_ns, None, "0.24.0", tuple(models))


def probe(
    url: str,
    *,
    alone: bool,
    ms: float = 1000.0,
    ttft_ms: float = 100.0,
    queue_ms: float = 0.0,
    error: str | None = None,
    late: bool = False,
) -> Probe:
    """A probe of 10 tokens."""
    record = build_request(ttft_ms=ttft_ms, duration_ms=ms, queue_ms=queue_ms, error=error)
    target = Probed(url, MODEL.name, MODEL.digest, MODEL.context_length, MODEL.size_vram)
    return Probe(target, alone, record if not late else replace(record, token_ns=(), token_chunk=()), late)


def a_round(
    index: int,
    *,
    alone_ms: float = 1000.0,
    together_ms: float | Mapping[str, float] = 1000.0,
    late_ms: float = 0.0,
    queue_ms: float = 0.0,
    used: Sequence[str] = (),
    models: Sequence[HeldModel] = (MODEL,),
    down: Sequence[str] = (),
) -> WatchRound:
    """Round ``index``, 5 s after the one before it; its probes together take ``late_ms`` more to their first token.

    Args:
        index: From 1.
        alone_ms: What every probe alone takes.
        together_ms: What those together take, or each of them.
        late_ms: TTFT of those together over that of those alone.
        queue_ms: Wait of those together for a slot.
        used: Servers that others have used.
        models: What both servers hold.
        down: Servers that do not answer.
    """
    at_ms = index * STEP_MS
    looks = tuple(look(url, at_ms, models, "gone" if url in down else None) for url in URLS)
    each = {url: together_ms if isinstance(together_ms, int | float) else together_ms[url] for url in URLS}
    probes = [probe(url, alone=True, ms=alone_ms) for url in URLS if url not in down]
    if not down:
        probes += [
            probe(url, alone=False, ms=ms + late_ms, ttft_ms=100 + late_ms, queue_ms=queue_ms)
            for url, ms in each.items()
        ]
    return WatchRound(
        index=index,
        started_ns=round(at_ms * 1e6),
        ended_ns=round((at_ms + 3000) * 1e6),
        unix_ns=NOW_NS + round(at_ms * 1e6),
        before=looks,
        after=looks,
        probes=tuple(probes),
        probing_ns=round(1e9),
        used=tuple(used),
    )


def judge_all(judge: RoundJudge, rounds: Sequence[WatchRound]) -> list[JudgedRound]:
    """Each round judged after those before it."""
    return [judge.judge(made) for made in rounds]


def rules_of(judged: JudgedRound) -> set[str]:
    """Names of the symptoms that fire."""
    return {fired.rule for fired in judged.fired}
