"""The picture of a scene: pure, from what is known to what rich renders, for any size of terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.text import Text

from harness.records.board import ASKING, DONE, FAILED, QUEUED, WORKING, Seen
from harness.report.live.columns import Column, headings, in_columns, line
from harness.report.live.gauges import ASCII, DRAWN, VERDICT_STYLES, figure, interval, track
from harness.report.live.scene import Gauge, Load, Rest, Scene, Sitter

_WIDE, _MIDDLE = 104, 76
_BAR = 30
_TRACKS = {_WIDE: 30, _MIDDLE: 18}
_LEAST_ROWS = 4
_MINUTE, _HOUR = 60, 3600
_MIB = 2**20
_ANY = 1000
_NAME = Column("", most=40)
_COLUMNS = {
    column.name: column
    for column in (
        Column("agent", most=28),
        Column("does", least=20, most=20),
        Column("request"),
        Column("token", least=7),
        Column("tok/s", least=6),
        Column("alone", least=6),
        Column("TTFT ms"),
        Column("server", most=40),
        Column("CPU cores"),
        Column("memory", least=9),
        Column("GPU busy"),
    )
}
"""Widths do not change as figures grow, or an agent does something else."""


@dataclass(frozen=True, slots=True)
class View:
    """All that is known at an instant.

    Attributes:
        scene: What is measured.
        seen: What the board says, by seat.
        loads: What servers and GPUs use.
        now_ns: The instant, ns.
    """

    scene: Scene
    seen: Mapping[int, Seen]
    loads: Sequence[Load]
    now_ns: int


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to draw on.

    Attributes:
        columns: Cells a line.
        rows: Lines.
        ascii_only: Nothing but ASCII can be shown.
    """

    columns: int
    rows: int
    ascii_only: bool = False


def picture(view: View, room: Room) -> Group:
    """The area: what is measured and how far it has come, the agents, the servers, the gates.

    If there is not room for all of it, empty lines are left out, then the servers, then the last agents and gates.
    """
    scene = view.scene
    head = _head(view, room)
    left = max(_LEAST_ROWS, room.rows) - len(head)
    agents = 1 + len(scene.sitters) if scene.sitters else 0
    loads = 1 + len(view.loads) if view.loads else 0
    gauges = (1 if scene.note else 0) + len(scene.gauges)
    loads = 0 if agents + loads + gauges > left else loads
    blank = agents + loads + gauges + sum(bool(part) for part in (agents, loads, gauges)) <= left
    agents = min(agents, left)
    gauges = min(gauges, left - agents - loads)
    parts = (
        _agents(view, room, agents) if agents else [],
        _loads(view.loads, room) if loads else [],
        _gauges(scene, room, gauges) if gauges else [],
    )
    drawn = head + [each for part in parts if part for each in ([line()] if blank else []) + part]
    return Group(*drawn)


def clock(seconds: float) -> str:
    """A length of time as ``1:02:03`` or ``2:03``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _head(view: View, room: Room) -> list[Text]:
    scene = view.scene
    took = clock((view.now_ns - scene.began_ns) / 1e9)
    title = line((scene.title, "bold"), *([f" ({scene.step})"] if scene.step else []), *_block(scene))
    arm = line(*_arm(scene)) if scene.arm else line("...")
    if not scene.runs:
        return [title, line(took)]
    done = (0 if scene.index is None else scene.index) + max(0, scene.position - 1) / max(1, scene.arms)
    bar = _bar(done / (scene.runs + 1), min(_BAR, room.columns // 3), room)
    return [title, arm, bar + line(" ", took, *_rest(scene, view.now_ns, wide=room.columns >= _MIDDLE))]


def _bar(share: float, width: int, room: Room) -> Text:
    full, empty = "#-" if room.ascii_only else "━─"
    done = round(min(1.0, share) * width)
    return line((full * done, "green"), (empty * (width - done), "dim"))


def _block(scene: Scene) -> Iterator[str]:
    if scene.index is not None:
        most = "at most " if scene.at_most else ""
        yield f", warm-up {scene.unit}" if scene.index == 0 else f", {scene.unit} {scene.index} of {most}{scene.runs}"
        if scene.side:
            yield f", {scene.side}"


def _arm(scene: Scene) -> Iterator[str | tuple[str, str]]:
    yield f"arm {scene.position} of {scene.arms}: "
    yield scene.arm, "cyan"
    if scene.preparing:
        yield ", models are brought into place"


def _rest(scene: Scene, now_ns: int, *, wide: bool) -> Iterator[str]:
    rest = scene.rest
    if rest is None:
        return
    gone = (now_ns - rest.at_ns) / 1e9
    span = _span(rest, gone) if wide else ""
    yield f", {'at most ' if scene.at_most else ''}about {clock(rest.seconds - gone)} left{span}"


def _span(rest: Rest, gone: float) -> str:
    if rest.low is None or rest.high is None:
        return ""
    return f" ({clock(rest.low - gone)} to {clock(rest.high - gone)})"


def _agents(view: View, room: Room, rows: int) -> list[Text]:
    """One line an agent under a heading; the last line says how many have no room."""
    sitters = view.scene.sitters
    names = ["agent", "does", "token", "tok/s", "TTFT ms"]
    if room.columns >= _MIDDLE:
        names.insert(2, "request")
    if room.columns >= _WIDE:
        names[4:] = ["tok/s", "alone", "TTFT ms", "alone"]
    columns = [_COLUMNS[name] for name in names]
    shown = sitters if 1 + len(sitters) <= rows else sitters[: max(0, rows - 2)]
    lines = in_columns(columns, [headings(columns), *(_agent(each, view, names) for each in shown)], room.columns)
    return lines if len(shown) == len(sitters) else [*lines, line(f"and {len(sitters) - len(shown)} more")]


def _agent(sitter: Sitter, view: View, names: Sequence[str]) -> list[Text]:
    seen = None if sitter.seat is None else view.seen.get(sitter.seat)
    there = seen if seen is not None else Seen()
    tokens = f"{there.parts}/{sitter.tokens}" if sitter.tokens else str(there.parts)
    cells = {
        "agent": line((sitter.role, "bold" if seen else "dim")),
        "does": _does(sitter, seen, view.now_ns),
        "request": line(str(there.requests) if there.requests else "-"),
        "token": line(tokens if there.parts else "-"),
        "tok/s": line((_number(there.tok_s), "bold")),
        "TTFT ms": line((_number(there.ttft_ms), "bold")),
    }
    alone = iter((sitter.alone_tok_s, sitter.alone_ttft_ms))
    return [line((_number(next(alone)), "dim")) if name == "alone" else cells[name] for name in names]


def _does(sitter: Sitter, seen: Seen | None, now_ns: int) -> Text:
    if seen is None:
        return line(("not in this run", "dim"))
    if seen.state == ASKING and not seen.first_ns:
        return line((f"waits {max(0, now_ns - seen.sent_ns) / 1e9:.1f} s", "yellow"))
    over = ("is ended", "dim") if sitter.background else ("failed", "bold red")
    said = {
        QUEUED: ("waits for its turn", "dim"),
        WORKING: ("is between requests", ""),
        ASKING: ("keeps it busy" if sitter.background else "decodes", "green"),
        DONE: ("is done", "dim"),
        FAILED: over,
    }
    return line(said.get(seen.state, ("-", "dim")))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _loads(loads: Sequence[Load], room: Room) -> list[Text]:
    gpus = any(load.of_bytes or load.busy_pct is not None for load in loads)
    names = ["server", "CPU cores", "memory", *(["GPU busy"] if gpus else [])]
    columns = [_COLUMNS[name] for name in names]
    return in_columns(columns, [headings(columns), *(_load(load)[: len(names)] for load in loads)], room.columns)


def _load(load: Load) -> list[Text]:
    cores = "-" if load.cpu_cores is None else f"{load.cpu_cores:.2f}"
    busy = "-" if load.busy_pct is None else f"{load.busy_pct:.0f} %"
    return [line(load.name), line(cores), line(_memory(load)), line(busy)]


def _memory(load: Load) -> str:
    if load.memory_bytes is None:
        return "-"
    most = f" of {load.of_bytes / _MIB:.0f}" if load.of_bytes else ""
    return f"{load.memory_bytes / _MIB:.0f}{most} MiB"


def _gauges(scene: Scene, room: Room, rows: int) -> list[Text]:
    said = [line((scene.note, "dim"))] if scene.note else []
    gauges = scene.gauges[: rows - len(said)]
    if not gauges:
        return said
    cells = next((cells for least, cells in _TRACKS.items() if room.columns >= least), 0)
    columns = [_NAME, Column(), *([Column()] if room.columns >= _WIDE else []), *([Column()] if cells else [])]
    columns += [Column(most=_ANY), Column(most=_ANY)]
    return said + in_columns(columns, [_gauge(gauge, room, cells) for gauge in gauges], room.columns)


def _gauge(gauge: Gauge, room: Room, cells: int) -> list[Text]:
    at_least, at_most = (">=", "<=") if room.ascii_only else "≥≤"
    return [
        line(gauge.name),
        line((figure(gauge, gauge.point), "bold")),
        *([line((interval(gauge), "dim"))] if room.columns >= _WIDE else []),
        *([track(gauge, cells, ASCII if room.ascii_only else DRAWN)] if cells else []),
        line(f"{at_least if gauge.at_least else at_most} {figure(gauge, gauge.limit)}"),
        line((gauge.verdict, VERDICT_STYLES.get(gauge.verdict, ""))),
    ]
