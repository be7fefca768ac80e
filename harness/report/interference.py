"""Who slows whom, for programs and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from harness.judge.interference import OTHERS, Effect, strongest
from harness.judge.phases import PHASES, Phase
from harness.judge.statistics import Estimate
from harness.report.text import Grid, printable

_DOES = {"idle": "is idle", "loading": "loads", "queue": "waits", "prefill": "prefills", "decode": "decodes"}
_DO = {"idle": "are idle", "loading": "load", "queue": "wait", "prefill": "prefill", "decode": "decode"}
_ABSENT = "-"
_SHOWN = 24
"""Rows of a matrix that a terminal shows whole."""


def _percent(ratio: float) -> str:
    """A ratio to 1 in %, with its sign: 1.38 is ``+38``."""
    return f"{100 * (ratio - 1):+z.0f}"


def _interval(ratio: Estimate) -> str:
    """The ends in %, as ``(31..45)``; empty where one block gives none."""
    if ratio.low is None or ratio.high is None:
        return ""
    low, high = (_percent(end).removeprefix("+") for end in (ratio.low, ratio.high))
    return f"({low}..{high})"


def doing(aggressor: str, phase: Phase) -> str:
    """What an aggressor does, as ``DataCollector prefills``."""
    if aggressor == OTHERS:
        return f"{'all ' if phase == 'idle' else ''}others {_DO[phase]}"
    return f"{printable(aggressor)} {_DOES[phase]}"


def effect_sentence(effect: Effect) -> str:
    """An effect in words, as ``Insight's decode +38 % (31..45) while DataCollector prefills``."""
    interval = _interval(effect.ratio)
    change = f"{_percent(effect.ratio.point)} % {interval}".rstrip()
    meanwhile = doing(effect.aggressor, effect.aggressor_phase)
    return f"{printable(effect.victim)}'s {effect.victim_phase} {change} while {meanwhile}"


def effect_cost(effect: Effect) -> str:
    """What an effect costs its victim, as ``248 ms a block, 21 % of its time``."""
    return f"{effect.excess_ms:.0f} ms a block, {100 * effect.share:.0f} % of its time"


def interference_json(effects: Sequence[Effect]) -> dict[str, object]:
    """All effects with their fields, and under ``strongest`` the one to name, with its sentence, or None."""
    named = strongest(effects)
    return {
        "effects": [asdict(effect) for effect in effects],
        "strongest": None if named is None else {**asdict(named), "sentence": effect_sentence(named)},
    }


def interference_grid(name: str, effects: Sequence[Effect]) -> Grid:
    """The matrix: a row for each victim's phase and aggressor, a column for what the aggressor did.

    Each cell is how much longer it took than alone, %, and its interval. Columns that are nowhere are left out.

    Args:
        name: The scenario.
        effects: Its effects, n >= 1.
    """
    phases = [phase for phase in PHASES if any(effect.aggressor_phase == phase for effect in effects)]
    cells = {(*_row(effect), effect.aggressor_phase): _cell(effect.ratio) for effect in effects}
    rows = [["%", "while", *phases]]
    for row in dict.fromkeys(map(_row, effects)):
        victim, kind, aggressor = row
        values = [cells.get((*row, phase), _ABSENT) for phase in phases]
        rows.append([f"{printable(victim)}'s {kind}", printable(aggressor), *values])
    title = f"{name}: who slows whom: longer than alone by so many % (95 % interval), by what the other did meanwhile"
    return Grid(title, rows, (0, 1))


def interference_lines(name: str, effects: Sequence[Effect]) -> list[str]:
    """The matrix for the terminal, and the effect to name, or that there is none; [] for no effects.

    Of a matrix with many agents only what all others together do, and the effect to name.
    """
    if not effects:
        return []
    named = strongest(effects)
    every = list(dict.fromkeys(map(_row, effects)))
    telling = [row for row in every if row[2] == OTHERS or (named and row == _row(named))] or every
    shown = every if len(every) <= _SHOWN else telling
    grid = interference_grid(name, [effect for effect in effects if _row(effect) in shown])
    more = len(every) - len(shown)
    told = [f"  ({more} rows more, agent by agent, stand in the summary for programs)"] if more else []
    return [grid.title, *grid.lines(), *told, f"  {conclusion(effects)}"]


def _row(effect: Effect) -> tuple[str, str, str]:
    return effect.victim, effect.victim_phase, effect.aggressor


def _cell(ratio: Estimate) -> str:
    return f"{_percent(ratio.point)} {_interval(ratio)}".rstrip()


def conclusion(effects: Sequence[Effect]) -> str:
    """The effect to name and what it cost, or that there is none."""
    named = strongest(effects)
    if named is None:
        return "no effect of at least 2 % is beyond doubt"
    return f"strongest: {effect_sentence(named)}: {effect_cost(named)} (n = {named.ratio.n})"
