"""Pieces of a victim's work, and the fit of its speeds; known factors stand in ``test_interference.py``."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest

from harness.judge.phases import Interval
from harness.judge.speeds import Piece, readings, victim_pieces
from harness.testing import build_request


def test_tokens_of_one_read_make_no_gap_and_lose_no_work() -> None:
    """Every second read brought two tokens: half the gaps, with the same work in all."""
    alone = build_request(ttft_ms=100, duration_ms=1000, tokens=10)
    whole = build_request(ttft_ms=100, duration_ms=1900, tokens=10)
    stamps = tuple(whole.token_ns[i | 1] for i in range(10))
    packed = replace(whole, token_ns=stamps, token_chunk=tuple(i // 2 for i in range(10)))
    gaps = victim_pieces([alone], [packed])["decode"]
    assert len(gaps) == 4
    assert all(gap.end_ns - gap.start_ns == 400_000_000 for gap in gaps)
    assert [gap.work_ns for gap in gaps] == pytest.approx([200e6] * 4)


def test_a_server_that_tells_of_only_one_arm_is_not_asked() -> None:
    """Its prefill of 50 ms against all of sent to first token would be a slowdown that is none."""
    told = build_request(ttft_ms=50, queue_ms=50, duration_ms=1000)
    silent = replace(told, server=None)
    for alone, together in ((told, silent), (silent, told)):
        (prefill,) = victim_pieces([alone], [together])["prefill"]
        assert prefill.end_ns - prefill.start_ns == prefill.work_ns == 100_000_000


def test_load_and_queue_are_no_part_of_a_prefill() -> None:
    """A request that waited 500 ms for its slot, alone 70 ms, and prefilled as long as alone."""
    alone = build_request(ttft_ms=100, queue_ms=70, duration_ms=1000)
    together = build_request(ttft_ms=100, load_ms=200, queue_ms=300, duration_ms=1500)
    (prefill,) = victim_pieces([alone], [together])["prefill"]
    assert prefill.end_ns - prefill.start_ns == prefill.work_ns == 100_000_000


def test_a_request_of_one_token_has_no_gap() -> None:
    """Nor has one whose tokens came in one read."""
    one = build_request(tokens=1)
    packed = replace(build_request(tokens=3), token_chunk=(0, 0, 0))
    usual = build_request(tokens=3)
    assert victim_pieces([one, packed], [one, packed])["decode"] == []
    assert [piece.work_ns for piece in victim_pieces([packed], [usual])["decode"]] == [0.0, 0.0]


SWITCHES = tuple(
    interval
    for start in range(0, 2000, 100)
    for interval in (Interval("decode", start, start + 95), Interval("prefill", start + 95, start + 100))
)
FULL_SPEED = [Piece(start, start + 10, 10.0) for start in range(0, 2000, 100)]
STANDING = [Piece(start + 85, start + 100, 2.0) for start in range(0, 2000, 100)]
"""Gaps of 15 ns, a third of it in a prefill, in which less was done than their other two thirds should give."""


def test_a_victim_that_stands_still_has_a_ratio_of_a_thousand() -> None:
    """No logarithm fails, and the excess has all that is missing: 13 of 15 ns, twenty times."""
    found = readings([*FULL_SPEED, *STANDING], SWITCHES, "decode")
    assert found["prefill"].log_ratio == pytest.approx(log(1000))
    assert sum(reading.excess_ns for reading in found.values()) == pytest.approx(20 * 13, rel=0.02)


def test_damaged_pieces_are_passed_over() -> None:
    """Without duration, backwards, or of negative work."""
    damaged = [Piece(5, 5, 1.0), Piece(9, 5, 1.0), Piece(5, 9, -1.0)]
    assert readings([*damaged, *FULL_SPEED], SWITCHES, "decode") == readings(FULL_SPEED, SWITCHES, "decode") != {}
    assert readings(damaged, SWITCHES, "decode") == readings([], SWITCHES, "decode") == {}
