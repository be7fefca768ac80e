"""Sweeps: one scenario after another with other options, and the matrix of TR110.

A **cell** is one configuration: a catalogue scenario with options put in place of its own. To everything else it is a
scenario of its own name (journal, test id, limits). Its name is the scenario's, ``@``, and what was set:
``chimera_homo@num_ctx=512,num_gpu=60``.

Cells are measured one after the other, so what changes slowly on a host (temperature, clocks, other users) looks like
a difference between cells. The blocks of one cell are therefore spread over ``passes`` through the whole grid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite

from harness.records.errors import ConfigurationError
from harness.scenarios.catalogue import SCENARIOS, AgentSpec, RunnerOptions, Scenario

TR110 = "tr110"
TR110_RUNS = 5
"""Runs of each configuration in TR110."""
AT = "@"
OPTIONS = tuple(option.name for option in fields(RunnerOptions))
"""Options that a cell can set."""

_WHOLE = {option.name for option in fields(RunnerOptions) if "int" in str(option.type)}
_LEAST = {"num_gpu": -1.0, "num_ctx": 64.0}


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration of a sweep.

    Attributes:
        name: Its name; the scenario's name too.
        scenario: What is measured.
        phase: Part of the sweep that it belongs to; may be empty.
        values: What it sets, sorted by name: ``OPTION`` for every tuned agent, ``GROUP.OPTION`` or ``ROLE.OPTION``
            for some of them.
        published: Published configurations that it repeats, such as ``test_015``.
    """

    name: str
    scenario: Scenario
    phase: str
    values: dict[str, float]
    published: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A cell that was left out, because another one has the same agents with the same options.

    Attributes:
        name: What was left out: the published configuration if it is one, else the cell.
        same_as: The cell that stands for it.
    """

    name: str
    same_as: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """A grid of cells, none twice.

    Attributes:
        cells: In the order in which they were given, which is that of the report.
        duplicates: What was left out.
        runs: Blocks a cell that the sweep itself asks for; None if it does not.
        passes: Passes through the grid that it asks for; None if it does not.
    """

    cells: tuple[Cell, ...]
    duplicates: tuple[Duplicate, ...] = ()
    runs: int | None = None
    passes: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Blocks of one cell that are measured together.

    Attributes:
        cell: The cell.
        blocks: How many, the warm-up block not counted.
        turn: Number of the pass, from 1.
    """

    cell: Cell
    blocks: int
    turn: int = 1


def catalogue_name(name: str) -> str:
    """The catalogue scenario that a cell was made of (whose limits hold for it); any other name as it is."""
    return name.partition(AT)[0]


def make_cell(
    scenario: Scenario, values: Mapping[str, float], phase: str = "", published: tuple[str, ...] = ()
) -> Cell:
    """A scenario with options put in place of its own.

    Args:
        scenario: The catalogue scenario.
        values: By ``OPTION`` (all agents that have a group), ``GROUP.OPTION`` or ``ROLE.OPTION``; the narrower wins.
        phase: Part of the sweep.
        published: Published configurations that it repeats.

    Raises:
        ConfigurationError: If there is no such option or agent, or an option cannot have such a value.
    """
    checked = {name: _checked(scenario, name, values[name]) for name in sorted(values)}
    text = ",".join(f"{name}={value:.15g}" for name, value in checked.items())
    name = f"{scenario.name}{AT}{text}" if text else scenario.name
    agents = tuple(_changed(agent, checked) for agent in scenario.agents)
    return Cell(name, replace(scenario, name=name, agents=agents), phase, checked, published)


def _checked(scenario: Scenario, name: str, value: float) -> float:
    target, _, option = name.rpartition(".")
    where = f"sweep of {scenario.name}"
    if option not in OPTIONS:
        raise ConfigurationError(f"{where}: unknown option {name!r}; choose from: {', '.join(OPTIONS)}")
    known = [agent.group for agent in scenario.agents if agent.group] + [agent.role for agent in scenario.agents]
    if target and target not in known:
        raise ConfigurationError(f"{where}: no agent {target!r} in {name}; choose from: {', '.join(known)}")
    if not target and not any(agent.group for agent in scenario.agents):
        raise ConfigurationError(f"{where}: none of its agents is tuned: name one, as in {known[0]}.{option}")
    least = _LEAST.get(option, 0.0)
    whole = option in _WHOLE
    if not isfinite(value) or value < least or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise ConfigurationError(f"{where}: {name} must be {kind} of at least {least:g}, got {value:g}")
    return int(value) if whole else float(value)


def _changed(agent: AgentSpec, values: Mapping[str, float]) -> AgentSpec:
    wider_first = [f"{agent.group}.", f"{agent.role}."]
    set_here: dict[str, float] = {}
    for target in ("", *wider_first) if agent.group else wider_first[1:]:
        set_here |= {o: values[target + o] for o in OPTIONS if target + o in values}
    return replace(agent, options=replace(agent.options, **set_here))  # type: ignore[arg-type]


def make_sweep(cells: Iterable[Cell], runs: int | None = None, passes: int | None = None) -> Sweep:
    """A sweep of these cells; of cells that have the same agents with the same options the first one stays.

    Raises:
        ConfigurationError: If there is no cell.
    """
    kept: dict[tuple[str, tuple[AgentSpec, ...]], Cell] = {}
    duplicates: list[Duplicate] = []
    for cell in cells:
        key = (catalogue_name(cell.name), cell.scenario.agents)
        first = kept.get(key)
        if first is None:
            kept[key] = cell
            continue
        duplicates.append(Duplicate(", ".join(cell.published) or cell.name, first.name))
        kept[key] = replace(first, published=first.published + cell.published)
    if not kept:
        raise ConfigurationError("the sweep has no cell")
    return Sweep(tuple(kept.values()), tuple(duplicates), runs, passes)


def visits(cells: Sequence[Cell], runs: int, passes: int = 1) -> tuple[Visit, ...]:
    """Which cell is measured when: ``passes`` times through all of them, forwards and backwards by turns.

    A pass begins with the cell that the one before ended with, so that turning round costs no reload. A cell's blocks
    are shared out evenly, the earlier passes get the odd ones.

    Args:
        cells: In the order of measuring.
        runs: Blocks of each cell.
        passes: Passes; more than ``runs`` are none.
    """
    passes = min(passes, runs)
    share, odd = divmod(runs, passes)
    return tuple(
        Visit(cell, share + (turn < odd), turn + 1)
        for turn in range(passes)
        for cell in (cells if turn % 2 == 0 else cells[::-1])
    )


def tr110(scenarios: Mapping[str, Scenario] = SCENARIOS) -> Sweep:
    """The 30 configurations of TR110 with 5 runs each, as its raw runs have them; equal ones are one cell.

    Phase 1: the three scenarios x ``num_gpu`` 60, 80, 120 x ``num_ctx`` 512, 1024 at temperature 0.8; the second agent
    of ``chimera_hetero`` has 20 layers more, twice the context and temperature 0.6. Phase 2: ``chimera_homo`` at 80
    layers x ``num_ctx`` 512, 1024, 2048 x temperature 0.6, 0.8, 1.0. Phase 3, the validation: one configuration of each
    scenario at 80 layers and ``num_ctx`` 512. Two configurations of phase 2 and two of phase 3 are ones that had
    been measured before: to measure them again later is what ``passes`` does, for every cell.

    Source: TR110's published runs, 150 of them.
    """
    return make_sweep(_tr110_cells(scenarios), runs=TR110_RUNS)


def _tr110_cells(scenarios: Mapping[str, Scenario]) -> Iterator[Cell]:
    def cell(name: str, phase: int, test: int, first: tuple[float, ...], second: tuple[float, ...] = ()) -> Cell:
        options = ("num_gpu", "num_ctx", "temperature")
        values = dict(zip(options, first, strict=True))
        if second:
            values |= {f"chimera2.{option}": value for option, value in zip(options, second, strict=True)}
        return make_cell(scenarios[name], values, f"phase {phase}", (f"test_{test:03d}",))

    grid = [(gpu, ctx) for gpu in (60, 80, 120) for ctx in (512, 1024)]
    for test, (gpu, ctx) in enumerate(grid, start=1):
        yield cell("baseline_vs_chimera", 1, test, (gpu, ctx, 0.8))
    for test, (gpu, ctx) in enumerate(grid, start=7):
        yield cell("chimera_hetero", 1, test, (gpu, ctx, 0.8), (gpu + 20, 2 * ctx, 0.6))
    for test, (gpu, ctx) in enumerate(grid, start=13):
        yield cell("chimera_homo", 1, test, (gpu, ctx, 0.8))
    for test, (ctx, temperature) in enumerate(((c, t) for c in (512, 1024, 2048) for t in (0.6, 0.8, 1.0)), start=100):
        yield cell("chimera_homo", 2, test, (80, ctx, temperature))
    yield cell("chimera_homo", 3, 200, (80, 512, 0.8))
    yield cell("chimera_hetero", 3, 201, (80, 512, 0.8), (80, 1024, 0.6))
    yield cell("baseline_vs_chimera", 3, 202, (80, 512, 0.8))
