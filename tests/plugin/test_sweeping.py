"""A sweep under way: which cell is measured when, what is not measured again, and what a judge finds of it."""

from __future__ import annotations

import asyncio
import json

import pytest

from harness.plugin.sweeping import SweepChoice, SweepProgress, blocks_left
from harness.records import Block
from harness.scenarios import SCENARIOS, InstrumentLimits, Limit
from harness.scenarios.sweeps import Visit
from harness.store import read_journal
from harness.testing import build_block
from tests.plugin.made_up import Opened, Opener, settings_of

GRID = "chimera_homo:num_ctx=1024,512,2048"
A, B, C = (f"chimera_homo@num_ctx={number}" for number in (1024, 512, 2048))


def sweep_of(
    opener: Opener, *, runs: int = 2, passes: int = 1, blocks: tuple[Block, ...] = (), **given: object
) -> Opened:
    """An open session that sweeps three cells."""
    settings = settings_of(sweep=[GRID], runs=str(runs), passes=str(passes), **given)
    return opener(settings, blocks)


def measure(opened: Opened, *names: str) -> None:
    """Measures cells, as their tests would."""

    async def all_of_them() -> None:
        for name in names:
            await opened.perf.measure(name)

    asyncio.run(all_of_them())


def progress(passes: int, runs: int = 2) -> SweepProgress:
    """A sweep that has not begun."""
    choice = settings_of(sweep=[GRID], runs=str(runs), passes=str(passes)).sweep
    assert isinstance(choice, SweepChoice)
    return SweepProgress(choice, InstrumentLimits())


def shown(visits: list[Visit]) -> list[tuple[str, int, int]]:
    """Cell, blocks and pass of each visit."""
    return [(visit.cell.name, visit.blocks, visit.turn) for visit in visits]


def test_a_cells_test_makes_the_visits_from_its_first_to_its_last() -> None:
    """In one pass those are its own; in two the first cell's turn is the whole sweep; nothing is made twice."""
    once, twice = progress(1), progress(2)
    assert shown(once.upto(B)) == [(B, 2, 1)]
    assert shown(once.visits) == [(A, 2, 1), (C, 2, 1)]
    assert once.upto(B) == []
    assert shown(twice.upto(B)) == [(B, 1, 1), (C, 1, 1), (C, 1, 2), (B, 1, 2)]
    assert shown(twice.upto(A)) == [(A, 1, 1), (A, 1, 2)]
    assert twice.visits == []


def test_all_cells_are_measured_once_in_their_order(opener: Opener) -> None:
    """Each with a warm-up and its blocks; asked again, nothing is."""
    opened = sweep_of(opener)
    measure(opened, A, B, C, A)
    assert opened.driver.calls == [(A, 2, 0), (B, 2, 0), (C, 2, 0)]
    assert {name: len(summary.blocks) for name, summary in opened.perf.summaries.items()} == {A: 2, B: 2, C: 2}


def test_passes_go_to_and_fro_and_number_each_cells_blocks_on(opener: Opener) -> None:
    """A cell's second visit knows the blocks of its first; no measured block has an index twice."""
    opened = sweep_of(opener, runs=3, passes=2)
    measure(opened, A, B, C)
    assert opened.driver.calls == [(A, 2, 0), (B, 2, 0), (C, 2, 0), (C, 1, 3), (B, 1, 3), (A, 1, 3)]
    for blocks in opened.perf.blocks.values():
        assert [block.index for block in blocks] == [0, 1, 2, 0, 3]


def test_only_cells_whose_tests_run_are_measured(opener: Opener) -> None:
    """Whoever chose the last one by -k does not wait for the others."""
    opened = sweep_of(opener)
    measure(opened, C)
    assert opened.driver.calls == [(C, 2, 0)]


def test_whatever_a_kill_leaves_every_block_stands_behind_the_terms_that_it_is_judged_by(opener: Opener) -> None:
    """Passes measure cells before their tests begin: their limits are in the journal before their first block."""
    opened = sweep_of(opener, passes=2, threshold=[f"{C}.guide_speedup=1.25"])
    measure(opened, A)
    lines = [json.loads(line) for line in (opener.folder / "j.jsonl").read_text("utf-8").splitlines()]
    told = [
        line.get("scenario") or line["block"]["scenario"] for line in lines[1:] if line["type"] in ("terms", "block")
    ]
    first = {name: next(line["type"] for line, of in zip(lines[1:], told, strict=True) if of == name) for name in told}
    assert first == {A: "terms", B: "terms", C: "terms"}
    stored = read_journal(opener.folder / "j.jsonl")
    assert list(stored.terms) == [A, B, C]
    assert stored.terms == opened.perf.terms
    assert [Limit("guide_speedup", 1.25) in terms.limits for terms in stored.terms.values()] == [False, False, True]


def test_what_a_journal_has_is_not_measured_again(opener: Opener) -> None:
    """A whole cell needs nothing, one with a block half of it; indices go on."""
    there = [build_block(scenario=A, index=index, warmup=index == 0) for index in (0, 1, 2)]
    there += [build_block(scenario=B, index=index, warmup=index == 0) for index in (0, 1)]
    opened = sweep_of(opener, blocks=tuple(there))
    measure(opened, A, B, C)
    assert opened.driver.calls == [(B, 1, 2), (C, 2, 0)]
    assert [block.index for block in opened.perf.blocks[B]] == [0, 1, 0, 2]


def test_a_cell_that_fails_is_given_up_and_the_others_go_on(opener: Opener) -> None:
    """In the next pass too: whatever broke it once is still there."""
    opened = sweep_of(opener, runs=3, passes=3)
    opened.driver.failing = {B}
    measure(opened, A, B, C)
    assert [name for name, _, _ in opened.driver.calls] == [A, B, C, C, A, A, C]
    assert {name: str(summary.verdict) for name, summary in opened.perf.summaries.items()}[B] == "INVALID"


def test_a_cell_that_fails_in_another_ones_turn_is_given_up_too(opener: Opener) -> None:
    """It has no turn of its own then."""
    opened = sweep_of(opener, runs=3, passes=3)
    opened.driver.failing = {C}
    measure(opened, B, C)
    assert [name for name, _, _ in opened.driver.calls] == [B, C, B, A, A, B]


def test_each_block_is_told_with_where_it_stands_in_the_sweep(opener: Opener) -> None:
    """Cell, block, and once something is known the time that is left; at the end none."""
    opened = sweep_of(opener)
    measure(opened, A, B, C)
    told = [line for line in opened.said if line.startswith("  cell ")]
    assert [line.partition(";")[0] for line in told] == [
        f"  cell {cell} of 3, {block}" for cell in (1, 2, 3) for block in ("warm-up", "block 1", "block 2")
    ]
    left = [line.partition("; about ")[2].partition(" ")[0] for line in told]
    assert left == list("876543210")  # blocks of a second each, two warm-up ones among them


@pytest.mark.parametrize(
    ("indices", "left"), [((), 3), ((0,), 3), ((0, 1), 2), ((0, 1, 2, 3), 0), ((0, 1, 0, 2, 3, 4), 0)]
)
def test_a_scenario_that_is_gone_on_with_needs_the_blocks_that_are_missing(indices: tuple[int, ...], left: int) -> None:
    """Warm-up blocks count for nothing, more than enough is enough; other scenarios' blocks are not its own."""
    homo = SCENARIOS["chimera_homo"]
    blocks = [build_block(scenario=homo.name, index=index, warmup=index == 0) for index in indices]
    others = [build_block(scenario="other", index=index) for index in (1, 2)]
    assert blocks_left(homo, [*others, *blocks], 3, InstrumentLimits()) == left


def test_blocks_that_could_not_be_judged_are_measured_again() -> None:
    """They are kept, and do not count."""
    homo = SCENARIOS["chimera_homo"]
    blocks = [build_block(scenario=homo.name, index=1), build_block(scenario=homo.name, index=2, error="it died")]
    assert blocks_left(homo, blocks, 3, InstrumentLimits()) == 2
