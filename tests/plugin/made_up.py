"""An open session without servers: blocks are made up in place of measured ones, everything else is the real thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from harness.measure import AgentPlan, Coordinator, ScenarioPlan, Stop
from harness.measure.host import Surroundings
from harness.plugin.driving import Driver
from harness.plugin.options import Settings, read_settings
from harness.plugin.planning import Planner, options_of
from harness.plugin.session import PerfSession
from harness.plugin.sweeping import SweepProgress
from harness.records import Block
from harness.store import Journal
from harness.testing import build_block, build_session


def settings_of(**given: object) -> Settings:
    """Settings of a session on started embedded servers, from options by their names with underscores."""
    values = {"--server": "embedded", "--seed": "7"} | {
        "--" + name.replace("_", "-"): value for name, value in given.items()
    }
    return read_settings(values.get)


@dataclass
class MadeUp:
    """In place of a driver: all blocks are alike but for those of scenarios that fail.

    Attributes:
        keep: Gets every block.
        failing: Scenarios whose blocks all fail, by name.
        calls: Scenario, blocks asked for, and blocks that were there, of each call.
    """

    keep: Callable[[Block], None]
    failing: set[str] = field(default_factory=set)
    calls: list[tuple[str, int, int]] = field(default_factory=list)

    async def scenario(self, plan: ScenarioPlan, stop: Stop, before: Sequence[Block] = (), runs: int = 0) -> None:
        """A warm-up block and as many as were asked for; nothing after a failure."""
        self.calls.append((plan.name, runs, len(before)))
        done = max((block.index for block in before), default=0)
        error = "it died" if plan.name in self.failing else None
        for index in (0, *range(done + 1, done + runs + 1)):
            self.keep(build_block(index=index, scenario=plan.name, warmup=index == 0, error=error))
            if error:
                return


async def _nothing_seen(_agents: Sequence[AgentPlan]) -> Surroundings:
    return Surroundings()


@dataclass
class Opened:
    """An open session, what stands in for its driver, and what it said."""

    perf: PerfSession
    driver: MadeUp
    said: list[str]


@dataclass(frozen=True)
class Opener:
    """Opens made-up sessions, one in a folder; ``stack`` closes their journals."""

    folder: Path
    stack: ExitStack

    def __call__(self, settings: Settings, blocks: Sequence[Block] = ()) -> Opened:
        """A session of these settings that goes on with some blocks; its journal is ``j.jsonl``."""
        opened = _open(settings, self.folder, blocks)
        self.stack.callback(opened.perf.journal.close)
        return opened


def _open(settings: Settings, folder: Path, blocks: Sequence[Block]) -> Opened:
    planner = Planner(settings, build_session(), (1, 1), None)
    plans = {scenario.name: planner.scenario(scenario) for scenario in settings.scenarios}
    session = replace(build_session(), options=options_of(plans), calibrations=())
    said: list[str] = []
    perf = PerfSession(
        settings=settings,
        servers=(),
        session=session,
        planner=planner,
        plans=plans,
        base_plans={},
        studies={study.name: planner.study(study) for study in settings.studies},
        coordinator=Coordinator({}, {}, lambda: ""),
        journal=Journal(folder / "j.jsonl", session),
        look=_nothing_seen,
        baselines={},
        say=said.append,
    )
    for block in blocks:
        perf.blocks.setdefault(block.scenario, []).append(block)
    if settings.sweep is not None:
        perf.sweep = SweepProgress(settings.sweep, settings.instrument, list(blocks))
    driver = MadeUp(perf._keep)
    perf._driver = cast("Driver", driver)
    return Opened(perf, driver, said)
