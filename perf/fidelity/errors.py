"""A client's observations against the server's truth. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.judge.statistics import quantile
from harness.servers.truth import TrueRequest
from perf.fidelity.observed import Observed

_MS = 1e6
_COALESCED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Median and 99th percentile of the absolute values of an error, in its unit."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a client was from the truth in one cell (client, load, round).

    Attributes:
        requests: Measured requests.
        failed: Of them, those that the client gives as failed, or did not give.
        tokens: Tokens that the server sent to the measured requests.
        lost: Tokens that the client lost or counted double, summed over requests.
        ttft_ms: Error of each request's TTFT, absolute, ms.
        ttft_bias_ms: Median of the same with its sign: above 0, the client reports too much.
        gap_ms: Error of each gap between tokens of different writes, absolute, ms; None if the client keeps no gaps.
        throughput_pct: Error of each request's tokens/(last token - sent), absolute, per cent of the true one.
        coalesced_share: Share of the gaps that the client reports at less than a tenth of their length: the tokens
            were read together, or one right after the other out of a queue. None without gaps.
        itl_p99_ms: 99th percentile of the gaps that the client reports (a tool: of its own summary), ms.
        true_itl_p99_ms: 99th percentile of the true gaps, ms.
        true_ttft_p50_ms: Median of the true TTFT, ms.
        true_ttft_p99_ms: 99th percentile of the true TTFT, ms.
    """

    requests: int
    failed: int
    tokens: int
    lost: int
    ttft_ms: Quantiles | None
    ttft_bias_ms: float | None
    gap_ms: Quantiles | None
    throughput_pct: Quantiles | None
    coalesced_share: float | None
    itl_p99_ms: float | None
    true_itl_p99_ms: float | None
    true_ttft_p50_ms: float | None
    true_ttft_p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Gap:
    """The time between two tokens, ns, as the client saw it and as it was."""

    reported_ns: int
    true_ns: int


def gaps(seen: Observed, true: TrueRequest) -> list[Gap]:
    """Gaps between tokens that the server sent in different writes; empty if the tokens do not match one to one."""
    if not seen.complete or len(seen.token_ns) != len(true.token_ns):
        return []
    tokens = zip(seen.token_ns, true.token_ns, true.token_write, strict=True)
    return [
        Gap(after - before, true_after - true_before)
        for (before, true_before, write), (after, true_after, next_write) in pairwise(tokens)
        if next_write != write
    ]


def ttft_error_ms(seen: Observed, true: TrueRequest) -> float:
    """Reported less true TTFT, ms; the true one runs from the request's arrival to the first token's write."""
    return ((seen.token_ns[0] - seen.sent_ns) - (true.token_ns[0] - true.arrived_ns)) / _MS


def throughput_error_pct(seen: Observed, true: TrueRequest) -> float:
    """Reported less true tokens/(last token - start), per cent of the true one."""
    reported = seen.tokens / (seen.token_ns[-1] - seen.sent_ns)
    real = len(true.token_ns) / (true.token_ns[-1] - true.arrived_ns)
    return (reported / real - 1) * 100


def errors(observed: Sequence[Observed], log: Iterable[TrueRequest], nonces: Sequence[str]) -> Errors:
    """Matches n requests by their nonces and sums their errors up.

    A request that a client measured twice (a warm-up with the same prompt) is compared with the last one in the log.
    """
    seen_by_nonce = {seen.nonce: seen for seen in observed}
    true_by_nonce = {true.prompt.partition(" ")[0]: true for true in log}
    failed = lost = sent = 0
    pairs: list[tuple[Observed, TrueRequest]] = []
    for nonce in nonces:
        seen, true = seen_by_nonce.get(nonce), true_by_nonce.get(nonce)
        sent += len(true.token_ns) if true else 0
        if seen is None or true is None or seen.error or not seen.token_ns or not true.token_ns:
            failed += 1
            continue
        lost += abs(seen.tokens - len(true.token_ns))
        pairs.append((seen, true))
    all_gaps = [gap for pair in pairs for gap in gaps(*pair)]
    true_ttft = [(true.token_ns[0] - true.arrived_ns) / _MS for _, true in pairs]
    ttft = [ttft_error_ms(*pair) for pair in pairs]
    return Errors(
        requests=len(nonces),
        failed=failed,
        tokens=sent,
        lost=lost,
        ttft_ms=_absolute(ttft),
        ttft_bias_ms=quantile(ttft, 0.5) if ttft else None,
        gap_ms=_absolute([(gap.reported_ns - gap.true_ns) / _MS for gap in all_gaps]),
        throughput_pct=_absolute([throughput_error_pct(*pair) for pair in pairs]),
        coalesced_share=_coalesced(all_gaps),
        itl_p99_ms=quantile([gap.reported_ns / _MS for gap in all_gaps], 0.99) if all_gaps else None,
        true_itl_p99_ms=_true_itl_p99_ms([true for _, true in pairs]),
        true_ttft_p50_ms=quantile(true_ttft, 0.5) if true_ttft else None,
        true_ttft_p99_ms=quantile(true_ttft, 0.99) if true_ttft else None,
    )


def burst_span_ms(log: Iterable[TrueRequest], nonces: Sequence[str], streams: int) -> float | None:
    """How long a client takes to let the requests of a burst go: median over bursts, ms; None if none is whole.

    From the first to the last arrival at the server of ``streams`` requests that were started together.
    """
    arrived = {true.prompt.partition(" ")[0]: true.arrived_ns for true in log}
    spans: list[float] = []
    for first in range(0, len(nonces), streams):
        instants = [arrived[nonce] for nonce in nonces[first : first + streams] if nonce in arrived]
        if len(instants) == streams:
            spans.append((max(instants) - min(instants)) / _MS)
    return quantile(spans, 0.5) if spans else None


def _absolute(values: Sequence[float]) -> Quantiles | None:
    if not values:
        return None
    sizes = [abs(value) for value in values]
    return Quantiles(quantile(sizes, 0.5), quantile(sizes, 0.99))


def _coalesced(all_gaps: Sequence[Gap]) -> float | None:
    if not all_gaps:
        return None
    return sum(gap.reported_ns < gap.true_ns * _COALESCED_SHARE for gap in all_gaps) / len(all_gaps)


def _true_itl_p99_ms(true_requests: Sequence[TrueRequest]) -> float | None:
    spans = [
        (after - before) / _MS
        for true in true_requests
        for (before, write), (after, next_write) in pairwise(zip(true.token_ns, true.token_write, strict=True))
        if next_write != write
    ]
    return quantile(spans, 0.99) if spans else None
