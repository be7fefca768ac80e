"""The picture of a scene: pure, from what is known to what rich renders, for any size of terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from harness.records.board import ASKING, DONE, FAILED, QUEUED, WORKING, Seen
from harness.report.live.gauges import ASCII, DRAWN, VERDICT_STYLES, figure, interval, track
from harness.report.live.scene import Gauge, Load, Rest, Scene, Sitter
from harness.report.text import printable

_WIDE, _MIDDLE = 104, 76
_BAR = 30
_TRACKS = {_WIDE: 30, _MIDDLE: 18}
_LEAST_ROWS = 4
_MINUTE, _HOUR = 60, 3600
_MIB = 2**20
_GAP = (0, 2, 0, 0)
_TEXTS = {"agent": 28, "server": 40, "does": 20}
_FIGURES = {"token": 7, "tok/s": 6, "alone": 6, "CPU cores": 9, "memory": 9}
"""Widths of columns, cells: what is text gives way first, and figures do not move as they grow."""


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
    parts = [1 + len(scene.sitters), 1 + len(view.loads), (1 if scene.note else 0) + len(scene.gauges)]
    if not view.loads or sum(parts) > left:
        parts[1] = 0
    if not scene.sitters:
        parts[0] = 0
    blank = sum(parts) + sum(bool(part) for part in parts) <= left
    agents = min(parts[0], left)
    gauges = min(parts[2], max(0, left - agents - parts[1]))
    drawn: list[RenderableType] = [*head]
    if agents:
        drawn += [*([Text("")] if blank else []), _agents(view, room, agents)]
    if parts[1]:
        drawn += [*([Text("")] if blank else []), _loads(tuple(view.loads))]
    if gauges:
        drawn += [*([Text("")] if blank else []), _gauges(scene.note, scene.gauges, room, gauges)]
    return Group(*drawn)


class _Kept:
    """Something that many frames show, rendered once; a table takes more time than all else of a frame."""

    def __init__(self, shown: RenderableType) -> None:
        self._shown = shown
        self._rendered: dict[int, list[Segment]] = {}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        if options.max_width not in self._rendered:
            self._rendered = {options.max_width: list(console.render(self._shown, options))}
        yield from self._rendered[options.max_width]


def line(*pieces: str | tuple[str, str]) -> Text:
    """Text on one line, cut off where it does not fit; pieces are plain, or come with a style."""
    return Text.assemble(
        *(printable(each) if isinstance(each, str) else (printable(each[0]), each[1]) for each in pieces),
        no_wrap=True,
        overflow="ellipsis",
    )


def clock(seconds: float) -> str:
    """A length of time as ``1:02:03`` or ``2:03``."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _head(view: View, room: Room) -> list[RenderableType]:
    scene = view.scene
    took = clock((view.now_ns - scene.began_ns) / 1e9)
    title = line((scene.title, "bold"), *([f" ({scene.step})"] if scene.step else []), *_block(scene))
    arm = line(*_arm(scene)) if scene.arm else line("...")
    if not scene.runs:
        return [title, line(took)]
    done = (0 if scene.index is None else scene.index) + max(0, scene.position - 1) / max(1, scene.arms)
    bar = ProgressBar(scene.runs + 1, min(done, scene.runs + 1), width=min(_BAR, room.columns // 3))
    grid = Table.grid(padding=(0, 1))
    grid.add_row(bar, line(took, *_rest(scene, view.now_ns, wide=room.columns >= _MIDDLE)))
    return [title, arm, grid]


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


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=_GAP, pad_edge=False, header_style="dim", show_edge=False)
    for name in columns:
        if name in _TEXTS:
            table.add_column(Text(name), max_width=_TEXTS[name], no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(Text(name), justify="right", min_width=_FIGURES.get(name, len(name)), no_wrap=True)
    return table


def _agents(view: View, room: Room, rows: int) -> Table:
    """One line an agent under a heading; the last line says how many have no room."""
    sitters = view.scene.sitters
    columns = ["agent", "does", "token", "tok/s", "TTFT ms"]
    if room.columns >= _MIDDLE:
        columns.insert(2, "request")
    if room.columns >= _WIDE:
        columns[4:] = ["tok/s", "alone", "TTFT ms", "alone"]
    table = _table(*columns)
    shown = sitters if 1 + len(sitters) <= rows else sitters[: max(0, rows - 2)]
    for sitter in shown:
        table.add_row(*_agent(sitter, view, columns))
    if len(shown) < len(sitters):
        table.add_row(line(f"and {len(sitters) - len(shown)} more"))
    return table


def _agent(sitter: Sitter, view: View, columns: Sequence[str]) -> Iterator[Text]:
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
    for column in columns:
        yield line((_number(next(alone)), "dim")) if column == "alone" else cells[column]


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


@lru_cache(maxsize=2)
def _loads(loads: tuple[Load, ...]) -> _Kept:
    gpus = any(load.of_bytes or load.busy_pct is not None for load in loads)
    table = _table("server", "CPU cores", "memory", *(["GPU busy"] if gpus else []))
    for load in loads:
        cores = "-" if load.cpu_cores is None else f"{load.cpu_cores:.2f}"
        busy = "-" if load.busy_pct is None else f"{load.busy_pct:.0f} %"
        table.add_row(line(load.name), line(cores), line(_memory(load)), *([line(busy)] if gpus else []))
    return _Kept(table)


def _memory(load: Load) -> str:
    if load.memory_bytes is None:
        return "-"
    most = f" of {load.of_bytes / _MIB:.0f}" if load.of_bytes else ""
    return f"{load.memory_bytes / _MIB:.0f}{most} MiB"


@lru_cache(maxsize=2)
def _gauges(note: str, every: tuple[Gauge, ...], room: Room, rows: int) -> _Kept:
    said = [line((note, "dim"))] if note else []
    gauges = every[: rows - len(said)]
    if not gauges:
        return _Kept(Group(*said))
    width = next((cells for least, cells in _TRACKS.items() if room.columns >= least), 0)
    table = Table.grid(padding=_GAP, pad_edge=False)
    for name in ("name", "figure", "interval", "track", "limit", "verdict"):
        if name == "track":
            if width:
                table.add_column(width=width, no_wrap=True)
        elif name != "interval" or room.columns >= _WIDE:
            flush = "right" if name in {"figure", "interval"} else "left"
            table.add_column(justify=flush, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    for gauge in gauges:
        table.add_row(*_gauge(gauge, room, width))
    return _Kept(Group(*said, table))


def _gauge(gauge: Gauge, room: Room, width: int) -> Iterator[Text]:
    yield line(gauge.name)
    yield line((figure(gauge, gauge.point), "bold"))
    if room.columns >= _WIDE:
        yield line((interval(gauge), "dim"))
    if width:
        yield track(gauge, width, ASCII if room.ascii_only else DRAWN)
    side = (">=" if gauge.at_least else "<=") if room.ascii_only else ("≥" if gauge.at_least else "≤")
    yield line(f"{side} {figure(gauge, gauge.limit)}")
    yield line((gauge.verdict, VERDICT_STYLES.get(gauge.verdict, "")))
