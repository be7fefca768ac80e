"""A client's observations against a known truth."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.servers.truth import TrueRequest
from perf.fidelity.errors import burst_span_ms, errors, gaps
from perf.fidelity.observed import Observed

MS = 1_000_000


def true_request(nonce: str, token_ms: tuple[float, ...], writes: tuple[int, ...] | None = None) -> TrueRequest:
    """Arrived at 0; tokens at these instants, each in a write of its own unless said otherwise."""
    instants = tuple(round(ms * MS) for ms in token_ms)
    return TrueRequest(
        port=1,
        path="/api/generate",
        prompt=f"{nonce} tell me",
        arrived_ns=0,
        read_ns=0,
        granted_ns=0,
        head_ns=0,
        token_ns=instants,
        token_write=writes or tuple(range(len(instants))),
        ended_ns=instants[-1] if instants else 0,
        outcome="done",
    )


def seen(nonce: str, token_ms: tuple[float, ...], sent_ms: float = 0.0, error: str | None = None) -> Observed:
    """Sent and received at these instants."""
    return Observed(nonce, round(sent_ms * MS), tuple(round(ms * MS) for ms in token_ms), len(token_ms), error)


def test_an_exact_client_has_no_error() -> None:
    """The truth itself, on a clock of its own, is 0 away from the truth."""
    found = errors([seen("a", (150, 160, 170), sent_ms=100)], [true_request("a", (50, 60, 70))], ["a"])
    assert (found.requests, found.failed, found.tokens, found.lost) == (1, 0, 3, 0)
    for quantiles in (found.ttft_ms, found.gap_ms, found.throughput_pct):
        assert quantiles is not None
        assert (quantiles.p50, quantiles.p99) == pytest.approx((0, 0))
    assert found.coalesced_share == 0
    assert found.itl_p99_ms == found.true_itl_p99_ms == 10


def test_ttft_error_counts_what_lies_before_the_request_was_sent() -> None:
    """A request that is called sent 2 ms too early and read 1 ms late has a TTFT error of 3 ms."""
    found = errors([seen("a", (51, 60), sent_ms=-2)], [true_request("a", (50, 60))], ["a"])
    assert found.ttft_ms is not None
    assert found.ttft_ms.p50 == pytest.approx(3)
    assert found.ttft_bias_ms == pytest.approx(3)


def test_a_ttft_that_is_too_short_is_an_error_too() -> None:
    """The error is absolute, the bias keeps its sign."""
    found = errors([seen("a", (49, 60))], [true_request("a", (50, 60))], ["a"])
    assert found.ttft_ms is not None
    assert (found.ttft_ms.p99, found.ttft_bias_ms) == pytest.approx((1, -1))


def test_a_gap_is_compared_with_its_own_truth() -> None:
    """A late token makes one gap too long and the next one too short, though their sum is right."""
    found = errors([seen("a", (50, 64, 70))], [true_request("a", (50, 60, 70))], ["a"])
    assert found.gap_ms is not None
    assert found.gap_ms.p50 == pytest.approx(4)


def test_tokens_of_one_write_are_no_gap() -> None:
    """What the server sent in one write is neither a gap nor coalesced by the client."""
    true = true_request("a", (50, 50, 60), writes=(0, 0, 1))
    assert [gap.true_ns for gap in gaps(seen("a", (50, 50, 60)), true)] == [10 * MS]
    assert errors([seen("a", (50, 50, 60))], [true], ["a"]).coalesced_share == 0


def test_tokens_read_together_are_coalesced() -> None:
    """Two tokens a few microseconds apart where the truth is 10 ms are one read that was handed out twice."""
    found = errors([seen("a", (60, 60.01, 70))], [true_request("a", (50, 60, 70))], ["a"])
    assert found.coalesced_share == 0.5


def test_lost_and_doubled_tokens_are_counted() -> None:
    """A token too few and one too many are two, and neither request's gaps are compared."""
    true = [true_request("a", (50, 60, 70)), true_request("b", (50, 60))]
    found = errors([seen("a", (50, 60)), seen("b", (50, 50, 60))], true, ["a", "b"])
    assert (found.lost, found.tokens) == (2, 5)
    assert found.gap_ms is None


def test_a_failed_request_is_in_no_average() -> None:
    """Failed, unseen and unknown requests are counted as failed and nothing else."""
    observed = [seen("a", (50, 60)), seen("b", (), error="broken"), seen("d", (1, 2))]
    true = [true_request("a", (50, 60)), true_request("b", (50,)), true_request("c", (50, 60))]
    found = errors(observed, true, ["a", "b", "c", "d"])
    assert (found.requests, found.failed, found.lost) == (4, 3, 0)
    assert found.ttft_ms is not None
    assert found.ttft_ms.p99 == pytest.approx(0)


def test_a_client_without_gaps_has_no_gap_error() -> None:
    """Of a tool that keeps the first and the last token only, TTFT and throughput are judged."""
    tool = Observed("a", 0, (50 * MS, 70 * MS), tokens=3)
    found = errors([tool], [true_request("a", (50, 60, 70))], ["a"])
    assert (found.gap_ms, found.coalesced_share, found.itl_p99_ms, found.lost) == (None, None, None, 0)
    assert found.throughput_pct is not None
    assert found.throughput_pct.p99 == pytest.approx(0)
    assert found.true_itl_p99_ms == 10


def test_throughput_error_is_relative() -> None:
    """A stream of 100 ms that seems to take 200 ms has half its tokens a second."""
    found = errors([seen("a", (50, 200))], [true_request("a", (50, 100))], ["a"])
    assert found.throughput_pct is not None
    assert found.throughput_pct.p50 == pytest.approx(50)


def test_a_prompt_measured_twice_counts_by_its_last_request() -> None:
    """A tool's warm-up with the same prompt does not stand for the measured request."""
    true = [true_request("a", (90, 95)), true_request("a", (50, 60))]
    found = errors([seen("a", (50, 60))], true, ["a"])
    assert found.ttft_ms is not None
    assert found.ttft_ms.p99 == pytest.approx(0)


def test_nothing_seen_is_no_figure() -> None:
    """Without a single matched request there are no errors to give, only failures."""
    found = errors([], [], ["a"])
    assert (found.failed, found.ttft_ms, found.ttft_bias_ms, found.true_ttft_p50_ms) == (1, None, None, None)


def test_a_burst_spans_its_arrivals() -> None:
    """The median over whole bursts of the time between the first and the last arrival; a torn burst is left out."""
    arrivals = {"a": 0, "b": 4, "c": 100, "d": 110, "e": 200}
    log = [replace(true_request(nonce, (300,)), arrived_ns=ms * MS) for nonce, ms in arrivals.items()]
    assert burst_span_ms(log, ["a", "b", "c", "d", "e", "f"], 2) == pytest.approx(7)
    assert burst_span_ms(log, ["e", "f"], 2) is None
