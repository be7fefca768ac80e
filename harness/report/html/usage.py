"""What servers and GPUs used, block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from harness.judge import ScenarioSummary
from harness.judge.resources import joules_per_token, own_use, resource_figures, servers_gpus
from harness.records import Block, Run
from harness.records.resources import Resources
from harness.report.html.parts import Group, Plot, number, table, table_of
from harness.report.html.plotting import Panel, line, panels
from harness.report.resources import resource_grid, resource_notes

_MIB = 2**20


class _Quantity(NamedTuple):
    """Something that is used: its name, its decimals, and how much of it a run used (None where nobody told)."""

    name: str
    digits: int
    of: Callable[[Run, Resources], float | None]


def _whole(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) if told and len(told) == len(values) else None


def _mebibytes(values: Sequence[int | None]) -> float | None:
    size = _whole(values)
    return None if size is None else size / _MIB


_QUANTITIES: Final = (
    _Quantity("CPU, cores of all servers", 2, lambda _, used: _whole([each.cpu_cores for each in used.servers])),
    _Quantity("resident memory, MiB", 0, lambda _, used: _mebibytes([each.rss_bytes for each in used.servers])),
    _Quantity("GPU memory, MiB", 0, lambda _, used: _mebibytes([gpu.memory_bytes for gpu in servers_gpus(used)])),
    _Quantity("GPU power, W", 0, lambda _, used: _whole([gpu.power_w for gpu in servers_gpus(used)])),
    _Quantity("energy, J a token", 3, lambda run, _: joules_per_token([run])),
)

_Series = dict[str, dict[int, float | None]]
"""By arm, the value by block."""


def _series(blocks: Sequence[Block], quantity: _Quantity) -> _Series:
    found: _Series = {}
    for block in blocks:
        for run in block.runs:
            if run.resources is not None:
                found.setdefault(run.arm, {})[block.index] = quantity.of(run, run.resources)
    return {arm: found[arm] for arm in sorted(found) if any(value is not None for value in found[arm].values())}


def _plot(name: str, series: dict[_Quantity, _Series], indexes: Sequence[int], ident: str, words: str) -> Plot:
    arms = list(dict.fromkeys(arm for each in series.values() for arm in each))
    shown = []
    for place, (quantity, by_arm) in enumerate(series.items()):
        traces = [
            line(arm, list(values), list(values.values()), arms.index(arm))
            | {"legendgroup": str(arms.index(arm)), "showlegend": place == 0}
            for arm, values in by_arm.items()
        ]
        shown.append(Panel(quantity.name, traces, from_zero=True))
    rows = [
        (arm, quantity.name, *(number(values.get(index), quantity.digits) for index in indexes))
        for quantity, by_arm in series.items()
        for arm, values in by_arm.items()
    ]
    title = f"{name}: what was used, block by block"
    told = table(title, ("arm", "what", *(f"block {index}" for index in indexes)), rows, (0, 1))
    return Plot(ident, title, words, panels(shown, {"title": {"text": "block"}}), told)


def usage_group(name: str, blocks: Sequence[Block], ident: str) -> Group | None:
    """What a scenario's or study's valid blocks used; None if nothing was sampled."""
    figures = resource_figures(blocks)
    grid = resource_grid(name, figures)
    if figures is None or grid is None:
        return None
    own = [own_use(block) for block in blocks]
    series = {quantity: each for quantity in _QUANTITIES if (each := _series(own, quantity))}
    indexes = [block.index for block in blocks]
    plots = (_plot(name, series, indexes, ident, _words(grid.rows)),) if series else ()
    return Group(name, plots=plots, tables=(table_of(grid),), notes=tuple(resource_notes(figures)))


def _words(rows: Sequence[Sequence[str]]) -> str:
    """Each arm's means in a sentence."""
    headings, *arms = rows
    told = [
        f"{arm[0]}: {', '.join(f'{value} {heading}' for heading, value in zip(headings[1:], arm[1:], strict=True))}"
        for arm in arms
    ]
    return f"Over all blocks. {'; '.join(told)}."


def scenario_usage(scenarios: Sequence[ScenarioSummary]) -> list[Group]:
    """What each scenario used."""
    found = (usage_group(each.name, each.measured, f"usage-{place}") for place, each in enumerate(scenarios))
    return [group for group in found if group is not None]
