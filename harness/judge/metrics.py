"""Metric formulas, one a function. Durations share one unit; a ratio has none.

Two families that must never share a name:

* the guide's figures divide durations that were measured WHILE all agents ran by the wall time of that run. They
  say how equal the durations were (overlap), and nothing about how long the work takes alone;
* the measured figures divide the solo baselines of the same block by the wall time of the concurrent run.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from harness.records import RequestRecord, ServerDurations

_MS = 1e6
_S = 1e9


def sequential_estimate(concurrent_durations: Sequence[float]) -> float:
    """Sum of the agents' durations in the concurrent run, in their unit.

    Source: the guide, "sequential estimated time"; TR110 section 3.
    """
    return sum(concurrent_durations)


def guide_speedup(concurrent_durations: Sequence[float], wall: float) -> float:
    """The guide's speedup: sequential estimate over the concurrent wall time.

    Source: the guide; equals the recorded ``speedup`` of the published runs.
    """
    return sequential_estimate(concurrent_durations) / wall


def guide_efficiency_pct(concurrent_durations: Sequence[float], wall: float) -> float:
    """The guide's parallel efficiency, %: its speedup over the number of agents.

    Equals ``100 (1 - imbalance_share - join_tail_share)`` exactly: it falls only where durations differ.

    Source: the guide; equals the recorded ``efficiency_pct`` of the published runs.
    """
    return 100.0 * guide_speedup(concurrent_durations, wall) / len(concurrent_durations)


def imbalance_share(concurrent_durations: Sequence[float], wall: float) -> float:
    """Share of the wall time by which the mean duration is below the longest one."""
    return (max(concurrent_durations) - fmean(concurrent_durations)) / wall


def join_tail_share(concurrent_durations: Sequence[float], wall: float) -> float:
    """Share of the wall time in which no agent's duration ran: start, coordinator's wait, join."""
    return (wall - max(concurrent_durations)) / wall


def measured_speedup(solo_walls: Sequence[float], wall: float) -> float:
    """Sum of the solo wall times of the same block over the concurrent wall time.

    2.0 for two agents that do not disturb each other, 1.0 if running together gains nothing.

    Source: speedup, Amdahl's sense: time one after the other over time together.
    """
    return sum(solo_walls) / wall


def measured_efficiency_pct(solo_walls: Sequence[float], wall: float) -> float:
    """Measured speedup over the number of agents, %.

    Its best value with unequal agents is ``100 mean(solo) / max(solo)``: see :func:`efficiency_bound_pct`.
    """
    return 100.0 * measured_speedup(solo_walls, wall) / len(solo_walls)


def efficiency_bound_pct(solo_walls: Sequence[float]) -> float:
    """The best measured efficiency that these solo times allow, %: all agents undisturbed."""
    return 100.0 * fmean(solo_walls) / max(solo_walls)


def slowdown(solo_service: float, concurrent_service: float) -> float:
    """Concurrent over solo service time of one agent; 1.0 means undisturbed, 2.0 twice as slow."""
    return concurrent_service / solo_service


def jain_index(values: Sequence[float]) -> float:
    """Jain's fairness index of n >= 1 shares, each 0 or more: 1 if all are alike, 1/n if one has everything.

    It does not change with the unit. All zero are alike: 1.

    Source: Jain, Chiu and Hawe 1984, DEC-TR-301, ``(sum x)^2 / (n sum x^2)``.
    """
    largest = max(values)
    if largest <= 0:
        return 1.0
    scaled = [value / largest for value in values]  # whose squares neither overflow nor vanish
    return sum(scaled) ** 2 / (len(scaled) * sum(value * value for value in scaled))


def fairness(solo_services: Sequence[float], concurrent_services: Sequence[float]) -> float:
    """How alike the agents of a block progressed together: Jain's index of solo over concurrent service time.

    1 if all were slowed by the same factor, whatever the factor and however unequal their work.
    """
    return jain_index([alone / together for alone, together in zip(solo_services, concurrent_services, strict=True)])


def tokens_per_second(tokens: int, duration_ns: float) -> float:
    """Throughput, tok/s."""
    return tokens * _S / duration_ns


def ttft_ms(request: RequestRecord) -> float:
    """Time to first token, ms: from the sent request to the first non-empty piece of text."""
    return (request.token_ns[0] - request.sent_ns) / _MS


def end_to_end_ms(request: RequestRecord) -> float:
    """End-to-end latency, ms: from the sent request to the end of its stream."""
    return (request.ended_ns - request.sent_ns) / _MS


def inter_token_latencies_ms(request: RequestRecord) -> tuple[float, ...]:
    """Gaps between token events of different reads, ms; tokens of one read are coalesced and give no gap."""
    stamps = list(zip(request.token_ns, request.token_chunk, strict=True))
    return tuple((b - a) / _MS for (a, first), (b, second) in pairwise(stamps) if first != second)


def tpot_ms(request: RequestRecord) -> float | None:
    """Time per output token, ms: last token minus first token over the tokens after the first; None below two.

    Source: TPOT as in vLLM's and GenAI-Perf's reports.
    """
    tokens = output_tokens(request)
    if tokens < 2:  # noqa: PLR2004 - two tokens make one gap
        return None
    return (request.token_ns[-1] - request.token_ns[0]) / _MS / (tokens - 1)


def output_tokens(request: RequestRecord) -> int:
    """Generated tokens: the server's count, or the number of token events if it gave none."""
    counted = request.server.eval_count if request.server else 0
    return counted or len(request.token_ns)


def decode_rate(request: RequestRecord) -> float | None:
    """The server's own decode rate, tok/s; the first token's decode is billed to the prompt, so it is left out."""
    server = request.server
    if server is None or server.eval_count < 2 or server.eval_ns <= 0:  # noqa: PLR2004
        return None
    return tokens_per_second(server.eval_count - 1, server.eval_ns)


def queue_ns(server: ServerDurations) -> int:
    """What a server's total leaves after load, prompt and eval, ns: the wait for a slot, and its own bookkeeping.

    Source: Ollama's ``load_duration`` ends with the grant of a runner; the wait for a slot comes after it.
    """
    return server.total_ns - server.load_ns - server.prompt_eval_ns - server.eval_ns
