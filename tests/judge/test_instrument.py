"""The instrument judged against a known truth, and what disqualifies a session or a block."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Verdict, judge_scenario
from harness.judge.instrument import (
    calibration_faults,
    calibration_of,
    coalesced,
    disturbances,
    gap_errors_ms,
    throughput_error_pct,
    ttft_error_ms,
)
from harness.records import Block, Calibration, LoopLag, RequestRecord
from harness.scenarios import ContentionRules, InstrumentLimits
from harness.testing import build_block, build_calibration, build_request

MS = 1_000_000


@dataclass(frozen=True)
class Known:
    """What the server did."""

    arrived_ns: int
    token_ns: tuple[int, ...]
    token_write: tuple[int, ...]


def _seen(*stamps_ms: float, sent_ms: float = 0.0, chunks: tuple[int, ...] | None = None) -> RequestRecord:
    stamps = tuple(round(ms * MS) for ms in stamps_ms)
    return replace(
        build_request(sent_ms=sent_ms),
        token_ns=stamps,
        token_chunk=chunks or tuple(range(len(stamps))),
        stamped_by="kernel",
    )


def _true(*stamps_ms: float, arrived_ms: float = 0.0, writes: tuple[int, ...] | None = None) -> Known:
    stamps = tuple(round(ms * MS) for ms in stamps_ms)
    return Known(round(arrived_ms * MS), stamps, writes or tuple(range(len(stamps))))


def test_the_error_of_ttft_counts_both_ends() -> None:
    """A request stamped 1 ms before it arrived, whose token is stamped 2 ms after it was sent, is 3 ms off."""
    assert ttft_error_ms(_seen(52, 60, sent_ms=9), _true(50, 60, arrived_ms=10)) == pytest.approx(3)


def test_the_error_of_a_gap_is_that_of_a_single_gap() -> None:
    """A token that is seen 2 ms late makes one gap too long and the next too short; averages would hide it."""
    assert list(gap_errors_ms(_seen(50, 62, 70), _true(50, 60, 70))) == pytest.approx([2, -2])


def test_tokens_of_one_write_have_no_gap() -> None:
    """What the server sent in one write cannot be told apart by anyone, and counts neither as gap nor as coalesced."""
    seen, true = _seen(50, 50, 60, chunks=(0, 0, 1)), _true(50, 50, 60, writes=(0, 0, 1))
    assert list(gap_errors_ms(seen, true)) == pytest.approx([0])
    assert coalesced(seen, true) == 0


def test_tokens_of_different_writes_in_one_read_are_coalesced() -> None:
    """The second of two tokens that the client could not tell apart counts."""
    assert coalesced(_seen(60, 60, 70, chunks=(0, 0, 1)), _true(50, 60, 70)) == 1


def test_throughput_is_compared_from_sending_to_the_last_token() -> None:
    """A stream seen 1 per cent too long has a throughput 1 per cent too low, near enough."""
    assert throughput_error_pct(_seen(50, 101), _true(50, 100)) == pytest.approx(-0.99, abs=0.01)


def _calibration(*pairs: tuple[RequestRecord, Known]) -> Calibration:
    return calibration_of(pairs, streams=2, cpu_s=0.5, loop_lag=LoopLag(10, 3 * MS, 9 * MS), loop="uvloop")


def test_a_calibration_sums_the_errors_up() -> None:
    """Bias with its sign, the rest as absolute values; CPU by 1000 tokens of the server's."""
    found = _calibration((_seen(51, 60), _true(50, 60)), (_seen(49, 60), _true(50, 60)), (_seen(51, 60), _true(50, 60)))
    assert found.tokens == 6
    assert found.unaccounted_tokens == 0
    assert found.ttft_bias_ms == pytest.approx(1)
    assert found.ttft_error_p50_ms == found.ttft_error_p99_ms == pytest.approx(1)
    assert found.gap_error_p99_ms == pytest.approx(1)
    assert found.cpu_s_per_1000_tokens == pytest.approx(500 / 6)
    assert found.loop_lag_p99_ms == 3
    assert (found.stamped_by, found.loop, found.streams) == ("kernel", "uvloop", 2)


def test_a_lost_token_is_not_forgotten() -> None:
    """Tokens that the server sent and the client did not see are counted, also of a stream without any."""
    found = _calibration((_seen(50), _true(50, 60)), (_seen(), _true(50, 60, 70)))
    assert found.unaccounted_tokens == 4
    assert "4 of 5 tokens" in calibration_faults(found, InstrumentLimits())[0]


def test_one_stream_stamped_in_user_space_is_said() -> None:
    """The weakest stamps are the calibration's."""
    user = replace(_seen(50, 60), stamped_by="user")
    assert _calibration((_seen(50, 60), _true(50, 60)), (user, _true(50, 60))).stamped_by == "user"


def test_a_calibration_of_nothing_is_an_error() -> None:
    """Without a token there is nothing to say."""
    with pytest.raises(ValueError, match="no token"):
        _calibration((_seen(), _true(50)))


@given(shift=st.floats(-1e6, 1e6), stamps=st.lists(st.floats(0, 1e5), min_size=2, max_size=20).map(sorted))
def test_a_client_that_sees_the_truth_has_no_error(shift: float, stamps: list[float]) -> None:
    """Whatever the schedule, stamps equal to the true ones give errors of zero; a common shift of both changes none."""
    moved = [stamp + shift for stamp in stamps]
    found = _calibration((_seen(*moved, sent_ms=shift - 1), _true(*moved, arrived_ms=shift - 1)))
    assert found.ttft_error_p99_ms == found.gap_error_p99_ms == 0
    assert found.throughput_error_pct == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ttft_error_p99_ms": 5.1}, "TTFT"),
        ({"gap_error_p99_ms": 1.1}, "gap"),
        ({"coalesced_share": 0.03}, "coalesced"),
        ({"unaccounted_tokens": 1}, "lost or doubled"),
    ],
)
def test_an_instrument_worse_than_a_limit_is_disqualified(change: dict[str, float], words: str) -> None:
    """Each limit by itself; the fault names the figure and the limit."""
    good = build_calibration()
    assert calibration_faults(good, InstrumentLimits()) == ()
    (fault,) = calibration_faults(replace(good, **change), InstrumentLimits())  # type: ignore[arg-type]
    assert words in fault


def _lagging(p99_ms: float, stamped_by: str) -> Block:
    block = build_block()
    lag = LoopLag(100, round(p99_ms * MS), round(p99_ms * MS))
    runs = []
    for run in block.runs:
        agents = [
            replace(agent, requests=tuple(replace(r, stamped_by=stamped_by) for r in agent.requests))  # type: ignore[arg-type]
            for agent in run.agents
        ]
        runs.append(replace(run, loop_lag=lag, agents=tuple(agents)))
    return replace(block, runs=tuple(runs))


@pytest.mark.parametrize(
    ("p99_ms", "stamped_by", "valid"),
    [(49, "kernel", True), (51, "kernel", False), (4, "user", True), (6, "user", False)],
)
def test_a_block_measured_by_a_held_up_loop_is_invalid(p99_ms: float, stamped_by: str, valid: bool) -> None:
    """Where the kernel stamps a lag does little harm; user-space stamps are late by it, and get TTFT's limit."""
    reasons = disturbances(_lagging(p99_ms, stamped_by), InstrumentLimits())
    assert (not reasons) is valid
    assert all("lagged by" in reason for reason in reasons)


def test_the_loops_lag_reaches_the_verdict() -> None:
    """A scenario whose blocks were all measured by a held-up loop is INVALID, and says why."""
    summary = judge_scenario("pair", [_lagging(60, "kernel")], [], ContentionRules(), InstrumentLimits())
    assert summary.verdict is Verdict.INVALID
    assert "lagged by 60 ms" in summary.invalid[1][0]
