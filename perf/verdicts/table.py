"""The result as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from textwrap import fill

from harness.report.text import aligned
from perf.verdicts.recordings import GATES, TERMS
from perf.verdicts.rows import BOTH, Row
from perf.verdicts.scatter import Dial, Differences
from perf.verdicts.worlds import EMBEDDED, PACED

_NONE = "-"
_ROWS = ("judge", "judged", "alarms", "%", "95 %", "INCONCLUSIVE", "INVALID", "runs", "pairs", "most")
_DIALS = ("world", "change", "sessions", "run SD", "found", "rest", "session SD", "found", "wall time", "slowdown")
_DIFFERENCES = (
    *("world", "metric", "sessions", "pairs", "pair SD", "sessions' SD", "explained", "processes' SD", "p", "largest"),
)

_RULES = TERMS.change
assert _RULES is not None  # what is judged here is a change
NOTES = (
    f"ours: worse {_RULES.worse_pct:g} %, noise {_RULES.noise_pct:g} %, alpha {100 * TERMS.rates.false_fail:g} % / "
    f"{GATES} for each gate, at most {TERMS.stopping.runs} pairs. The two gates of a session are of the same runs.",
    "alarms: FAIL; without a change they are false, with one they are what was found. 95 %: exact binomial.",
    "runs: concurrent runs of base and candidate that the verdict took, mean; those of a stored base were paid for "
    "before. Each of our blocks has two solo runs besides, which slowdown needs and the wall time does not.",
    "stored base: the base of the session before, as a file from an earlier day is; base beside it: of the same "
    "session, interleaved with the candidate.",
)


def title(world: str, change_pct: int) -> str:
    """A kind of sessions in words."""
    change = f"candidate {change_pct} % worse" if change_pct else "A/A: no change"
    if world in PACED:
        dialled = PACED[world]
        noise = f"CV {100 * dialled.run_sd:g} % a run, {100 * dialled.session_sd:g} % a session"
        return f"{dialled.title} ({noise}); {change}"
    names = {BOTH: "all paced worlds", EMBEDDED: "embedded engine, new processes for every session"}
    return f"{names.get(world, world)}; {change}"


def rows_text(rows: Sequence[Row]) -> str:
    """One table for each kind of sessions."""
    lines: list[str] = []
    for (world, change_pct), group in groupby(rows, key=lambda row: (row.world, row.change_pct)):
        cells = [_ROWS, *(_cells(row) for row in group)]
        lines += [title(world, change_pct), "", *aligned(cells, (0,)), ""]
    return "\n".join([*lines, *map(_wrapped, NOTES)]) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.judge,
        str(row.judged),
        str(row.alarms),
        f"{100 * row.alarms / row.judged:.1f}",
        f"{100 * row.low:.1f} to {100 * row.high:.1f}",
        _NONE if row.pairs is None else str(row.inconclusive),
        _NONE if row.pairs is None else str(row.invalid),
        f"{row.runs:.1f}",
        _NONE if row.pairs is None else f"{row.pairs:.1f}",
        _NONE if row.most_pairs is None else str(row.most_pairs),
    )


def dials_text(dials: Sequence[Dial]) -> str:
    """What was dialled in, and what was recorded; empty if there is nothing."""
    if not dials:
        return ""
    cells = [
        (
            each.world,
            f"{each.change_pct} %",
            str(each.sessions),
            _percent(each.run_sd),
            _percent(each.found_run_sd),
            _percent(each.rest_sd),
            _percent(each.session_sd),
            _percent(each.found_session_sd),
            *(f"{value:+.2f} %" for value in each.found_pct.values()),
        )
        for each in dials
    ]
    note = (
        "SDs of logarithms; rest: what a run's wall time has besides its own dialled factor. Wall time and slowdown: "
        "the change of the candidate that was recorded."
    )
    return (
        "\n".join(["Noise and change, dialled in and found", "", *aligned([_DIALS, *cells], (0,)), _wrapped(note)])
        + "\n"
    )


def differences_text(found: Sequence[Differences]) -> str:
    """How much processes of one program differ; empty if there is nothing."""
    if not found:
        return ""
    cells = [
        (
            each.world,
            each.metric,
            str(each.sessions),
            f"{each.pairs:.1f}",
            _percent(each.pair_sd),
            _percent(each.session_sd),
            _percent(each.explained_sd),
            "none" if each.process_sd is None else _percent(each.process_sd),
            f"{each.p:.3g}",
            f"{100 * each.largest:+.2f} %",
        )
        for each in found
    ]
    note = (
        "ln candidate - ln base. explained: what the scatter from pair to pair alone makes of the sessions' SD; "
        "processes' SD: the rest; p: of no session differing from the others."
    )
    return (
        "\n".join(
            [
                "A/A from session to session: the same program",
                "",
                *aligned([_DIFFERENCES, *cells], (0, 1)),
                _wrapped(note),
            ]
        )
        + "\n"
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _wrapped(note: str) -> str:
    return fill(note, 120, subsequent_indent="  ")
