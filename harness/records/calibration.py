"""What the instrument itself is off by, found by measuring a server whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

from harness.records.stream import StampedBy


@dataclass(frozen=True, slots=True)
class Calibration:
    """Errors of the measuring client: what it reported less what the ground-truth server really did.

    Attributes:
        streams: Streams at the same time.
        tokens: Tokens that the server sent.
        unaccounted_tokens: Tokens that were lost or came twice; anything but 0 is a fault.
        ttft_bias_ms: Median of the error of TTFT, with its sign, ms.
        ttft_error_p50_ms: Median of its absolute value, ms.
        ttft_error_p99_ms: 99th percentile of its absolute value, ms.
        gap_error_p99_ms: 99th percentile of the absolute error of each inter-token gap, ms.
        throughput_error_pct: Largest absolute error of a stream's tokens per second, per cent.
        coalesced_share: Share of tokens that came in one read with the token before, though sent in different writes.
        cpu_s_per_1000_tokens: CPU time of this process, parsing included, s.
        loop_lag_p99_ms: 99th percentile of the event loop's lag, ms.
        stamped_by: Whose the receive instants were; ``user`` if any stream's were.
        loop: Library of the event loop.
    """

    streams: int
    tokens: int
    unaccounted_tokens: int
    ttft_bias_ms: float
    ttft_error_p50_ms: float
    ttft_error_p99_ms: float
    gap_error_p99_ms: float
    throughput_error_pct: float
    coalesced_share: float
    cpu_s_per_1000_tokens: float
    loop_lag_p99_ms: float
    stamped_by: StampedBy
    loop: str
