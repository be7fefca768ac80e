"""Grids of a user's own: from a line of text, or from TOML. All errors are one clear line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod

from harness.records.errors import ConfigurationError
from harness.scenarios.catalogue import SCENARIOS, Scenario
from harness.scenarios.options import finite
from harness.scenarios.sweeps import TR110, Cell, Sweep, make_cell, make_sweep

MOST_CELLS = 256
"""More cells than that in one sweep are a slip of the pen."""
_EXAMPLE = "chimera_homo:num_ctx=512,1024;temperature=0.6,0.8"
_WRITE = f"write SCENARIO:OPTION=NUMBER,NUMBER;..., for example {_EXAMPLE}, or {TR110}, or the name of a .toml file"


def parse_grid(text: str, scenarios: Mapping[str, Scenario] = SCENARIOS) -> tuple[Cell, ...]:
    """The cells of ``SCENARIO[,SCENARIO]:OPTION=NUMBER,NUMBER;OPTION=NUMBER``: every combination.

    Raises:
        ConfigurationError: If it is no such text, or names what does not exist.
    """
    where = f"--sweep {text!r}"
    names, colon, options = text.partition(":")
    if not colon or not options.strip():
        raise ConfigurationError(f"{where}: {_WRITE}")
    values: dict[str, list[float]] = {}
    for part in options.split(";"):
        name, equals, numbers = (piece.strip() for piece in part.partition("="))
        found = [finite(float, number) for number in numbers.split(",")]
        if not name or not equals or None in found:
            raise ConfigurationError(f"{where}: {part.strip()!r} is not OPTION=NUMBER,NUMBER: {_WRITE}")
        if name in values:
            raise ConfigurationError(f"{where}: {name} stands there twice: write all its numbers in one list")
        values[name] = [number for number in found if number is not None]
    return _cells(where, [name.strip() for name in names.split(",")], values, "", scenarios)


def parse_grid_file(text: str, source: str, scenarios: Mapping[str, Scenario] = SCENARIOS) -> Sweep:
    """A sweep from TOML text: tables ``[[grid]]``, and for all of them ``runs`` and ``passes``.

    Each ``[[grid]]`` has ``scenario`` (a name or a list of names), ``phase`` if it likes, and options, each a number or
    a list of numbers: ``num_ctx = [512, 1024]`` for every tuned agent, ``chimera2.num_ctx = 1024`` for some.

    Raises:
        ConfigurationError: If the text is not TOML or not such a sweep; the message names ``source``.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}") from error
    grids = document.pop("grid", None)
    if not isinstance(grids, list) or not all(isinstance(grid, dict) for grid in grids):
        raise ConfigurationError(f"{source}: a sweep is made of tables [[grid]], each with a scenario and options")
    runs, passes = (_count(document.pop(name, None), f"{source}: {name}") for name in ("runs", "passes"))
    if document:
        raise ConfigurationError(f"{source}: unknown {', '.join(document)!r}; known: runs, passes, [[grid]]")
    cells: list[Cell] = []
    for number, grid in enumerate(grids, start=1):
        cells += _grid(f"{source}, grid {number}", grid, scenarios)
        if len(cells) > MOST_CELLS:
            raise ConfigurationError(f"{source}: more than {MOST_CELLS} cells")
    return make_sweep(cells, runs, passes)


def _count(value: object, where: str) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigurationError(f"{where} must be a whole number of at least 1, got {value!r}")
    return value


def _grid(where: str, grid: dict[str, object], scenarios: Mapping[str, Scenario]) -> tuple[Cell, ...]:
    named, phase = grid.pop("scenario", None), grid.pop("phase", "")
    given = named if isinstance(named, list) else [named]
    names = [name for name in given if isinstance(name, str)]
    if not names or len(names) < len(given):
        raise ConfigurationError(f"{where}: scenario must be a name or a list of names, got {named!r}")
    if not isinstance(phase, str):
        raise ConfigurationError(f"{where}: phase must be a text, got {phase!r}")
    values: dict[str, list[float]] = {}
    for name, value in grid.items():
        parts = (
            {f"{name}.{option}": each for option, each in value.items()} if isinstance(value, dict) else {name: value}
        )
        values |= {option: _numbers(f"{where}: {option}", each) for option, each in parts.items()}
    return _cells(where, names, values, phase, scenarios)


def _numbers(where: str, value: object) -> list[float]:
    given = value if isinstance(value, list) else [value]
    found = [each for each in given if isinstance(each, int | float) and not isinstance(each, bool)]
    if not found or len(found) < len(given):
        raise ConfigurationError(f"{where} must be a number or a list of numbers, got {value!r}")
    return found


def _cells(
    where: str,
    names: Sequence[str],
    values: Mapping[str, list[float]],
    phase: str,
    scenarios: Mapping[str, Scenario],
) -> tuple[Cell, ...]:
    """Every combination for each scenario, the last option changing fastest."""
    for name in names:
        if name not in scenarios:
            raise ConfigurationError(f"{where}: unknown scenario {name!r}; choose from: {', '.join(scenarios)}")
    count = len(names) * prod(map(len, values.values()))
    if count > MOST_CELLS:
        raise ConfigurationError(f"{where}: {count} cells, more than {MOST_CELLS}: leave some values out")
    return tuple(
        make_cell(scenarios[name], dict(zip(values, numbers, strict=True)), phase)
        for name in names
        for numbers in product(*values.values())
    )
