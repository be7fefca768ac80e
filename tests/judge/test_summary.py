"""A scenario judged: what counts, what does not, and the verdict."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import ScenarioSummary, Verdict, judge_scenario
from harness.records import Block, ModelMemory
from harness.scenarios import InstrumentLimits, Limit, Stopping, Terms
from harness.testing import build_block

LIMITS = (Limit("guide_efficiency_pct", 80.0), Limit("measured_speedup", 1.0), Limit("contention_rate", 0.33))


def _judged(blocks: Sequence[Block], limits: Sequence[Limit] = LIMITS) -> ScenarioSummary:
    return judge_scenario("pair", blocks, Terms(tuple(limits), stopping=Stopping(5, fixed=True)))


def _blocks(count: int, slow: float = 1.0) -> list[Block]:
    """Blocks of slightly different length; together the agents take ``slow`` times as long."""
    alone = [{"A": 1000.0 + i, "B": 1000.0 + i} for i in range(count)]
    return [
        build_block(solo, {role: slow * ms for role, ms in solo.items()}, index=i)
        for i, solo in enumerate(alone, start=1)
    ]


def test_a_good_scenario_passes() -> None:
    """Undisturbed agents meet every limit, and the estimates count every block."""
    summary = _judged(_blocks(5))
    assert summary.verdict is Verdict.PASS
    assert [gate.verdict for gate in summary.gates] == [Verdict.PASS] * 3
    assert summary.estimates["measured_speedup"].point == pytest.approx(2.0)
    assert {estimate.n for estimate in summary.estimates.values()} == {5}
    assert summary.symptoms == {}


def test_overlap_without_parallelism_is_said_and_fails_by_the_baselines() -> None:
    """Agents slowed 2.2 times: the guide's figure is perfect, the measured one is not."""
    summary = _judged(_blocks(5, slow=2.2))
    verdicts = {gate.limit.metric: gate.verdict for gate in summary.gates}
    assert verdicts["guide_efficiency_pct"] is Verdict.PASS
    assert verdicts["measured_speedup"] is Verdict.FAIL
    assert verdicts["contention_rate"] is Verdict.FAIL
    assert summary.verdict is Verdict.FAIL
    assert summary.overlap_only
    assert set(summary.symptoms) == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(("slow", "overlap_only"), [(1.0, False), (1.2, False), (1.3, True)])
def test_overlap_only_needs_a_measured_efficiency_below_80(slow: float, overlap_only: bool) -> None:
    """83 % is parallel enough, 77 % is not."""
    assert _judged(_blocks(3, slow)).overlap_only is overlap_only


def test_one_block_decides_no_mean() -> None:
    """A single block has no interval."""
    assert _judged(_blocks(1)).verdict is Verdict.INCONCLUSIVE


def test_without_a_limit_nothing_passes() -> None:
    """A scenario that was asked nothing is not a good one."""
    assert _judged(_blocks(5), limits=()).verdict is Verdict.INCONCLUSIVE


def test_the_warm_up_block_counts_nowhere() -> None:
    """Neither a terrible nor a failed warm-up block changes anything."""
    plain = _judged(_blocks(3))
    for warmup in (
        build_block({"A": 1.0, "B": 1.0}, {"A": 900.0, "B": 900.0}, index=0, warmup=True),
        build_block(index=0, warmup=True, error="deadline"),
    ):
        assert _judged([warmup, *_blocks(3)]) == plain


@pytest.mark.parametrize("error", [None, "the server died"])
def test_a_scenario_that_ended_with_its_warm_up_is_invalid(error: str | None) -> None:
    """Nothing was measured: neither a failed warm-up block nor a good one makes an average or passes a gate."""
    summary = _judged([build_block(index=0, warmup=True, error=error)])
    assert summary.verdict is Verdict.INVALID
    assert (summary.blocks, summary.estimates, summary.gates) == ((), {}, ())
    assert summary.invalid == ({0: (error,)} if error else {})


def test_invalid_blocks_are_counted_and_never_averaged() -> None:
    """A block that failed half-way leaves the estimates as they would be without it."""
    bad = build_block({"A": 1.0, "B": 1.0}, {"A": 9e5, "B": 9e5}, index=4, error="the server died")
    with_bad, without = _judged([*_blocks(3), bad]), _judged(_blocks(3))
    assert with_bad.invalid == {4: ("the server died",)}
    assert replace(with_bad, invalid={}) == without


@pytest.mark.parametrize(
    ("valid", "invalid", "judged"),
    [(3, 2, True), (2, 2, False), (2, 3, False), (0, 2, False), (0, 0, False), (1, 0, True)],
)
def test_unless_most_blocks_are_valid_nothing_is_said(valid: int, invalid: int, judged: bool) -> None:
    """Half is not most: INVALID, without estimates or gates."""
    bad = [build_block(index=valid + 1 + i, error="x") for i in range(invalid)]
    summary = _judged([*bad, *_blocks(valid)])
    assert (summary.verdict is not Verdict.INVALID) is judged
    assert bool(summary.estimates) is bool(summary.gates) is judged
    assert (len(summary.blocks), len(summary.invalid)) == (valid, invalid)


def test_a_gate_names_its_worst_block() -> None:
    """The lowest efficiency, and the block with most symptoms."""
    blocks = [*_blocks(2), build_block({"A": 1000, "B": 1000}, {"A": 1900, "B": 1500}, index=3)]
    gates = {gate.limit.metric: gate for gate in _judged(blocks).gates}
    efficiency, contention = gates["guide_efficiency_pct"], gates["contention_rate"]
    assert efficiency.worst_block == 3
    assert efficiency.worst_value == pytest.approx(100 * 3400 / 3800)
    assert (contention.worst_block, contention.worst_value) == (3, 3)


def test_deltas_are_means_of_magnitudes_and_of_signed_values() -> None:
    """Two blocks with opposite signs cancel only in the signed figure."""
    blocks = [
        build_block({"A": 1000, "B": 1000}, {"A": 2000, "B": 1000}, index=1),
        build_block({"A": 1000, "B": 1000}, {"A": 1000, "B": 2000}, index=2),
    ]
    estimates = _judged(blocks).estimates
    assert estimates["throughput_delta_tok_s"].point == pytest.approx(5.0)
    assert estimates["throughput_delta_signed_tok_s"].point == pytest.approx(0.0)


@given(st.integers(0, 10**6), st.sampled_from([1.0, 1.3, 2.2]))
def test_the_verdict_does_not_depend_on_any_order(seed: int, slow: float) -> None:
    """Neither the order of arms inside blocks nor the order of runs in the record changes what is said."""
    shuffled = []
    for block in _blocks(3, slow):
        arms = list(range(len(block.runs)))
        random.Random(seed + block.index).shuffle(arms)  # noqa: S311 - an order, not a secret
        runs = tuple(block.runs[arm] for arm in arms)
        shuffled.append(replace(block, order=tuple(run.arm for run in runs), runs=runs))
    one, other = _judged(shuffled), _judged(_blocks(3, slow))
    assert one == other
    assert (one.interference, one.resources) == (other.interference, other.resources)


def test_what_is_only_shown_is_computed_when_it_is_asked_for_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopping rule judges after every block, and asks for neither; with eight agents that would be a second."""
    asked: list[str] = []

    def reading(name: str) -> object:
        return lambda blocks: asked.append(f"{name} of {len(blocks)} blocks")

    for name in ("interference", "resource_figures"):
        monkeypatch.setattr(f"harness.judge.summary.{name}", reading(name))
    summary = _judged(_blocks(3))
    assert summary.undecided
    assert asked == []
    for _ in range(2):
        assert not summary.interference
        assert summary.resources is None
    assert asked == ["interference of 3 blocks", "resource_figures of 3 blocks"]


def test_a_model_that_moved_is_seen_by_the_first_block_that_tells_where_it_was() -> None:
    """A look that failed after the warm-up does not leave the scenario unguarded."""
    places = {0: (), 1: (ModelMemory("http://one", "m", 100, 100),), 2: (ModelMemory("http://one", "m", 100, 60),)}
    blocks = [replace(build_block(index=i, warmup=i == 0), memory=memory) for i, memory in places.items()]
    summary = judge_scenario("pair", blocks, Terms(instrument=InstrumentLimits()))
    assert [*summary.invalid] == [2]


def test_a_scenario_that_ended_in_failures_is_invalid_however_it_began() -> None:
    """Five good blocks and then a dead server are not a pass; one bad block among good ones is no such end."""
    dead = [build_block(index=index, error="the server died") for index in (6, 7)]
    assert _judged([*_blocks(5), *dead]).verdict is Verdict.INVALID
    assert _judged([*_blocks(5), dead[0]]).verdict is not Verdict.INVALID
