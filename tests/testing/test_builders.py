"""The builders: what they give by default is valid."""

from __future__ import annotations

import pytest

from harness.judge import block_figures, invalid_reasons
from harness.judge.validity import study_reasons
from harness.protocol import fold_stream
from harness.records import Chunk
from harness.testing import FakeClock, build_block, build_request, build_study_block, stream_lines


def test_a_built_block_is_valid_and_perfect() -> None:
    """Two agents that take as long together as alone: efficiency 100 %, speedup 2."""
    block = build_block()
    assert invalid_reasons(block) == ()
    figures = block_figures(block)
    assert (figures.measured_efficiency_pct, figures.guide_speedup) == (100.0, 2.0)


def test_a_built_block_of_a_study_is_valid() -> None:
    """Agents have servers of their own unless they are to share one; those in the background end with the others."""
    arms = {"dual": {"A": 1000.0, "B": 900.0}, "single": {"A": 2000.0, "B": 2000.0}, "decode:A": {"A": 1500.0}}
    block = build_study_block(arms, background={"decode:A": "B"}, shared=("single",))
    assert study_reasons(block) == ()
    assert [len({agent.url for agent in run.agents}) for run in block.runs] == [2, 1, 1]
    assert block.runs[2].background[0].finished_ns == block.runs[2].finished_ns


@pytest.mark.parametrize("tokens", [0, 1, 2, 7])
def test_a_built_request_has_as_many_stamps_as_tokens(tokens: int) -> None:
    """First and last token stand where they were asked for."""
    request = build_request(ttft_ms=10, duration_ms=50, tokens=tokens)
    assert len(request.token_ns) == len(request.token_chunk) == tokens
    if tokens > 1:
        assert (request.token_ns[0], request.token_ns[-1]) == (10_000_000, 50_000_000)


def test_a_built_stream_folds_into_its_texts() -> None:
    """The lines are what the protocol room reads."""
    folded = fold_stream([Chunk(0, 0, b"".join(stream_lines(["a", "b"])))])
    assert [event.text for event in folded.events] == ["a", "b"]
    assert folded.error is None


def test_the_fake_clock_moves_only_when_told() -> None:
    """Readings follow the steps and the advances, and nothing else."""
    clock = FakeClock(now_ns=5)
    assert (clock(), clock()) == (5, 5)
    clock.advance(10)
    clock.step_ns = 1
    assert (clock(), clock()) == (15, 16)
