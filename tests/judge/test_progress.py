"""What is left of a sweep, and about how long it takes."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.progress import CellLeft, remaining, time_left, visits_left
from harness.records import Block, LoopLag
from harness.records.session import BASE
from harness.scenarios import SCENARIOS, InstrumentLimits
from harness.scenarios.sweeps import make_cell
from harness.testing import build_block

A, B, C = (make_cell(SCENARIOS["chimera_homo"], {"num_ctx": n}) for n in (100, 200, 300))
_S = 1_000_000_000


def _block(cell: str, index: int, **others: object) -> Block:
    return replace(build_block(index=index, warmup=index == 0, scenario=cell), **others)  # type: ignore[arg-type]


def _failed(cell: str, index: int) -> Block:
    return _block(cell, index, error="a server died", runs=())


def _left(cell_left: CellLeft) -> tuple[int, int, int, int]:
    return cell_left.valid, cell_left.invalid, cell_left.left, cell_left.next_index


def test_valid_blocks_are_taken_off_and_the_order_stays() -> None:
    """The warm-up block counts for nothing; a cell that was not begun lacks all."""
    blocks = [_block(A.name, n) for n in range(4)] + [_block(B.name, 0)]
    found = remaining((B, A, C), blocks, 5)
    assert [each.cell for each in found] == [B, A, C]
    assert [_left(each) for each in found] == [(0, 0, 5, 1), (3, 0, 2, 4), (0, 0, 5, 1)]


def test_an_interrupted_block_is_measured_again_under_the_next_index() -> None:
    """It stays in the journal, and is neither valid nor invalid."""
    blocks = [_block(A.name, 1), _block(A.name, 2, error="interrupted", runs=())]
    assert _left(remaining([A], blocks, 5)[0]) == (1, 0, 4, 3)


def test_no_index_is_used_twice() -> None:
    """A journal may lack one."""
    assert remaining([A], [_block(A.name, 1), _block(A.name, 4)], 5)[0].next_index == 5


def test_an_invalid_block_is_measured_again() -> None:
    """Failed ones, and with limits of the instrument disturbed ones too."""
    lagging = _block(A.name, 2)
    lag = LoopLag(samples=100, p99_ns=_S, max_ns=_S)
    lagging = replace(lagging, runs=tuple(replace(run, loop_lag=lag) for run in lagging.runs))
    blocks = [_block(A.name, 1), lagging, _failed(A.name, 3)]
    assert _left(remaining([A], blocks, 5)[0]) == (2, 1, 3, 4)
    assert _left(remaining([A], blocks, 5, InstrumentLimits())[0]) == (1, 2, 4, 4)


def test_a_cell_that_fails_again_and_again_is_given_up() -> None:
    """Five invalid blocks that are most of them; with more valid ones it is not."""
    failed = [_failed(A.name, n) for n in range(1, 6)]
    assert remaining([A], failed[:4], 9)[0].left == 9
    assert remaining([A], failed, 9)[0].left == 0
    good = [_block(A.name, n) for n in range(6, 12)]
    assert remaining([A], failed + good, 9)[0].left == 3


def test_there_is_never_less_than_nothing_left() -> None:
    """A sweep gone on with by a smaller number of blocks."""
    assert remaining([A], [_block(A.name, n) for n in range(1, 7)], 5)[0].left == 0


def test_with_a_base_a_pair_counts_when_both_its_blocks_do() -> None:
    """One side alone is measured again."""
    pair = [_block(A.name, 1), _block(A.name, 1, side=BASE)]
    half = [_block(A.name, 2)]
    broken = [_block(A.name, 3), replace(_failed(A.name, 3), side=BASE)]
    assert _left(remaining([A], pair + half + broken, 5)[0]) == (1, 1, 4, 4)


def test_what_was_measured_counts_for_the_earliest_visits() -> None:
    """Seven blocks in two passes: what the first pass did is not made again, the second one follows."""
    blocks = [_block(A.name, n) for n in range(1, 5)] + [_block(B.name, n) for n in (1, 2)]
    found = visits_left(remaining((A, B, C), blocks, 7), 7, passes=2)
    assert [(visit.cell.values["num_ctx"], visit.blocks, visit.turn) for visit in found] == [
        (200, 2, 1),
        (300, 4, 1),
        (300, 3, 2),
        (200, 3, 2),
        (100, 3, 2),
    ]


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(1, 6), st.integers(1, 4))
def test_the_visits_that_are_left_measure_just_what_is_missing(done: list[int], runs: int, passes: int) -> None:
    """For every cell, however many passes there are."""
    blocks = [_block(cell.name, n) for cell, count in zip((A, B, C), done, strict=True) for n in range(1, count + 1)]
    left = remaining((A, B, C), blocks, runs)
    found = visits_left(left, runs, passes)
    assert all(visit.blocks > 0 for visit in found)
    for each in left:
        assert sum(visit.blocks for visit in found if visit.cell == each.cell) == each.left


def _timed(cell: str, start_s: float, end_s: float, index: int = 1) -> Block:
    """A block whose only run has these instants."""
    block = _block(cell, index)
    run = replace(block.runs[0], started_ns=round(start_s * _S), finished_ns=round(end_s * _S))
    return replace(block, runs=(run,))


def test_before_the_first_block_nothing_is_known() -> None:
    """Nor after one that did not end as it should."""
    assert time_left([], {"a": 5}) is None
    assert time_left([_block("a", 1, error="interrupted")], {"a": 5}) is None


def test_after_one_block_there_is_a_time_but_no_interval() -> None:
    """One block says nothing of how blocks differ."""
    found = time_left([_timed("a", 0, 10)], {"a": 3, "b": 2})
    assert found is not None
    assert (found.seconds, found.low, found.high) == (50.0, None, None)


def test_one_cell_says_nothing_of_others() -> None:
    """With blocks of its own left there is an interval, with those of another cell there is none."""
    blocks = [_timed("a", 0, 10), _timed("a", 10, 21), _timed("a", 21, 31)]
    of_its_own, of_another = time_left(blocks, {"a": 3}), time_left(blocks, {"a": 3, "b": 1})
    assert of_its_own is not None
    assert of_another is not None
    assert of_its_own.low is not None
    assert of_another.low is None
    assert of_another.seconds == pytest.approx(4 * 31 / 3)


def test_each_cell_takes_its_own_time_and_what_is_new_takes_the_mean() -> None:
    """What lies between two blocks of a cell is part of the second."""
    blocks = [_timed("a", 0, 10), _timed("a", 10, 20), _timed("b", 20, 50), _timed("b", 51, 80)]
    found = time_left(blocks, {"a": 2, "b": 1, "c": 3})
    assert found is not None
    assert found.seconds == pytest.approx(2 * 10 + 30 + 3 * 20)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.seconds < found.high
    assert found.low >= 0


def test_changes_cost_what_they_have_cost() -> None:
    """The gap between blocks of different cells; not the one in which the session lay dead."""
    blocks = [_timed("a", 0, 10), _timed("b", 14, 24), _timed("c", 30, 40), _timed("d", 10_040, 10_050)]
    found = time_left(blocks, {}, changes=2, breaks=(3,))
    assert found is not None
    assert found.seconds == pytest.approx(2 * 5)
    dead = time_left([_timed("a", 0, 10), _timed("a", 1000, 1010)], {"a": 1}, breaks=(1,))
    assert dead is not None
    assert dead.seconds == pytest.approx(10)


def test_clocks_of_two_boots_cost_nothing() -> None:
    """A gap that would be negative is none."""
    found = time_left([_timed("a", 100, 110), _timed("a", 0, 10)], {"a": 1})
    assert found is not None
    assert found.seconds == pytest.approx(10)


def test_when_nothing_is_left_no_time_is_left() -> None:
    """With certainty."""
    found = time_left([_timed("a", 0, 10), _timed("a", 10, 21)], {"a": 0, "b": 0})
    assert found is not None
    assert (found.seconds, found.low, found.high) == (0.0, 0.0, 0.0)


def _sweep(rng: random.Random, cells: int, blocks: int) -> list[list[float]]:
    """Seconds by cell and block: cells differ by 20 %, blocks of a cell by 5 %."""
    means = [rng.gauss(60, 12) for _ in range(cells)]
    return [[rng.gauss(mean, 3) for _ in range(blocks)] for mean in means]


@pytest.mark.parametrize("measured", [2, 4, 9])
def test_the_interval_holds_the_true_time_about_as_often_as_it_says(measured: int) -> None:
    """In 150 simulated sweeps of ten cells with five blocks: in at least 91 % of them."""
    rng = random.Random(7)  # noqa: S311 - a fixed seed: the same sweeps every time
    inside = 0
    for _ in range(150):
        took, now = _sweep(rng, 10, 5), 0.0
        blocks = []
        for cell, seconds in enumerate(took[:measured]):
            for index, each in enumerate(seconds, start=1):
                blocks.append(_timed(str(cell), now, now + each, index))
                now += each
        found = time_left(blocks, {str(cell): 5 for cell in range(measured, 10)})
        assert found is not None
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= sum(map(sum, took[measured:])) <= found.high
    assert inside / 150 >= 0.91


def test_the_interval_narrows_as_more_is_known() -> None:
    """With the same scatter, nine measured cells say more of the tenth than two do."""
    rng = random.Random(3)  # noqa: S311 - likewise
    widths = []
    for measured in (2, 9):
        found = []
        for _ in range(30):
            blocks = [
                _timed(str(cell), 100 * (5 * cell + n), 100 * (5 * cell + n) + seconds)
                for cell, row in enumerate(_sweep(rng, measured, 5))
                for n, seconds in enumerate(row)
            ]
            left = time_left(blocks, {"new": 5}, breaks=range(len(blocks)))
            assert left is not None
            assert left.low is not None
            assert left.high is not None
            found.append(left.high - left.low)
        widths.append(fmean(found))
    assert widths[1] < widths[0] / 2
