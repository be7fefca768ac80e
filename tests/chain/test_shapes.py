"""Streams of an unusual shape that lose nothing: every token counts, and none counts as what it is not."""

from __future__ import annotations

from itertools import groupby

import pytest

from harness.judge import invalid_reasons, metrics
from harness.records import RequestRecord
from harness.servers.truth import TrueRequest, TruthConfig, TruthServer
from harness.servers.truth.spec import SHAPES
from harness.testing import find_true_request
from tests.chain.chain import PACE, TOKENS, chain_of, faulty, is_whole, plan_of, requests_of, text_of

LONG = "long_line"
HARMLESS = (*SHAPES, LONG)
"""A line of 10 MB is valid JSON with a text: a token like any other."""

CLOCKS_NS = 50_000  # by how much kernel stamps, made monotonic, may be before a reading of the monotonic clock


async def seen_and_true(server: TruthServer, kind: str) -> list[tuple[RequestRecord, TrueRequest]]:
    """The requests of a block that is valid, each beside what the server did."""
    behaviour = faulty(kind)
    server.configure(TruthConfig(behaviour=behaviour))
    async with chain_of(plan_of(server)) as chain:
        block = await chain.block()
    assert invalid_reasons(block) == ()
    log = server.log()
    pairs = [(request, find_true_request(log, request.nonce)) for request in requests_of(block)]
    assert [true.outcome for _, true in pairs] == [kind] * 4
    return pairs


@pytest.mark.parametrize("kind", HARMLESS)
@pytest.mark.asyncio
async def test_every_token_of_an_odd_stream_is_accounted_for(truth_server: TruthServer, kind: str) -> None:
    """The block is valid; text, count and order are the server's, and no token is seen before it was sent."""
    for record, true in await seen_and_true(truth_server, kind):
        long = "x" * 10_000_000 if kind == LONG else ""
        assert record.text == text_of(4) + long + text_of(TOKENS).removeprefix(text_of(4))
        assert long or is_whole(record)
        assert len(record.token_ns) == len(true.token_ns) == TOKENS
        assert record.server is not None
        assert record.server.eval_count == TOKENS
        assert all(seen >= sent - CLOCKS_NS for seen, sent in zip(record.token_ns, true.token_ns, strict=True))


@pytest.mark.parametrize("kind", ["packed_lines", "merged_chunks"])
@pytest.mark.asyncio
async def test_tokens_of_one_write_share_their_read_and_give_no_gap(truth_server: TruthServer, kind: str) -> None:
    """Two tokens a write: one instant and one index for both, and an inter-token latency only between the pairs."""
    for record, true in await seen_and_true(truth_server, kind):
        pairs = [list(group) for _, group in groupby(range(TOKENS), key=true.token_write.__getitem__)]
        assert pairs == [[0, 1], [2, 3], [4, 5], [6, 7]]
        assert all(record.token_chunk[one] == record.token_chunk[other] for one, other in pairs)
        assert all(record.token_ns[one] == record.token_ns[other] for one, other in pairs)
        reads = len(set(record.token_chunk))
        assert len(metrics.inter_token_latencies_ms(record)) == reads - 1 < TOKENS / 2


@pytest.mark.asyncio
async def test_a_last_token_in_the_write_of_the_done_line_ends_the_request(truth_server: TruthServer) -> None:
    """The instant of the last token is the request's end, and the server's figures are there."""
    for record, _ in await seen_and_true(truth_server, "last_with_done"):
        assert record.token_ns[-1] == record.ended_ns


@pytest.mark.parametrize("kind", ["early_headers", "empty_first"])
@pytest.mark.asyncio
async def test_what_comes_before_the_first_text_is_not_the_first_token(truth_server: TruthServer, kind: str) -> None:
    """A head or an empty line at the start of the prefill: TTFT is still that of the first text, the whole prefill."""
    for record, true in await seen_and_true(truth_server, kind):
        assert true.token_ns[0] - true.head_ns > PACE.ttft.ms / 2 * 1e6
        assert record.token_ns[0] >= true.token_ns[0] - CLOCKS_NS
        assert metrics.ttft_ms(record) >= PACE.ttft.ms
