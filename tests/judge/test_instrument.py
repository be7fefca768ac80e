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
from harness.records import Block, Calibration, HostLoad, LoopLag, ModelMemory, RequestRecord
from harness.scenarios import InstrumentLimits, Terms
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
    summary = judge_scenario("pair", [_lagging(60, "kernel")], Terms(instrument=InstrumentLimits()))
    assert summary.verdict is Verdict.INVALID
    assert "lagged by 60 ms" in summary.invalid[1][0]


def _beside(loads: dict[str, HostLoad | None]) -> Block:
    block = build_block()
    return replace(block, runs=tuple(replace(run, host=loads.get(run.arm)) for run in block.runs))


@pytest.mark.parametrize(
    ("foreign", "idle", "valid"),
    [
        (0.09, 0.0, True),  # a limit's worth of others is borne
        (0.11, 0.0, False),
        (1.0, 0.0, False),
        (0.5, 0.6, True),  # others, but more stood idle: nobody had to wait for them
        (0.6, 0.5, False),
        (8.0, 50.0, True),
        (-0.05, 0.0, True),  # our own share is counted finer than the whole
        (None, 0.0, True),  # it cannot be told
    ],
)
def test_a_block_beside_busy_strangers_is_invalid(foreign: float | None, idle: float, valid: bool) -> None:
    """More of them than the limit, and more than stood idle: then ours would have had what they took."""
    reasons = disturbances(_beside({"solo:A": HostLoad((0, 1), foreign, idle)}), InstrumentLimits())
    assert (not reasons) is valid
    assert all("kept the servers' CPUs busy" in reason for reason in reasons)


def test_strangers_in_several_arms_are_one_reason() -> None:
    """It says which arms, how many cores of how many, the limit and what to do."""
    loads = {arm: HostLoad((0, 1), 0.97, 0.01) for arm in ("solo:A", "concurrent")}
    (reason,) = disturbances(_beside({**loads, "solo:B": HostLoad((0, 1), 0.01, 0.9)}), InstrumentLimits())
    assert reason == (
        "other processes kept the servers' CPUs busy: "
        "0.97 of 2 CPUs in solo:A (0.01 idle), 0.97 of 2 CPUs in concurrent (0.01 idle); limit 0.1: "
        "end them, or give the servers CPUs of their own (--pin)"
    )


def test_the_limit_of_strangers_can_be_raised() -> None:
    """A host that is always shared is measured as it is."""
    busy = _beside({"concurrent": HostLoad((0, 1), 1.5, 0.0)})
    assert disturbances(busy, InstrumentLimits(foreign_cores=2.0)) == ()


@pytest.mark.parametrize(("strangers", "limit", "valid"), [(0, 0, True), (1, 0, False), (2, 1, False), (2, 2, True)])
def test_a_block_beside_strangers_on_the_gpu_is_invalid(strangers: int, limit: int, valid: bool) -> None:
    """None by default, and so many as are allowed; all are named in one reason."""
    names = tuple(f"game (pid {pid}, 512 MiB)" for pid in range(strangers))
    reasons = disturbances(replace(build_block(), gpu_strangers=names), InstrumentLimits(gpu_strangers=limit))
    assert (not reasons) is valid
    assert all(f"on the servers' GPU: {', '.join(names)}; end them" in reason for reason in reasons)


MIB = 2**20
URL = "http://127.0.0.1:1"


def _memory(size: int, size_vram: int, *, url: str = URL, model: str = "m") -> ModelMemory:
    return ModelMemory(url, model, size * MIB, size_vram * MIB)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (_memory(5120, 5120), _memory(5120, 5120), None),
        (_memory(5120, 5120), _memory(5120, 5090), None),  # less than 1 %
        (_memory(5120, 5120), _memory(5120, 2048), "2048 of 5120 MiB, 5120 of 5120 MiB before"),
        (_memory(5120, 2048), _memory(5120, 1024), "1024 of 5120 MiB, 2048 of 5120 MiB before"),
        (_memory(5120, 5120), _memory(5120, 0), "0 of 5120 MiB, 5120 of 5120 MiB before"),
        (_memory(5120, 5120), _memory(4096, 4096), None),  # a smaller context, all of it on the GPU
        (_memory(5120, 2048), _memory(5120, 5120), None),
        (_memory(100, 0), _memory(100, 0), None),
        (_memory(100, 0), _memory(0, 0), "not loaded on"),
        (_memory(5120, 5120), _memory(0, 0), "not loaded on"),
        (_memory(0, 0), _memory(5120, 2048), None),  # it was nowhere before
        (_memory(5120, 5120), _memory(5120, 2048, url="http://other"), None),
        (_memory(5120, 5120), _memory(5120, 2048, model="other"), None),
    ],
)
def test_a_block_whose_model_moved_is_invalid(before: ModelMemory, after: ModelMemory, words: str | None) -> None:
    """A smaller share in GPU memory than after the first block, or none of it loaded; else nothing is said."""
    reasons = disturbances(replace(build_block(), memory=(after,)), InstrumentLimits(), (before,))
    assert (not reasons) is (words is None)
    assert all(URL in reason and str(words) in reason for reason in reasons)


def test_a_block_without_a_look_or_a_reference_is_not_compared() -> None:
    """A server that did not answer, or a journal from before: nothing is known, and nothing is claimed."""
    moved = replace(build_block(), memory=(_memory(5120, 0),))
    assert disturbances(moved, InstrumentLimits()) == ()
    assert disturbances(build_block(), InstrumentLimits(), (_memory(5120, 5120),)) == ()


def test_every_cause_has_a_reason_of_its_own() -> None:
    """Loop, CPUs, GPU and memory at once are four reasons, in that order."""
    block = _lagging(60, "kernel")
    runs = (replace(block.runs[0], host=HostLoad((0,), 0.5, 0.0)), *(replace(r, loop_lag=None) for r in block.runs[1:]))
    bad = replace(block, runs=runs, gpu_strangers=("game (pid 1)",), memory=(_memory(10, 5),))
    reasons = disturbances(bad, InstrumentLimits(), (_memory(10, 10),))
    for reason, words in zip(reasons, ("lagged", "CPUs busy", "servers' GPU", "moved out"), strict=True):
        assert words in reason
