"""Medians over rounds: one row for each client and load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from perf.fidelity.errors import Errors, Quantiles
from perf.fidelity.rounds import Cell


@dataclass(frozen=True, slots=True)
class Row:
    """One client under one load: medians over the rounds that it finished; None where it keeps no such figure.

    Attributes:
        client: Its name.
        load: The load's name.
        rounds: Rounds that it finished.
        requests: Measured requests, all rounds.
        failed: Of them, failed ones.
        tokens: Tokens sent to it, all rounds.
        lost: Tokens lost or counted double, all rounds.
        ttft_p50_ms: Median of the absolute TTFT error, ms.
        ttft_p99_ms: Its 99th percentile, ms.
        ttft_bias_ms: Median of the signed error, ms.
        gap_p99_ms: 99th percentile of the absolute error of each gap, ms.
        throughput_p99_pct: 99th percentile of the absolute error of each request's tokens/s, per cent.
        coalesced_share: Share of gaps that the client saw as (nearly) none.
        itl_p99_ms: 99th percentile of the gaps as reported, ms; of a whole tool, of its summary's ITL.
        true_itl_p99_ms: The true one, ms.
        burst_span_ms: Time between a burst's first and last arrival at the server, ms.
        preempted: How often the client lost its CPU to something else: the host's noise.
        cpu_s_per_1000: Client CPU for 1000 tokens, s; of a whole tool, of its whole run.
        cpu_net_s_per_1000: The same less a whole tool's start-up (a run of one request), s.
        summary_ttft_p50_ms: Of a whole tool: its summary's median TTFT less the true median, ms.
        summary_ttft_p99_ms: The same at the 99th percentile, ms.
        failure: Why a round failed as a whole; empty if none did.
    """

    client: str
    load: str
    rounds: int
    requests: int
    failed: int
    tokens: int
    lost: int
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    ttft_bias_ms: float | None
    gap_p99_ms: float | None
    throughput_p99_pct: float | None
    coalesced_share: float | None
    itl_p99_ms: float | None
    true_itl_p99_ms: float | None
    burst_span_ms: float | None
    preempted: float | None
    cpu_s_per_1000: float | None
    cpu_net_s_per_1000: float | None
    summary_ttft_p50_ms: float | None
    summary_ttft_p99_ms: float | None
    failure: str


def rows(cells: Sequence[Cell]) -> list[Row]:
    """A row for each client and load, in the order in which the loads and then the clients' names come."""
    keys = dict.fromkeys((cell.load, cell.client) for cell in cells)
    loads = list(dict.fromkeys(load for load, _ in keys))
    ordered = sorted(keys, key=lambda key: (loads.index(key[0]), key[1]))
    return [_row(client, load, [c for c in cells if (c.load, c.client) == (load, client)]) for load, client in ordered]


def _row(client: str, load: str, cells: Sequence[Cell]) -> Row:
    finished = [cell for cell in cells if cell.errors is not None]
    found = [cell.errors for cell in finished if cell.errors is not None]

    def middle(value: Callable[[Errors], float | None]) -> float | None:
        return _median(value(each) for each in found)

    return Row(
        client=client,
        load=load,
        rounds=len(finished),
        requests=sum(each.requests for each in found),
        failed=sum(each.failed for each in found),
        tokens=sum(each.tokens for each in found),
        lost=sum(each.lost for each in found),
        ttft_p50_ms=middle(lambda each: _p50(each.ttft_ms)),
        ttft_p99_ms=middle(lambda each: _p99(each.ttft_ms)),
        ttft_bias_ms=middle(lambda each: each.ttft_bias_ms),
        gap_p99_ms=middle(lambda each: _p99(each.gap_ms)),
        throughput_p99_pct=middle(lambda each: _p99(each.throughput_pct)),
        coalesced_share=middle(lambda each: each.coalesced_share),
        itl_p99_ms=_median(map(_itl_p99_ms, finished)),
        true_itl_p99_ms=middle(lambda each: each.true_itl_p99_ms),
        burst_span_ms=_median(cell.burst_span_ms for cell in finished),
        preempted=_median(cell.preempted for cell in finished),
        cpu_s_per_1000=_median(_per_1000(cell.cpu_s, cell) for cell in finished),
        cpu_net_s_per_1000=_median(_per_1000(cell.cpu_s - cell.start_up_cpu_s, cell) for cell in finished),
        summary_ttft_p50_ms=_median(_summary_error(cell, 50) for cell in finished),
        summary_ttft_p99_ms=_median(_summary_error(cell, 99) for cell in finished),
        failure=next((cell.failure for cell in cells if cell.failure), ""),
    )


def _itl_p99_ms(cell: Cell) -> float | None:
    if cell.reported is not None:
        return cell.reported.itl_p99
    return cell.errors.itl_p99_ms if cell.errors else None


def _summary_error(cell: Cell, percentile: int) -> float | None:
    if cell.reported is None or cell.errors is None:
        return None
    if percentile == 50:  # noqa: PLR2004 - the median
        reported, true = cell.reported.ttft_p50, cell.errors.true_ttft_p50_ms
    else:
        reported, true = cell.reported.ttft_p99, cell.errors.true_ttft_p99_ms
    return None if true is None else reported - true


def _per_1000(cpu_s: float, cell: Cell) -> float | None:
    return cpu_s / cell.cpu_tokens * 1000 if cell.cpu_tokens else None


def _median(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return median(present) if present else None


def _p50(quantiles: Quantiles | None) -> float | None:
    return quantiles.p50 if quantiles else None


def _p99(quantiles: Quantiles | None) -> float | None:
    return quantiles.p99 if quantiles else None
