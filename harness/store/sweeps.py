"""The sweep that ``--sweep`` asks for: the published matrix, a line of text, or a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.records.errors import ConfigurationError
from harness.scenarios import SCENARIOS, Scenario
from harness.scenarios.grids import parse_grid, parse_grid_file
from harness.scenarios.sweeps import TR110, Sweep, make_sweep, tr110


def read_sweep(texts: Sequence[str], scenarios: Mapping[str, Scenario] = SCENARIOS) -> Sweep:
    """One sweep of everything that is asked for, in that order: ``tr110``, names of ``.toml`` files, lines of text.

    Raises:
        ConfigurationError: If a file cannot be read, a text is no grid, or two parts ask for different ``runs`` or
            ``passes``.
    """
    parts = [_part(text, scenarios) for text in texts]
    whole = make_sweep(
        (cell for part in parts for cell in part.cells),
        runs=_agreed("runs", [part.runs for part in parts]),
        passes=_agreed("passes", [part.passes for part in parts]),
    )
    within = tuple(duplicate for part in parts for duplicate in part.duplicates)
    return Sweep(whole.cells, within + whole.duplicates, whole.runs, whole.passes)


def _part(text: str, scenarios: Mapping[str, Scenario]) -> Sweep:
    if text == TR110:
        return tr110(scenarios)
    if not text.endswith(".toml"):
        return make_sweep(parse_grid(text, scenarios))
    try:
        return parse_grid_file(Path(text).read_text("utf-8"), text, scenarios)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigurationError(f"--sweep {text} cannot be read: {reason}") from error


def _agreed(name: str, asked: Sequence[int | None]) -> int | None:
    found = {number for number in asked if number is not None}
    if len(found) > 1:
        numbers = " and ".join(map(str, sorted(found)))
        raise ConfigurationError(
            f"--sweep: its parts ask for different {name} ({numbers}): give one number with --{name}"
        )
    return found.pop() if found else None
