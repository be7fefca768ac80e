"""What the words of a board say."""

from __future__ import annotations

import pytest

from harness.records.board import ASKING, SEAT_WORDS, Seen, seen_at

S = 10**9


def test_each_seat_has_its_words() -> None:
    """Nothing of a neighbour's."""
    words = [ASKING, 2, 10, 20, 30, 4, 0, 0, *range(100, 100 + SEAT_WORDS)]
    assert seen_at(words, 0) == Seen(ASKING, 2, 10, 20, 30, 4)
    assert seen_at(words, 1) == Seen(100, 101, 102, 103, 104, 105)


@pytest.mark.parametrize(
    ("seen", "ttft_ms", "tok_s"),
    [
        (Seen(), None, None),
        (Seen(sent_ns=S), None, None),
        (Seen(sent_ns=S, first_ns=2 * S, last_ns=2 * S, parts=1), 1000.0, None),
        (Seen(sent_ns=S, first_ns=2 * S, last_ns=4 * S, parts=21), 1000.0, 10.0),
        (Seen(sent_ns=3 * S, first_ns=2 * S, last_ns=S, parts=9), None, None),
    ],
)
def test_figures_are_told_once_they_can_be(seen: Seen, ttft_ms: float | None, tok_s: float | None) -> None:
    """Not before a first token, or a second one; figures of two instants give none, and no nonsense."""
    assert seen.ttft_ms == ttft_ms
    assert seen.tok_s == tok_s
