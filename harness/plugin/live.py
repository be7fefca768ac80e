"""The live terminal of a session: when there is one, and what it is told of what is measured."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import pytest

from harness.judge import ScenarioSummary
from harness.measure import AgentPlan, ArmPlan, Board, ScenarioPlan, Seat, monotonic_ns
from harness.plugin.options import Settings
from harness.plugin.outlook import Outlook
from harness.records import Block
from harness.report.live.display import Display
from harness.report.live.gates import gauges_of, standing
from harness.report.live.scene import Rest, Scene, Sitter, Watched
from harness.scenarios import Stopping
from harness.scenarios.studies import arm_title
from harness.servers.occupancy import LocalServer

SEATS = 256
_DUMB = {"", "dumb", "unknown"}


class PytestDisplay(Display):
    """A display on pytest's own terminal: it begins on a line of its own, whatever pytest has written of a test."""

    def __init__(self, config: pytest.Config, terminal: int, *, plain: bool) -> None:
        """Starts the drawing process."""
        self._config = config
        super().__init__(terminal, SEATS, plain=plain)

    def show(self, scene: Scene) -> None:
        """Shows a scene."""
        if self.lives and not self.shown:
            reporter = self._config.pluginmanager.get_plugin("terminalreporter")
            capture = self._config.pluginmanager.get_plugin("capturemanager")
            if reporter is not None and capture is not None:
                with capture.global_and_fixture_disabled():
                    reporter.ensure_newline()
                    reporter.flush()
        super().show(scene)


def open_display(config: pytest.Config, environment: Mapping[str, str] = os.environ) -> Display | None:
    """A display on pytest's own terminal; None where nobody looks, or where it cannot be drawn.

    That is with -q, in CI (whose logs keep every frame), where pytest's output is no terminal or a dumb one, and where
    pytest writes log records to the terminal while a test runs.
    """
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None or config.get_verbosity() < 0 or sys.platform == "win32":
        return None
    if environment.get("CI") or environment.get("TERM", "") in _DUMB:
        return None
    if config.getini("log_cli") or config.getoption("log_cli_level", None):
        return None
    with capture.global_and_fixture_disabled():
        terminal = sys.__stdout__.fileno() if sys.__stdout__ is not None else -1
        if not reporter.isatty or not os.isatty(terminal):
            return None
        try:
            return PytestDisplay(config, terminal, plain=not reporter.hasmarkup)
        except OSError:  # no process can be started: then nothing is drawn
            return None


class LiveView:
    """Tells a display what is measured; without one it does nothing. It is the coordinator's onlooker.

    Attributes:
        servers: Servers on this host whose load is shown; () shows none, nor the GPUs'.
    """

    def __init__(self, display: Display | None = None, settings: Settings | None = None) -> None:
        """Shows nothing yet."""
        self._display = display
        self._scene: Scene | None = None
        self._plan: ScenarioPlan | None = None
        self._alone: dict[str, tuple[float | None, float | None]] = {}
        self.servers: tuple[LocalServer, ...] = ()
        self._outlook = Outlook(settings) if settings is not None else None

    @property
    def board(self) -> Board | None:
        """Where progress is noted; None if nobody looks."""
        return self._display.board if self._display is not None and self._display.lives else None

    @property
    def shown(self) -> bool:
        """True if something is shown now."""
        return self._display is not None and self._display.shown

    @contextmanager
    def showing(self, title: str, sitters: tuple[Sitter, ...] = ()) -> Iterator[None]:
        """Shows a step; afterwards the terminal is as it was before, and pytest's."""
        if self._display is None:
            yield
            return
        self._alone = {}
        servers = tuple(Watched(server.url, server.pid) for server in self.servers)
        self._show(Scene(title, monotonic_ns(), sitters=sitters, servers=servers, gpus=bool(servers)))
        try:
            yield
        finally:
            self._scene = None
            self._hide()

    def showing_streams(self, streams: int) -> AbstractContextManager[None]:
        """Shows the calibration's streams."""
        return self.showing("calibration", tuple(Sitter(f"stream {i + 1}", "", i) for i in range(min(streams, SEATS))))

    def block(self, plan: ScenarioPlan, index: int) -> None:
        """A block is about to be measured."""
        self._plan = plan
        if self._outlook is not None:
            self._change(**self._outlook.of(plan, index))

    def preparing(self, arm: ArmPlan) -> None:
        """An arm is the next one."""
        if self._plan is not None and self._scene is not None:
            index = self._scene.index or 0
            position = self._plan.order(index).index(arm.name) + 1
            self._change(arm=arm_title(arm.name), position=position, preparing=True, sitters=self._sitters(arm, ()))

    def arm(self, arm: ArmPlan) -> Sequence[Seat]:
        """An arm is about to start."""
        board = self.board
        if board is None or self._scene is None:
            return ()
        if not arm.drawn:
            self._hide()
            return ()
        seats = board.seats(len(arm.agents) + len(arm.background))
        self._change(arm=arm_title(arm.name), preparing=False, sitters=self._sitters(arm, seats))
        return seats

    def judged(self, summary: ScenarioSummary, stopping: Stopping) -> None:
        """The scenario was judged as far as it has come."""
        self._alone = {agent.role: (agent.solo.tok_s, agent.solo.ttft_ms) for agent in summary.agents}
        self._change(gauges=gauges_of(summary, stopping), note=standing(summary, stopping))

    def kept(self, block: Block) -> None:
        """A block has ended."""
        if self._outlook is not None and self._scene is not None:
            left = self._outlook.after(block)
            rest = None if left is None else Rest(left.seconds, left.low, left.high, monotonic_ns())
            self._change(rest=rest)

    def _sitters(self, arm: ArmPlan, seats: Sequence[Seat]) -> tuple[Sitter, ...]:
        """All agents of the block, so that lines stay where they are from arm to arm; and the arm's background."""
        places = {agent.role: seat for seat, agent in enumerate(arm.agents) if seat < len(seats)}
        here = {agent.role: agent for agent in arm.agents}
        every = {agent.role: agent for agent in (*(self._plan.agents if self._plan else ()), *arm.agents)}
        behind = tuple(
            self._sitter(agent, len(arm.agents) + at if len(arm.agents) + at < len(seats) else None, background=True)
            for at, agent in enumerate(arm.background)
        )
        return (*(self._sitter(here.get(role, agent), places.get(role)) for role, agent in every.items()), *behind)

    def _sitter(self, agent: AgentPlan, seat: int | None, *, background: bool = False) -> Sitter:
        tok_s, ttft_ms = (None, None) if background else self._alone.get(agent.role, (None, None))
        tokens = int(agent.options.get("num_predict", 0))
        return Sitter(agent.role, agent.url, seat, max(0, tokens), background, tok_s, ttft_ms)

    def _hide(self) -> None:
        if self._display is not None:
            self._display.hide()

    def _change(self, **changes: object) -> None:
        if self._scene is not None:
            self._show(replace(self._scene, **changes))  # type: ignore[arg-type]

    def _show(self, scene: Scene) -> None:
        self._scene = scene
        if self._display is not None:
            self._display.show(scene)
