"""What servers and GPUs used, arm by arm, for programs and for the terminal; nothing where nothing was sampled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from harness.judge.resources import ArmUse, ResourceFigures
from harness.judge.statistics import Estimate
from harness.report.text import Grid, printable

_MIB = 2**20
_NOTHING = "-"


def resources_json(found: ResourceFigures | None) -> dict[str, object] | None:
    """Each arm's figures by name, and the energy of a token; a figure is null where nobody told, an estimate has its
    ``point``, its ``interval`` (null if one block gives none) and ``n``. None if nothing was sampled.
    """
    if found is None:
        return None
    return {
        "arms": {arm.arm: _arm_json(arm) for arm in found.arms},
        "alone_joules_per_token": _value_json(found.alone_joules_per_token),
        "together_joules_per_token": _value_json(found.together_joules_per_token),
        "energy_ratio": _value_json(found.energy_ratio),
    }


def _arm_json(arm: ArmUse) -> dict[str, object]:
    return {field.name: _value_json(getattr(arm, field.name)) for field in fields(arm) if field.name != "arm"}


def _value_json(value: Estimate | tuple[str, ...] | int | None) -> object:
    if isinstance(value, Estimate):
        interval = None if value.low is None or value.high is None else [value.low, value.high]
        return {"point": value.point, "interval": interval, "n": value.n}
    return list(value) if isinstance(value, tuple) else value


def _number(estimate: Estimate | None, digits: int) -> str:
    """Point and half its interval."""
    if estimate is None:
        return _NOTHING
    if estimate.low is None or estimate.high is None:
        return f"{estimate.point:.{digits}f}"
    return f"{estimate.point:.{digits}f} +-{(estimate.high - estimate.low) / 2:.{digits}f}"


def _mib(size: int | None) -> str:
    return _NOTHING if size is None else f"{size / _MIB:.0f}"


_COLUMNS: tuple[tuple[str, Callable[[ArmUse], str]], ...] = (
    ("CPU cores", lambda arm: _number(arm.cpu_cores, 2)),
    ("memory MiB", lambda arm: _mib(arm.rss_bytes)),
    ("GPU MiB", lambda arm: _mib(arm.gpu_memory_bytes)),
    ("GPU busy %", lambda arm: _number(arm.utilization_pct, 0)),
    ("clock MHz", lambda arm: _number(arm.sm_clock_mhz, 0)),
    ("power W", lambda arm: _number(arm.power_w, 0)),
    ("energy J", lambda arm: _number(arm.energy_j, 1)),
    ("J/token", lambda arm: _number(arm.joules_per_token, 3)),
)


def resource_grid(name: str, found: ResourceFigures | None) -> Grid | None:
    """A table of the arms, without the figures that nobody told; None if nothing was sampled.

    Args:
        name: The scenario.
        found: Its figures.
    """
    if found is None:
        return None
    told = [(title, cells) for title, cell in _COLUMNS if set(cells := [cell(arm) for arm in found.arms]) != {_NOTHING}]
    if not told:
        return None
    rows = [["", *(title for title, _ in told)]]
    rows += [[printable(arm.arm), *(cells[place] for _, cells in told)] for place, arm in enumerate(found.arms)]
    return Grid(f"{name}: what servers and GPUs used", rows)


def resource_notes(found: ResourceFigures) -> list[str]:
    """What held the clocks down, and the energy of a token."""
    throttled = [f"{printable(arm.arm)} ({', '.join(arm.throttle)})" for arm in found.arms if arm.throttle]
    lines = [f"GPU clocks were held down in {', '.join(throttled)}"] if throttled else []
    alone, together, ratio = found.alone_joules_per_token, found.together_joules_per_token, found.energy_ratio
    if alone is None or together is None or ratio is None:
        return lines
    interval = "" if ratio.low is None or ratio.high is None else f", {ratio.low:.2f} to {ratio.high:.2f}"
    lines.append(
        f"energy of a token: alone {alone.point:.3f} J, together {together.point:.3f} J "
        f"({ratio.point:.2f}x{interval}; whole boards, at idle too)"
    )
    return lines


def resource_lines(name: str, found: ResourceFigures | None) -> list[str]:
    """The table and the notes for the terminal; [] if nothing was sampled."""
    grid = resource_grid(name, found)
    if found is None or grid is None:
        return []
    return [grid.title, *grid.lines(), *(f"  {note}" for note in resource_notes(found))]
