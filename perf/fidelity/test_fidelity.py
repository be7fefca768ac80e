"""Our client beside the others, in one short run: ratios measured side by side, never a time of this machine alone.

Run it by its path: ``pytest perf/fidelity``. The full benchmark is ``python -m perf.fidelity``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from perf.fidelity.loads import STALLS, load_of
from perf.fidelity.rows import Row
from perf.fidelity.session import Request, Result, run_benchmark, to_stderr

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps and pinning are Linux's")

STREAMS = (16, 128)
CLIENTS = ("ours", "httpx-lines", "aiohttp", "floor", "floor-kernel")
LEAST_CPU_GAIN = 2.0  # over plain httpx; the aim is 4
MOST_OVER_FLOOR = 2.5  # of the floor's CPU; the aim is 2
STALLED_GAP_MS = 50.0
STALLED_GAP_ERROR_MS = 0.2

Find = Callable[[str, int], Row]


@pytest.fixture(scope="module")
def result() -> Result:
    """One run: three rounds, clients interleaved."""
    loads = (*map(load_of, STREAMS), STALLS)
    found = run_benchmark(Request(loads=loads, clients=CLIENTS), to_stderr)
    to_stderr(found.table())
    return found


@pytest.fixture(scope="module")
def find(result: Result) -> Find:
    """A client's row at a number of streams; a client that could not take part skips the test."""

    def found(client: str, streams: int) -> Row:
        if client in result.left_out:
            pytest.skip(f"{client}: {result.left_out[client]}")
        return next(row for row in result.rows if (row.client, row.load) == (client, str(streams)))

    return found


def _cpu(row: Row) -> float:
    assert row.cpu_s_per_1000 is not None
    return row.cpu_s_per_1000


def test_no_token_is_lost(result: Result) -> None:
    """Our client gives every token that the server sent, once, under every load."""
    mine = [row for row in result.rows if row.client == "ours"]
    assert [row.load for row in mine] == [load.name for load in result.loads]
    assert [(row.failure, row.failed, row.lost) for row in mine] == [("", 0, 0)] * len(mine)
    assert min(row.tokens for row in mine) > 0


@pytest.mark.parametrize("streams", STREAMS)
def test_ttft_is_nearer_to_the_truth_than_httpx(find: Find, streams: int) -> None:
    """The p99 of our TTFT error is at most a quarter of plain httpx's."""
    mine, plain = find("ours", streams).ttft_p99_ms, find("httpx-lines", streams).ttft_p99_ms
    assert mine is not None
    assert plain is not None
    assert mine * 4 <= plain


@pytest.mark.parametrize("streams", STREAMS)
def test_gaps_are_nearer_to_the_truth_than_httpx(find: Find, streams: int) -> None:
    """The p99 of our error of each gap is at most a tenth of plain httpx's."""
    mine, plain = find("ours", streams).gap_p99_ms, find("httpx-lines", streams).gap_p99_ms
    assert mine is not None
    assert plain is not None
    assert mine * 10 <= plain


@pytest.mark.parametrize("streams", STREAMS)
def test_costs_less_cpu_than_httpx(find: Find, streams: int) -> None:
    """Plain httpx needs at least twice our CPU for a token."""
    assert _cpu(find("httpx-lines", streams)) >= LEAST_CPU_GAIN * _cpu(find("ours", streams))


def test_costs_little_more_cpu_than_the_floor(find: Find) -> None:
    """Our client needs at most 2.5 times the CPU of a floor without an HTTP library."""
    streams = max(STREAMS)
    assert _cpu(find("ours", streams)) <= MOST_OVER_FLOOR * _cpu(find("floor", streams))


def test_stalls_are_seen_at_their_size(result: Result) -> None:
    """With 40 ms more in every 32nd gap of 10 ms our p99 of the gaps is 50 ms, where the server really kept to it."""
    row = next(row for row in result.rows if (row.client, row.load) == ("ours", STALLS.name))
    assert row.itl_p99_ms is not None
    assert row.true_itl_p99_ms == pytest.approx(STALLED_GAP_MS, abs=STALLED_GAP_ERROR_MS)
    assert row.itl_p99_ms == pytest.approx(row.true_itl_p99_ms, abs=STALLED_GAP_ERROR_MS)
