"""Calibration: the measuring client against a server whose truth is known, as it will be used."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.measure.blocks import collector_off
from harness.measure.board import Board
from harness.measure.loop import LagWatch, loop_name
from harness.measure.requests import measure_request, nonces, open_connection
from harness.measure.transport import measuring_client
from harness.protocol import generate_body
from harness.records import LoopLag, RequestRecord
from harness.records.errors import ServerError
from harness.servers.truth import Behaviour, Timing, TrueRequest, TruthConfig, TruthServer

_MODEL = "truth:latest"
_TTFT_MS = 20.0
_GAP_MS = 5.0
_TOKENS = 16
_TOKENS_PER_S = 4000.0
_ROUNDS = 6
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What the client saw and what the server did.

    Attributes:
        pairs: Each request from both sides.
        cpu_s: CPU time of this process while it was measured, parsing included, s.
        loop_lag: Lag of the event loop meanwhile.
        loop: Library of the event loop.
    """

    pairs: tuple[tuple[RequestRecord, TrueRequest], ...]
    cpu_s: float
    loop_lag: LoopLag
    loop: str


def rounds_for(streams: int, requests: int) -> int:
    """Rounds of requests so that there are at least so many, and never fewer than the few of a session's start."""
    return max(_ROUNDS, math.ceil(requests / streams))


async def run_calibration(
    streams: int, rounds: int = _ROUNDS, cpus: tuple[int, ...] | None = None, board: Board | None = None
) -> CalibrationRun:
    """Measures a ground-truth server of two ports with so many streams at once, one request after the other.

    A round takes about 0.1 s up to 20 streams; beyond, the server's gaps grow so that it never sends more than 4000
    tokens a second.

    Args:
        streams: Streams at the same time.
        rounds: Requests of each stream.
        cpus: CPUs for the server, or None for all.
        board: Where it is noted how far each stream has come, as in a session that is drawn; None notes nothing.

    Raises:
        ServerError: If the ground-truth server does not start, or a request to it fails.
    """
    gap_ms = max(_GAP_MS, 1000 * streams / _TOKENS_PER_S)
    config = TruthConfig(behaviour=Behaviour(ttft=Timing(ms=_TTFT_MS), gaps=Timing(ms=gap_ms), tokens=_TOKENS))
    with TruthServer.start(config, cpus=cpus) as server:
        records, cpu_s, loop_lag = await _measured(server.urls, streams, rounds, board)
        truths = {true.prompt.partition(" ")[0]: true for true in server.log()}
    failed = next((record for record in records if record.error), None)
    if failed is not None:
        raise ServerError(f"calibration: a request to the ground-truth server failed: {failed.error}")
    return CalibrationRun(
        pairs=tuple((record, truths[record.nonce]) for record in records),
        cpu_s=cpu_s,
        loop_lag=loop_lag,
        loop=loop_name(),
    )


async def _measured(
    urls: Sequence[str], streams: int, rounds: int, board: Board | None
) -> tuple[list[RequestRecord], float, LoopLag]:
    records: list[RequestRecord] = []
    nonce = nonces()
    seats = dict(enumerate(board.seats(streams) if board is not None else ()))
    clients = [measuring_client(url) for url in urls]
    try:
        await asyncio.gather(*(open_connection(clients[i % len(clients)]) for i in range(streams)))

        async def stream(position: int) -> None:
            for _ in range(rounds):
                text = nonce()
                body = generate_body(_MODEL, f"{text} calibration", {"num_predict": _TOKENS})
                client = clients[position % len(clients)]
                seat = seats.get(position)
                await measure_request(client, name="calibration", nonce=text, body=body, sink=records, seat=seat)

        with collector_off(), LagWatch() as watch:
            before_s = time.process_time()
            async with asyncio.timeout(_DEADLINE_S + rounds):
                await asyncio.gather(*(stream(i) for i in range(streams)))
            cpu_s = time.process_time() - before_s
    finally:
        for client in clients:
            await client.aclose()
    return records, cpu_s, watch.lag()
