"""Scenes for these tests, and how they look."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from harness.records.board import ASKING, DONE, QUEUED, Seen
from harness.report.live.area import Area
from harness.report.live.picture import Room, View, picture
from harness.report.live.scene import Gauge, Load, Rest, Scene, Sitter

S = 10**9
GAUGES = (
    Gauge("measured efficiency", "%", 78.1, 70.2, 86.0, 80.0, at_least=True, verdict="INCONCLUSIVE"),
    Gauge("measured speedup", "x", 1.9, 1.8, 2.0, 1.0, at_least=True, verdict="PASS"),
    Gauge("contention rate", "%", 50.0, 20.0, 70.0, 33.0, at_least=False, verdict="FAIL"),
)
SITTERS = (Sitter("DataCollector", "u", 0, 24, alone_tok_s=99.2, alone_ttft_ms=12.0), Sitter("Insight", "u", 1, 24))
SCENE = Scene(
    "chimera_homo",
    0,
    step="2 of 3",
    index=3,
    runs=30,
    at_most=True,
    arm="all agents at once",
    position=2,
    arms=3,
    sitters=SITTERS,
    gauges=GAUGES,
    judged=2,
    note="95 % intervals after 2 blocks",
    rest=Rest(250.0, 200.0, 333.0, 0),
)
SEEN = {0: Seen(ASKING, 2, S, S + 12_400_000, 2 * S + 12_400_000, 17), 1: Seen(ASKING, 1, S)}
LOADS = (Load("http://127.0.0.1:11434", 0.98, 281 * 2**20), Load("a GPU", None, 2**30, 80 * 2**30, 93.0))
VIEW = View(SCENE, SEEN, LOADS, 4 * S)


def many(agents: int) -> View:
    """A view of so many agents."""
    sitters = tuple(Sitter(f"agent-{i}", "u", i) for i in range(agents))
    states = (QUEUED, ASKING, DONE)
    return replace(VIEW, scene=replace(SCENE, sitters=sitters), seen={i: Seen(states[i % 3]) for i in range(agents)})


def drawn(view: View, columns: int = 120, rows: int = 40, *, ascii_only: bool = False) -> list[str]:
    """The lines of its picture on a terminal of a size, in no colour."""
    console = Console(force_terminal=True, color_system=None, markup=False, emoji=False, highlight=False)
    area = Area(console)
    room = Room(columns - 1, rows - 1, ascii_only)
    return area.draw(picture(view, room), columns, rows).split("\n")[:-1]
