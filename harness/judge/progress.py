"""How far a sweep (or any session) has come: what is left to measure, and about how long that takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean, variance

from scipy.stats import t

from harness.judge.statistics import CONFIDENCE
from harness.judge.summary import HOPELESS
from harness.judge.validity import invalid_reasons
from harness.records import Block
from harness.records.session import BASE, CANDIDATE
from harness.scenarios import InstrumentLimits
from harness.scenarios.sweeps import Cell, Visit, visits

INTERRUPTED = "interrupted"
"""Error of a block that its session did not live to end."""


@dataclass(frozen=True, slots=True)
class CellLeft:
    """How far one cell has come.

    Attributes:
        cell: The cell.
        valid: Its valid blocks so far (with a base: pairs), the warm-up ones not counted.
        invalid: Those that could not be judged; what was interrupted is none of them.
        left: Blocks left to measure; 0 too if it was given up, because most of many blocks were invalid.
        next_index: Index of its next block: no index is used twice.
    """

    cell: Cell
    valid: int
    invalid: int
    left: int
    next_index: int


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """About how long the rest takes, s.

    Attributes:
        seconds: The expected time.
        low: Lower end of its 95 % interval; None if too little was measured to tell (one cell says nothing of others).
        high: Upper end.
    """

    seconds: float
    low: float | None
    high: float | None


def remaining(
    cells: Sequence[Cell], blocks: Sequence[Block], runs: int, instrument: InstrumentLimits | None = None
) -> tuple[CellLeft, ...]:
    """What is left to measure of each cell, in the cells' order.

    Args:
        cells: In the order of measuring.
        blocks: All blocks of the journal.
        runs: Valid blocks that each cell is to have.
        instrument: What makes a block invalid besides its own failure; None does not look at it.
    """
    return tuple(_left(cell, [b for b in blocks if b.scenario == cell.name], runs, instrument) for cell in cells)


def _left(cell: Cell, blocks: Sequence[Block], runs: int, instrument: InstrumentLimits | None) -> CellLeft:
    memory = {side: next((b.memory for b in blocks if b.side == side), ()) for side in (CANDIDATE, BASE)}
    measured: dict[int, list[Block]] = {}
    for block in blocks:
        if not block.warmup:
            measured.setdefault(block.index, []).append(block)
    sides = len({block.side for block in blocks}) or 1
    whole = {
        index: pair
        for index, pair in measured.items()
        if len(pair) == sides and not any(block.error == INTERRUPTED for block in pair)
    }
    good = [
        index
        for index, pair in whole.items()
        if not any(invalid_reasons(block, instrument, memory[block.side]) for block in pair)
    ]
    valid, invalid = len(good), len(whole) - len(good)
    given_up = invalid >= HOPELESS and invalid >= valid
    return CellLeft(cell, valid, invalid, 0 if given_up else max(0, runs - valid), max(measured, default=0) + 1)


def visits_left(left: Sequence[CellLeft], runs: int, passes: int = 1) -> tuple[Visit, ...]:
    """The visits that are still to be made, in their order; what was measured counts for the earliest of each cell.

    Args:
        left: Of all cells, in the order of measuring.
        runs: Valid blocks that each cell is to have.
        passes: Passes through the cells.
    """
    done = {each.cell.name: runs - each.left for each in left}
    found = []
    for visit in visits([each.cell for each in left], runs, passes):
        counted = min(done[visit.cell.name], visit.blocks)
        done[visit.cell.name] -= counted
        if counted < visit.blocks:
            found.append(Visit(visit.cell, visit.blocks - counted, visit.turn))
    return tuple(found)


def time_left(
    blocks: Sequence[Block], left: Mapping[str, int], changes: int = 0, breaks: Collection[int] = ()
) -> TimeLeft | None:
    """The time that the rest takes, from what the blocks so far took; None before the first block has ended.

    A block of a cell that was measured takes what its blocks took (with what lies between two blocks), a block of
    another cell what the mean cell took. The interval is one of prediction: it has the scatter of blocks within a cell,
    that of cells (for those not yet measured), and what is not known of the means. Warm-up blocks count as any other;
    interrupted and failed ones do not.

    Args:
        blocks: All blocks so far, in the order of measuring.
        left: Blocks left by scenario, warm-up blocks and those of a base too.
        changes: Changes from one scenario to another that are left; each costs what those so far cost (its loads).
        breaks: Positions in ``blocks`` at which a session went on with another one's journal.

    Source: prediction interval of a sum in a one-way random-effects model; degrees of freedom by Satterthwaite 1946.
    """
    took = _seconds(blocks, breaks)
    if not took:
        return None
    loads = _loads(blocks, breaks)
    means = {name: fmean(seconds) for name, seconds in took.items()}
    known = {name: count for name, count in left.items() if name in means and count > 0}
    unknown = [count for name, count in left.items() if name not in means and count > 0]
    seconds = sum(count * means[name] for name, count in known.items()) + sum(unknown) * fmean(means.values())
    seconds += changes * (fmean(loads) if loads else 0.0)
    spread = _spread(took, known, unknown, (changes, loads))
    if spread is None:
        return TimeLeft(seconds, None, None)
    return TimeLeft(seconds, max(0.0, seconds - spread), seconds + spread)


def _seconds(blocks: Sequence[Block], breaks: Collection[int]) -> dict[str, list[float]]:
    """How long each whole block took, by scenario, with what lay between it and the one before of the same scenario."""
    found: dict[str, list[float]] = {}
    for at, block in enumerate(blocks):
        if not block.runs or block.error is not None:
            continue
        seconds = (block.runs[-1].finished_ns - block.runs[0].started_ns) / 1e9
        if at and at not in breaks and blocks[at - 1].scenario == block.scenario:
            seconds += _between(blocks[at - 1], block)
        found.setdefault(block.scenario, []).append(seconds)
    return found


def _loads(blocks: Sequence[Block], breaks: Collection[int]) -> list[float]:
    """How long each change from one scenario to another took."""
    return [
        _between(before, after)
        for at, (before, after) in enumerate(pairwise(blocks), start=1)
        if before.scenario != after.scenario and at not in breaks and before.runs and after.runs
    ]


def _between(before: Block, after: Block) -> float:
    """From the end of one block to the start of the next, s; 0 if one of them has no instants."""
    return max(0, after.runs[0].started_ns - before.runs[-1].finished_ns) / 1e9 if before.runs and after.runs else 0.0


def _spread(
    took: Mapping[str, Sequence[float]],
    known: Mapping[str, int],
    unknown: Sequence[int],
    load: tuple[int, Sequence[float]],
) -> float | None:
    """Half the width of the interval, s; None if something that counts has been seen once only."""
    freedom = sum(len(seconds) - 1 for seconds in took.values())
    cells = len(took) - 1
    between = variance([fmean(seconds) for seconds in took.values()]) if cells else 0.0
    if unknown and not cells:
        return None
    if freedom:
        within = sum(variance(seconds) * (len(seconds) - 1) for seconds in took.values() if len(seconds) > 1) / freedom
    elif cells:  # one block a cell: what cells differ by holds what blocks differ by
        within, freedom = between, cells
    else:
        return None
    new = sum(unknown)
    blocks = sum(count + count**2 / len(took[name]) for name, count in known.items()) + new
    parts = [
        (within * blocks, freedom),
        (between * (sum(count**2 for count in unknown) + new**2 / len(took)), cells),
    ]
    changes, loads = load
    if changes and loads:  # one load says nothing of how loads scatter: it is taken to be as much as it is long
        scatter = variance(loads) if len(loads) > 1 else loads[0] ** 2
        parts.append((scatter * (changes + changes**2 / len(loads)), max(1, len(loads) - 1)))
    total = sum(part for part, _ in parts)
    if total == 0:
        return 0.0
    degrees = total**2 / sum(part**2 / df for part, df in parts if part)
    if unknown:  # two cells that happen to be alike would else count as many blocks: 91 % instead of 95
        degrees = min(degrees, cells)
    return float(t.ppf((1 + CONFIDENCE) / 2, degrees)) * sqrt(total)
