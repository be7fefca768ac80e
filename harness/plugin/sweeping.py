"""A sweep, or any session that is gone on with: what is left to measure, and about how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.judge.progress import CellLeft, remaining, time_left, visits_left
from harness.records import Block
from harness.report.sweep import sweep_progress_line
from harness.scenarios import InstrumentLimits, Scenario
from harness.scenarios.reloads import Order
from harness.scenarios.sweeps import Cell, Sweep, Visit


@dataclass(frozen=True, slots=True)
class SweepChoice:
    """The sweep that was asked for.

    Attributes:
        sweep: Its cells, in the order in which they were given.
        order: The same in the order of measuring.
        runs: Blocks a cell.
        passes: Passes through the cells.
    """

    sweep: Sweep
    order: Order
    runs: int
    passes: int

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The cells' scenarios in the order of measuring."""
        return tuple(cell.scenario for cell in self.order.cells)


def blocks_left(scenario: Scenario, blocks: Sequence[Block], runs: int, instrument: InstrumentLimits) -> int:
    """Blocks of a scenario that are left to measure, given those that a journal has."""
    (left,) = remaining([Cell(scenario.name, scenario, "", {})], blocks, runs, instrument)
    return left.left


@dataclass
class SweepProgress:
    """A sweep under way.

    Attributes:
        choice: The sweep.
        instrument: What makes a block invalid besides its own failure.
        blocks: All blocks so far, in the order of measuring.
        breaks: Positions in ``blocks`` at which a session went on with another one's journal.
        visits: What is left to do, in order.
    """

    choice: SweepChoice
    instrument: InstrumentLimits
    blocks: list[Block] = field(default_factory=list)
    breaks: tuple[int, ...] = ()
    visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        """What the blocks so far leave to do."""
        self.visits = list(visits_left(self._left(), self.choice.runs, self.choice.passes))

    def _left(self) -> tuple[CellLeft, ...]:
        return remaining(self.choice.order.cells, self.blocks, self.choice.runs, self.instrument)

    def upto(self, name: str) -> list[Visit]:
        """The visits from the first to the last one of a cell; they count as begun."""
        own = [at for at, visit in enumerate(self.visits) if visit.cell.name == name]
        if not own:
            return []
        first, end = own[0], own[-1] + 1
        begun, self.visits = self.visits[first:end], self.visits[:first] + self.visits[end:]
        return begun

    def line(self, block: Block, begun: Sequence[Visit]) -> str:
        """How far it has come with this block, and about how long the rest takes.

        Args:
            block: The block that has just ended; it is in ``blocks``.
            begun: The visits that are begun and not over, this block's first.
        """
        cells = [cell.name for cell in self.choice.order.cells]
        ahead = [*begun[1:], *self.visits]
        left = {each.cell.name: each.left for each in self._left()}
        for visit in ahead:
            left[visit.cell.name] += 1  # its warm-up block
        changes = len(ahead)
        rest = time_left(self.blocks, left, changes, self.breaks)
        return sweep_progress_line(cells.index(block.scenario) + 1, len(cells), block.index, rest)
