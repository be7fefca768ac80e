"""The measuring client against a server whose truth is known: schedules that mislead other clients."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import pytest

from harness.judge import metrics
from harness.judge.instrument import gap_errors_ms
from harness.measure import measure_request, measuring_client
from harness.protocol import generate_body
from harness.records import RequestRecord
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TrueRequest, TruthConfig, TruthServer

Pair = tuple[RequestRecord, TrueRequest]


async def _measured(server: TruthServer, config: TruthConfig, streams: int = 2, requests: int = 1) -> list[Pair]:
    server.configure(config)
    records: list[RequestRecord] = []

    async def stream(position: int) -> None:
        async with measuring_client(server.urls[position % 2]) as client:
            for number in range(requests):
                nonce = f"{position:04d}{number:04d}"
                body = generate_body("truth", f"{nonce} hello", {})
                await measure_request(client, name="ask", nonce=nonce, body=body, sink=records)

    async with asyncio.timeout(60):
        await asyncio.gather(*(stream(position) for position in range(streams)))
    truths = {true.prompt.partition(" ")[0]: true for true in server.log()}
    assert all(record.error is None for record in records)
    return [(record, truths[record.nonce]) for record in records]


@pytest.mark.asyncio
async def test_every_token_is_accounted_for(truth_server: TruthServer) -> None:
    """Each token is a word of its own, so that a lost or doubled one would show in the text."""
    config = TruthConfig(behaviour=Behaviour(gaps=Timing(kind="exponential", ms=1.0), tokens=100))
    for record, true in await _measured(truth_server, config, streams=8):
        assert len(record.token_ns) == len(true.token_ns) == 100
        assert len(set(record.text.split())) == 100


@pytest.mark.asyncio
async def test_stalls_are_seen_gap_by_gap(truth_server: TruthServer) -> None:
    """40 ms once in every 32 gaps of 10 ms: the p99 of the gaps is 50 ms, where a mean of a request would say 11.3."""
    gaps = Timing(kind="stalls", ms=10.0, stall_ms=40.0, every=32)
    pairs = await _measured(truth_server, TruthConfig(behaviour=Behaviour(gaps=gaps, tokens=65)))
    seen = [gap for record, _ in pairs for gap in metrics.inter_token_latencies_ms(record)]
    true = [(b - a) / 1e6 for _, t in pairs for a, b in zip(t.token_ns, t.token_ns[1:], strict=False)]
    assert statistics.quantiles(seen, n=100)[98] == pytest.approx(statistics.quantiles(true, n=100)[98], abs=0.2)
    assert statistics.quantiles(seen, n=100)[98] == pytest.approx(50.0, rel=0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps what it receives")
@pytest.mark.asyncio
async def test_a_blocked_loop_costs_no_token_its_instant(truth_server: TruthServer) -> None:
    """A loop that is busy for several gaps on end reads several tokens at once, and nearly each has its own stamp."""
    over = asyncio.Event()

    async def block() -> None:
        while not over.is_set():
            time.sleep(0.012)  # noqa: ASYNC251 - the disturbance
            await asyncio.sleep(0)

    task = asyncio.create_task(block())
    config = TruthConfig(behaviour=Behaviour(ttft=Timing(ms=20.0), gaps=Timing(ms=5.0), tokens=60))
    pairs = await _measured(truth_server, config)
    over.set()
    await task
    for record, true in pairs:
        assert record.read_lag_max_ns is not None
        assert record.read_lag_max_ns > 10_000_000  # it was blocked
        # One read for all that waits would tell few of them apart. The kernel merges what its own delayed
        # acknowledgement was due before.
        assert len(set(record.token_chunk)) > 0.9 * len(true.token_ns)
        errors = sorted(abs(error) for error in gap_errors_ms(record, true))
        assert errors[len(errors) // 2] < 1.0  # a gap; user space would be off by several of them


@pytest.mark.asyncio
async def test_a_server_without_nodelay_is_not_slowed_by_our_delayed_acknowledgements(
    truth_server: TruthServer,
) -> None:
    """Nagle's algorithm waits for acknowledgements; ours come at once, so its tokens are not bunched by 40 ms."""
    config = TruthConfig(
        behaviour=Behaviour(ttft=Timing(ms=5.0), gaps=Timing(ms=5.0), tokens=20), device=DeviceSpec(nodelay=False)
    )
    pairs = await _measured(truth_server, config, requests=4)
    reads = sum(len(set(record.token_chunk)) for record, _ in pairs)
    assert reads > 0.9 * sum(len(true.token_ns) for _, true in pairs)
