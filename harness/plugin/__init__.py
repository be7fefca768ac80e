"""The pytest door: options, marks, hooks and fixtures. It wires; the logic is in the rooms below."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import cycle
from pathlib import Path

import pytest
import pytest_asyncio

from harness.judge import ScenarioSummary, Verdict
from harness.plugin.flags import add_options
from harness.plugin.opening import open_session
from harness.plugin.options import Settings, read_settings
from harness.plugin.session import PerfSession
from harness.records.errors import HarnessError
from harness.report import breach_message, calibration_line, invalid_message, printable, printable_lines, summary_lines

_SETTINGS = pytest.StashKey[Settings]()
_SESSION = pytest.StashKey[PerfSession]()
_NOTES: pytest.StashKey[list[str]] = pytest.StashKey()
_LEFT_OUT: pytest.StashKey[list[str]] = pytest.StashKey()
_SCENARIO_FIXTURE = "scenario_name"
_NOT_DISTRIBUTED = (
    "pytest-xdist (-n) would run measurements at the same time and spoil each of them: leave -n out for perf tests"
)
_MARKS = (
    "gpu: needs a real Ollama whose model sits in GPU memory; left out unless -m names the mark",
    "ollama: needs a real Ollama; left out where there is none, an error if -m names the mark",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the group `concurrency`."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marks and checks every option before anything is started."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    try:
        config.stash[_SETTINGS] = read_settings(config.getoption)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_LEFT_OUT], config.stash[_NOTES] = [], []
    if _is_distributed(config) and any(Path(argument).name == "perf" for argument in config.args):
        raise pytest.UsageError(_NOT_DISTRIBUTED)


def _is_distributed(config: pytest.Config) -> bool:
    return bool(config.getoption("numprocesses", None)) or hasattr(config, "workerinput")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrises tests that use `scenario_name` by the chosen scenarios."""
    if _SCENARIO_FIXTURE in metafunc.fixturenames:
        names = [scenario.name for scenario in metafunc.config.stash[_SETTINGS].scenarios]
        metafunc.parametrize(_SCENARIO_FIXTURE, names)


def _measures(item: pytest.Item) -> bool:
    return _SCENARIO_FIXTURE in getattr(item, "fixturenames", ())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, with a line that says so, what cannot run or was not asked for; what was asked for must run."""
    selection = config.stash[_SETTINGS].selection
    nowhere = f"no real Ollama ({selection.reason})" if selection.kind == "embedded" else None
    for mark, reason in (("gpu", "ask for them with -m gpu"), ("ollama", nowhere)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        asked = re.search(rf"\b{mark}\b", str(config.getoption("markexpr", "")))
        if marked and asked and nowhere:
            raise pytest.UsageError(f"-m {mark}: {nowhere}: install it, or give --ollama-bin or the servers' URLs")
        if marked and reason and not asked:
            items[:] = [item for item in items if item not in marked]
            config.hook.pytest_deselected(items=marked)
            config.stash[_LEFT_OUT].append(f"{len(marked)} tests marked {mark} are left out: {reason}")


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Says which servers will be measured and why, if anything is measured at all."""
    settings = config.stash[_SETTINGS]
    lines = [*config.stash[_LEFT_OUT]]
    if any(_measures(item) for item in items):
        selection = settings.selection
        where = f" {', '.join(selection.urls)}" if selection.urls else ""
        names = ", ".join(scenario.name for scenario in settings.scenarios)
        lines.append(f"servers: {selection.kind}{where} ({selection.reason}); model {selection.model}")
        unit = "pairs of blocks (base and candidate)" if settings.base else "blocks"
        until = "" if settings.stopping.fixed else ", as many as the verdicts need"
        most = f"{'' if settings.stopping.fixed else 'at most '}{settings.stopping.runs} {unit}"
        lines.append(f"plan: {names}; {most} each after a warm-up{until}; seed {settings.seed}")
    return [printable(line) for line in lines]


def _say(config: pytest.Config) -> Callable[[str], None]:
    """Writes a line to the terminal through the output capture; quiet with -q."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(line: str) -> None:
        if reporter is None or capture is None or config.get_verbosity() < 0:
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(printable(line))

    return say


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def perf_session(request: pytest.FixtureRequest) -> AsyncIterator[PerfSession]:
    """The open session: servers ready, model loaded, journal begun. What cannot be had ends pytest with one message."""
    config = request.config
    if _is_distributed(config):
        pytest.fail(_NOT_DISTRIBUTED, pytrace=False)
    try:
        async with open_session(config.stash[_SETTINGS], config.rootpath, _say(config)) as session:
            config.stash[_SESSION] = session
            yield session
            config.stash[_NOTES] += [line] if (line := session.save_baseline()) else []
    except HarnessError as error:
        pytest.exit(printable_lines(str(error)), returncode=pytest.ExitCode.USAGE_ERROR)


@pytest_asyncio.fixture(loop_scope="session")
async def measured(request: pytest.FixtureRequest, perf_session: PerfSession, scenario_name: str) -> ScenarioSummary:
    """The scenario measured and judged. An INVALID one is an error, not a failure: the instrument was at fault."""
    profile = None
    if request.node.get_closest_marker("gpu"):
        profile = "gpu"
        base = perf_session.session.base
        infos = (*perf_session.session.servers, *(base.servers if base else ()))
        outside = [info.url for info in infos if info.size_vram == 0]
        if outside:
            pytest.exit(
                f"-m gpu: the model is not in GPU memory on {', '.join(outside)} (size_vram is 0): "
                "nothing was measured; check the GPU, its driver and num_gpu",
                returncode=pytest.ExitCode.USAGE_ERROR,
            )
    fault = None
    try:
        await perf_session.measure(scenario_name, profile)
    except HarnessError as error:
        fault = f"{scenario_name}: INVALID: {error}"
    for name, text in perf_session.server_logs():  # pytest shows these with a failure or an error only
        request.node.add_report_section("measuring", f"log of {name}", printable_lines(text))
    summary = perf_session.summaries[scenario_name]
    if summary.verdict is Verdict.INVALID:
        pytest.fail(printable_lines(fault) if fault else invalid_message(summary), pytrace=False)
    return summary


class RecordedTimer:
    """A timer that pytest-benchmark reads and that moves only by recorded durations, s."""

    __name__ = "recorded_durations"

    def __init__(self) -> None:
        """Starts at 0."""
        self._now_s = 0.0

    def __call__(self) -> float:
        """The present reading, s."""
        return self._now_s

    def advance(self, duration_s: float) -> None:
        """Moves by one recorded duration."""
        self._now_s += duration_s


@pytest.fixture
def recorded_timer(request: pytest.FixtureRequest) -> RecordedTimer:
    """Makes this test's `benchmark` read recorded durations; must come before `benchmark` among the fixtures."""
    timer = RecordedTimer()
    request.node.add_marker(pytest.mark.benchmark(timer=timer, group="concurrent run"))
    return timer


@pytest.fixture
def store_timings(recorded_timer: RecordedTimer, benchmark: Callable[..., object]) -> Callable[[ScenarioSummary], None]:
    """Hands the recorded wall times of a scenario's concurrent runs to pytest-benchmark, with its figures.

    The blocks are measured before (their number and order are not pytest-benchmark's to choose); a round is one
    recorded concurrent run.
    """

    def store(summary: ScenarioSummary) -> None:
        durations = cycle([block.concurrent_wall_s for block in summary.blocks])
        benchmark.extra_info.update(  # type: ignore[attr-defined]
            verdict=summary.verdict.value,
            **{name: estimate.point for name, estimate in summary.estimates.items()},
        )
        benchmark.pedantic(  # type: ignore[attr-defined]
            lambda: recorded_timer.advance(next(durations)), rounds=len(summary.blocks), iterations=1
        )

    return store


@pytest.fixture
def assert_verdict(request: pytest.FixtureRequest) -> Callable[[ScenarioSummary], None]:
    """Fails the test on FAIL, and on INCONCLUSIVE with `--inconclusive=fail`; the message shows every gate."""

    def check(summary: ScenarioSummary) -> None:
        strict = request.config.stash[_SETTINGS].inconclusive_fails
        if summary.verdict is Verdict.FAIL or (strict and summary.verdict is Verdict.INCONCLUSIVE):
            pytest.fail(breach_message(summary), pytrace=False)

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of the session, and where its journal is."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    terminalreporter.section("concurrency")
    if session.session.calibrations:
        terminalreporter.write_line(calibration_line(session.session.calibrations[-1]).strip())
    for line in summary_lines(list(session.summaries.values())) if session.summaries else ():
        terminalreporter.write_line(line)
    for name, blocks in session.blocks.items():
        if name not in session.summaries:
            terminalreporter.write_line(f"{name}: not finished; {len(blocks)} blocks are in the journal")
    undecided = [s.name for s in session.summaries.values() if s.verdict is Verdict.INCONCLUSIVE]
    if undecided:
        terminalreporter.write_line(
            f"INCONCLUSIVE: {', '.join(undecided)}: more blocks (--max-runs, --runs) may decide; "
            "--inconclusive=fail makes this red",
            yellow=True,
            bold=True,
        )
    for line in config.stash[_NOTES]:
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"journal: {session.journal.path}")
