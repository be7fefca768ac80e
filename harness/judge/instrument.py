"""The instrument judged: its errors against a server whose truth is known, and what disqualifies it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol

from harness.judge.statistics import quantile
from harness.records import Block, Calibration, LoopLag, ModelMemory, RequestRecord
from harness.scenarios import InstrumentLimits

_MS = 1e6


class Truth(Protocol):
    """What the ground-truth server really did with one request; instants on the client's clock, ns."""

    @property
    def arrived_ns(self) -> int:
        """The request's last segment arrived."""

    @property
    def token_ns(self) -> Sequence[int]:
        """The write of each token left, n values."""

    @property
    def token_write(self) -> Sequence[int]:
        """Which write each token was in, n values."""


def ttft_error_ms(record: RequestRecord, truth: Truth) -> float:
    """Reported less true time to first token, ms; both have at least one token."""
    return (record.token_ns[0] - record.sent_ns - (truth.token_ns[0] - truth.arrived_ns)) / _MS


def gap_errors_ms(record: RequestRecord, truth: Truth) -> Iterator[float]:
    """Reported less true gap between tokens, ms, of all that were sent in different writes."""
    tokens = zip(record.token_ns, truth.token_ns, truth.token_write, strict=False)
    for (seen, sent, write), (next_seen, next_sent, next_write) in pairwise(tokens):
        if write != next_write:
            yield (next_seen - seen - (next_sent - sent)) / _MS


def coalesced(record: RequestRecord, truth: Truth) -> int:
    """Tokens that came in one read with the token before, though they were sent in another write."""
    tokens = pairwise(zip(record.token_chunk, truth.token_write, strict=False))
    return sum(chunk == next_chunk and write != next_write for (chunk, write), (next_chunk, next_write) in tokens)


def throughput_error_pct(record: RequestRecord, truth: Truth) -> float:
    """Error of tokens per second from sending to last token, per cent of the true one."""
    true = truth.token_ns[-1] - truth.arrived_ns
    return 100 * (true / (record.token_ns[-1] - record.sent_ns) - 1)


def calibration_of(
    pairs: Sequence[tuple[RequestRecord, Truth]], *, streams: int, cpu_s: float, loop_lag: LoopLag, loop: str
) -> Calibration:
    """Sums up what was measured of a server of known truth.

    Args:
        pairs: Each request as the client saw it and as it was.
        streams: Streams at the same time.
        cpu_s: CPU time of the client's process meanwhile, s.
        loop_lag: Lag of its event loop.
        loop: Library of its event loop.

    Raises:
        ValueError: If nothing was measured.
    """
    sent = sum(len(truth.token_ns) for _, truth in pairs)
    lost = sum(abs(len(record.token_ns) - len(truth.token_ns)) for record, truth in pairs)
    told = [(record, truth) for record, truth in pairs if record.token_ns and truth.token_ns]
    if not told:
        raise ValueError("no token was measured")
    ttft = [ttft_error_ms(record, truth) for record, truth in told]
    gaps = [abs(error) for record, truth in told for error in gap_errors_ms(record, truth)]
    return Calibration(
        streams=streams,
        tokens=sent,
        unaccounted_tokens=lost,
        ttft_bias_ms=quantile(ttft, 0.5),
        ttft_error_p50_ms=quantile([abs(error) for error in ttft], 0.5),
        ttft_error_p99_ms=quantile([abs(error) for error in ttft], 0.99),
        gap_error_p99_ms=quantile(gaps, 0.99) if gaps else 0.0,
        throughput_error_pct=max(abs(throughput_error_pct(record, truth)) for record, truth in told),
        coalesced_share=sum(coalesced(record, truth) for record, truth in told) / sent,
        cpu_s_per_1000_tokens=1000 * cpu_s / sent,
        loop_lag_p99_ms=loop_lag.p99_ns / _MS,
        stamped_by="kernel" if all(record.stamped_by == "kernel" for record, _ in pairs) else "user",
        loop=loop,
    )


def calibration_faults(found: Calibration, limits: InstrumentLimits) -> tuple[str, ...]:
    """Why nothing that this instrument measures can be trusted; () if it can."""
    checks = (
        ("TTFT error p99", found.ttft_error_p99_ms, limits.ttft_ms, "ms"),
        ("gap error p99", found.gap_error_p99_ms, limits.gap_ms, "ms"),
        ("coalesced share", found.coalesced_share, limits.coalesced_share, ""),
    )
    faults = [
        f"{name} {value:.3g} {unit}".rstrip() + f" (limit {most:g})"
        for name, value, most, unit in checks
        if value > most
    ]
    if found.unaccounted_tokens:
        faults.append(f"{found.unaccounted_tokens} of {found.tokens} tokens lost or doubled")
    return tuple(faults)


def disturbances(block: Block, limits: InstrumentLimits, reference: Sequence[ModelMemory] = ()) -> tuple[str, ...]:
    """What besides the agents had a part in a block, in words; () if nothing is known to have.

    Args:
        block: The block.
        limits: What may be.
        reference: Where the models were after the first block of its side; of others nothing is said.
    """
    return (
        *_held_up(block, limits),
        *_crowded(block, limits.foreign_cores),
        *_beside(block, limits.gpu_strangers),
        *_moved(block.memory, reference, limits.vram_loss_pct),
    )


def _held_up(block: Block, limits: InstrumentLimits) -> Iterator[str]:
    """Runs during which the measuring event loop came late."""
    for run in block.runs:
        by_kernel = all(request.stamped_by == "kernel" for agent in run.agents for request in agent.requests)
        limit_ms = limits.loop_lag_ms if by_kernel else limits.ttft_ms
        if run.loop_lag is not None and run.loop_lag.p99_ns / _MS > limit_ms:
            yield (
                f"the measuring event loop lagged by {run.loop_lag.p99_ns / _MS:.0f} ms (p99, limit {limit_ms:g}) in "
                f"{run.arm}: something else kept this process or its CPU busy"
            )


def _crowded(block: Block, limit: float) -> Iterator[str]:
    """Runs whose CPUs others kept busier than they were idle: had these been away, somebody of ours would have run."""
    crowded = [
        f"{run.host.foreign_cores:.2f} of {len(run.host.cpus)} CPUs in {run.arm} ({run.host.idle_cores:.2f} idle)"
        for run in block.runs
        if run.host is not None and run.host.foreign_cores is not None
        if run.host.foreign_cores > limit and run.host.foreign_cores > run.host.idle_cores
    ]
    if crowded:
        yield (
            f"other processes kept the servers' CPUs busy: {', '.join(crowded)}; limit {limit:g}: "
            "end them, or give the servers CPUs of their own (--pin)"
        )


def _beside(block: Block, limit: float) -> Iterator[str]:
    """Strangers on the GPUs."""
    if len(block.gpu_strangers) > limit:
        yield (
            f"other processes were on the servers' GPU: {', '.join(block.gpu_strangers)}; "
            "end them, or keep them off that GPU (CUDA_VISIBLE_DEVICES)"
        )


def _moved(memory: Sequence[ModelMemory], reference: Sequence[ModelMemory], limit_pct: float) -> Iterator[str]:
    """Models that have less of themselves in GPU memory than they had, or are not loaded any more.

    It is the share that counts: one that was loaded again with a smaller context takes less, all of it on the GPU.
    """
    before = {(each.url, each.model): each for each in reference if each.size}
    for now in memory:
        was = before.get((now.url, now.model))
        if was is None:
            continue
        if not now.size:
            yield (
                f"{now.model} is not loaded on {now.url} any more: another client had it unloaded, or its runner died; "
                "keep others off that server"
            )
        elif now.size_vram / now.size < was.size_vram / was.size * (1 - limit_pct / 100):
            yield (
                f"{now.model} moved out of GPU memory on {now.url}: {_gpu_share(now)}, {_gpu_share(was)} before; "
                "something else took the memory: free it, and start the session again"
            )


def _gpu_share(memory: ModelMemory) -> str:
    return f"{memory.size_vram / 2**20:.0f} of {memory.size / 2**20:.0f} MiB"
