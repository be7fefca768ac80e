"""The live terminal of a session: where there is one, what it is told, and a real session on a real terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.judge import ScenarioSummary
from harness.measure import ArmPlan, Board, ScenarioPlan, Stop
from harness.plugin import live as live_module
from harness.plugin.live import LiveView, open_display
from harness.records import Block
from harness.records.errors import HarnessError
from harness.report.live.display import Display
from harness.report.live.gates import gauges_of
from harness.report.live.scene import Gauge, Scene
from harness.scenarios import Stopping
from harness.servers.occupancy import LocalServer
from harness.testing import build_block
from tests.plugin.conftest import QUICK, SESSION_S, make_foreign
from tests.plugin.made_up import Opener, settings_of
from tests.report.live.terminal import Terminal, terminal

LONGER = ("--num-predict", "64")
"""Blocks of more than a frame."""
TERMINAL = {"TERM": "xterm"}


@dataclass
class Kept:
    """In place of a display: keeps what it is to show."""

    board: Board
    scenes: list[Scene] = field(default_factory=list)
    hidden: int = 0
    shown: bool = False
    lives: bool = True

    def show(self, scene: Scene) -> None:
        """Keeps it."""
        self.scenes.append(scene)
        self.shown = True

    def hide(self) -> None:
        """Counts it."""
        self.hidden += 1
        self.shown = False


@pytest.fixture
def kept() -> Iterator[Kept]:
    """A display with seats."""
    board = Board(8)
    yield Kept(board)
    board.close()


def _live(kept: Kept, **options: object) -> LiveView:
    return LiveView(cast("Display", kept), settings_of(**options))


def test_an_arm_shows_who_works_and_who_does_not(kept: Kept, opener: Opener) -> None:
    """Every agent of the block has a line, in the scenario's order; those of the arm have the first seats."""
    live = _live(kept, scenario=["chimera_homo"], runs="3")
    plan = opener(settings_of(scenario=["chimera_homo"])).perf.plans["chimera_homo"]
    live.servers = (LocalServer("http://127.0.0.1:1", 42, frozenset({0})),)
    solo = plan.arms["solo:Insight"]
    with live.showing("chimera_homo"):
        live.block(plan, 1)
        live.preparing(solo)
        assert kept.scenes[-1].preparing
        assert [sitter.seat for sitter in kept.scenes[-1].sitters] == [None, None]
        assert len(live.arm(solo)) == 1
        scene = kept.scenes[-1]
        assert (scene.arm, scene.preparing, scene.arms) == ("Insight alone", False, 3)
        assert scene.position == plan.order(1).index("solo:Insight") + 1
        assert [(sitter.role, sitter.seat) for sitter in scene.sitters] == [("DataCollector", None), ("Insight", 0)]
        assert [sitter.tokens for sitter in scene.sitters] == [24, 24]
        assert [(server.url, server.pid) for server in scene.servers] == [("http://127.0.0.1:1", 42)]
        assert scene.gpus
        behind = ArmPlan("decode:Insight", solo.agents, 1, background=(plan.agents[0],))
        assert len(live.arm(behind)) == 2
        assert [(s.role, s.seat, s.background) for s in kept.scenes[-1].sitters] == [
            ("DataCollector", None, False),
            ("Insight", 0, False),
            ("DataCollector", 1, True),
        ]
    assert kept.hidden == 1


def test_an_arm_that_is_not_to_be_drawn_is_not(kept: Kept, opener: Opener) -> None:
    """The area is gone and nothing is noted before it starts; the next one is shown again."""
    live = _live(kept, scenario=["chimera_homo"])
    plan = opener(settings_of(scenario=["chimera_homo"])).perf.plans["chimera_homo"]
    together = plan.arms["concurrent"]
    with live.showing("drawing"):
        live.block(plan, 1)
        assert live.arm(replace(together, drawn=False)) == ()
        assert not kept.shown
        live.preparing(together)
        assert len(live.arm(together)) == 2
        assert kept.shown


def test_agents_without_a_seat_are_shown_without_progress(kept: Kept, opener: Opener) -> None:
    """There are more agents than seats."""
    kept.board.close()
    kept.board = Board(1)
    live = _live(kept, scenario=["chimera_homo"])
    plan = opener(settings_of(scenario=["chimera_homo"])).perf.plans["chimera_homo"]
    with live.showing("chimera_homo"):
        assert len(live.arm(plan.arms["concurrent"])) == 1
        live.block(plan, 1)
        live.arm(plan.arms["concurrent"])
    assert [sitter.seat for sitter in kept.scenes[-1].sitters] == [0, None]


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.asyncio
async def test_what_is_judged_for_the_stopping_is_shown(
    fixed: bool, kept: Kept, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gates and time left close in block by block, each judged once; the area is gone when the scenario is over."""
    opened = opener(settings_of(scenario=["chimera_homo"], **{"runs" if fixed else "max_runs": "5"}))
    perf = opened.perf
    perf.live = _live(kept, scenario=["chimera_homo"], **{"runs" if fixed else "max_runs": "5"})
    judged: list[int] = []
    judge = gauges_of

    def counted(summary: ScenarioSummary, stopping: Stopping) -> tuple[Gauge, ...]:
        judged.append(len(summary.blocks))
        return judge(summary, stopping)

    monkeypatch.setattr(live_module, "gauges_of", counted)

    async def scenario(plan: ScenarioPlan, stop: Stop, before: Sequence[Block] = (), runs: int = 0) -> None:
        blocks = []
        for index in range(5):
            block = build_block(index=index, scenario=plan.name, warmup=index == 0)
            perf.live.block(plan, index)
            opened.driver.keep(block)
            blocks.append(block)
            assert not index or not stop(blocks) or index == 4  # four blocks decide some

    opened.driver.scenario = scenario  # type: ignore[method-assign]
    await perf.measure("chimera_homo")
    assert judged == [1, 2, 3, 4]
    assert kept.hidden == 1
    scene = kept.scenes[-1]
    assert [gauge.name for gauge in scene.gauges][-1] == "contention rate"
    assert [gauge.verdict == "" for gauge in scene.gauges] == [fixed] * len(scene.gauges)
    assert scene.rest is not None
    assert scene.rest.seconds == 1.0
    assert kept.scenes[0].gauges == ()


@pytest.mark.asyncio
async def test_the_area_goes_when_a_scenario_fails(kept: Kept, opener: Opener) -> None:
    """Whatever is raised, the terminal is pytest's again."""
    opened = opener(settings_of(scenario=["chimera_homo"]))
    opened.perf.live = _live(kept, scenario=["chimera_homo"])

    async def scenario(plan: ScenarioPlan, stop: Stop, before: Sequence[Block] = (), runs: int = 0) -> None:
        raise HarnessError("it died")

    opened.driver.scenario = scenario  # type: ignore[method-assign]
    with pytest.raises(HarnessError):
        await opened.perf.measure("chimera_homo")
    assert not kept.shown
    assert kept.hidden == 1


def test_without_a_display_nothing_is_shown_or_noted(opener: Opener) -> None:
    """The same calls do nothing, and there are no seats."""
    live, plan = LiveView(), opener(settings_of(scenario=["chimera_homo"])).perf.plans["chimera_homo"]
    with live.showing("chimera_homo"), live.showing_streams(2):
        live.block(plan, 1)
        live.preparing(plan.arms["concurrent"])
        assert live.arm(plan.arms["concurrent"]) == ()
        live.kept(build_block())
    assert live.board is None
    assert not live.shown


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _config(reporter: object, verbosity: int = 0, ini: bool = False, level: str | None = None) -> pytest.Config:
    plugins = {
        "terminalreporter": reporter,
        "capturemanager": SimpleNamespace(global_and_fixture_disabled=_nothing),
    }
    return cast(
        "pytest.Config",
        SimpleNamespace(
            pluginmanager=SimpleNamespace(get_plugin=plugins.get),
            get_verbosity=lambda: verbosity,
            getini=lambda _name: ini,
            getoption=lambda _name, _default: level,
        ),
    )


REPORTER = SimpleNamespace(isatty=True, hasmarkup=False, ensure_newline=lambda: None, flush=lambda: None)


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """This process's standard output is a terminal."""
    with terminal() as end, open(os.dup(end.end), "w") as stdout:
        monkeypatch.setattr(sys, "__stdout__", stdout)
        yield end


def test_there_is_a_display_on_a_terminal(on_terminal: Terminal) -> None:
    """A real one."""
    display = open_display(_config(REPORTER), TERMINAL)
    assert display is not None
    with display:
        display.show(Scene("shown", 0))
        on_terminal.see(lambda: "shown" in on_terminal.text)


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        (_config(REPORTER, verbosity=-1), TERMINAL),
        (_config(None), TERMINAL),
        (_config(SimpleNamespace(isatty=False)), TERMINAL),
        (_config(REPORTER, ini=True), TERMINAL),
        (_config(REPORTER, level="INFO"), TERMINAL),
        (_config(REPORTER), TERMINAL | {"CI": "true"}),
        (_config(REPORTER), {"TERM": "dumb"}),
        (_config(REPORTER), {}),
    ],
)
@pytest.mark.usefixtures("on_terminal")
def test_there_is_none_where_it_would_be_in_the_way(config: pytest.Config, environment: Mapping[str, str]) -> None:
    """Quiet, no reporter, no terminal, log records on the terminal, CI, and terminals that cannot move the cursor."""
    assert open_display(config, environment) is None


def test_there_is_none_where_standard_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever pytest's reporter thinks of it (--color=yes says nothing of that)."""
    with open(tmp_path / "out", "w") as file:
        monkeypatch.setattr(sys, "__stdout__", file)
        assert open_display(_config(REPORTER), TERMINAL) is None
    monkeypatch.setattr(sys, "__stdout__", None)
    assert open_display(_config(REPORTER), TERMINAL) is None


def test_a_session_on_a_terminal_is_live_and_ends_as_always(urls: tuple[str, ...], tmp_path: Path) -> None:
    """The area is there while it measures; afterwards there are the same lines as without, and pytest's own end."""
    make_foreign(tmp_path)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--journal", "j.jsonl", *urls, *QUICK, *LONGER]
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR", "COLUMNS"}}
    with terminal(110, 200) as end:
        with subprocess.Popen(
            command, cwd=tmp_path, env=environment | TERMINAL, stdin=end.end, stdout=end.end, stderr=end.end
        ) as session:
            end.see(lambda: session.poll() is not None, SESSION_S)
        end.drain()
        text = end.text
    assert session.returncode in {0, 1}  # whatever two light servers on a busy host come to
    for seen in (b"calibration", b"stream 2", b"of 3: ", b"DataCollector", b"CPU cores", b"% intervals after 1 block"):
        assert seen in end.raw
    assert "CPU cores  " not in text.partition("instrument: ")[2].partition("concurrency")[0]
    lines = [line.strip() for line in text.split("\n")]
    instrument = next(at for at, line in enumerate(lines) if line.startswith("instrument: "))
    assert "test_foreign.py" in lines[:instrument]  # what pytest had written of the test was not drawn over
    progress = [line for line in lines if line.startswith("chimera_homo ") and " tok/s; efficiency" in line]
    assert len(progress) == 3
    assert any(line.startswith("journal: ") for line in lines)
    assert lines[-1].startswith("====")
