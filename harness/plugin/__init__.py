"""The pytest door: options, marks, hooks and fixtures. It wires; the logic is in the rooms below."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
import pytest_asyncio

from harness.judge import ScenarioSummary, Verdict
from harness.judge.study import StudySummary
from harness.plugin import hooks
from harness.plugin.choosing import (
    leave_out_unchosen,
    measures,
    named_by_tests,
    not_asked_for,
    others_measure,
    parametrise,
)
from harness.plugin.extensions import Extensions, collected, too_late
from harness.plugin.flags import add_options
from harness.plugin.layers import Layers, layered
from harness.plugin.live import open_display
from harness.plugin.opening import open_session
from harness.plugin.options import Settings, read_settings
from harness.plugin.session import PerfSession
from harness.plugin.step_summary import add_step_summary
from harness.plugin.telling import closing_lines, plan_lines, undecided_line
from harness.plugin.timings import RecordedTimer, recorded_timer, store_timings
from harness.records.errors import HarnessError
from harness.report import breach_message, invalid_message, printable, printable_lines
from harness.report.exports.properties import scenario_properties, session_properties, study_properties
from harness.report.live.display import Display
from harness.report.presets import SettingSource

_SETTINGS = pytest.StashKey[Settings]()
_SESSION = pytest.StashKey[PerfSession]()
_SOURCES: pytest.StashKey[Sequence[SettingSource]] = pytest.StashKey()
_NOTES: pytest.StashKey[list[str]] = pytest.StashKey()
_LEFT_OUT: pytest.StashKey[list[str]] = pytest.StashKey()
_LATE: pytest.StashKey[list[str]] = pytest.StashKey()
_LAYERS = pytest.StashKey[Layers]()
_EXTENSIONS = pytest.StashKey[Extensions]()
_NOT_DISTRIBUTED = (
    "pytest-xdist (-n) would run measurements at the same time and spoil each of them: leave -n out for perf tests"
)
_TWO_LOOPS = (
    "tests that measure run on different event loops, and a session is measured on one: where a conftest.py has "
    'pytest_asyncio_loop_factories, make all of them `async def` with @pytest.mark.asyncio(loop_scope="session")'
)
__all__ = ["RecordedTimer", "recorded_timer", "store_timings"]  # fixtures of another module

_MARKS = (
    "gpu: needs a real Ollama whose model sits in GPU memory; left out unless -m names the mark",
    "ollama: needs a real Ollama; left out where there is none, an error if -m names the mark",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of the group `concurrency`."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declares the hooks by which users bring scenarios and kinds of servers."""
    pluginmanager.add_hookspecs(hooks)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Notes what is brought too late to be among the options: by a conftest.py found while tests are collected."""
    config = manager.get_plugin("pytestconfig")
    if isinstance(config, pytest.Config) and _LATE in config.stash and (line := too_late(config, plugin)):
        config.stash[_LATE].append(line)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marks and checks every option before anything is started."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    try:
        layers = layered(config.getoption, os.environ)
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    try:
        config.stash[_EXTENSIONS] = collected(config)
        config.stash[_SETTINGS] = read_settings(layers, config.stash[_EXTENSIONS])
    except HarnessError as error:
        raise pytest.UsageError(layers.explained(str(error))) from None
    config.stash[_LAYERS], config.stash[_SOURCES] = layers, layers.sources()
    config.stash[_LEFT_OUT], config.stash[_NOTES], config.stash[_LATE] = [], [], []
    if _is_distributed(config) and any(Path(argument).name == "perf" for argument in config.args):
        raise pytest.UsageError(_NOT_DISTRIBUTED)


def _is_distributed(config: pytest.Config) -> bool:
    return bool(config.getoption("numprocesses", None)) or hasattr(config, "workerinput")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrises tests that use `scenario_name` or `study_name` by what was chosen."""
    parametrise(metafunc, metafunc.config.stash[_SETTINGS])


def _settle(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is measured, now that the tests are known: some name it themselves."""
    layers, extensions = config.stash[_LAYERS], config.stash[_EXTENSIONS]
    try:
        names = named_by_tests(items, extensions.catalogue)
        if not names:
            return
        if layers("--scenario") or layers("--sweep"):
            others = not_asked_for(items, config.stash[_SETTINGS])
            _deselect(config, items, others, "name scenarios of their own, and the options ask for others")
            return
        usual = extensions.catalogue.usual if others_measure(items) else ()
        config.stash[_SETTINGS] = read_settings(layers, extensions, tuple(dict.fromkeys((*usual, *names))))
    except HarnessError as error:
        raise pytest.UsageError(layers.explained(str(error))) from None


def _deselect(config: pytest.Config, items: list[pytest.Item], out: list[pytest.Item], words: str) -> None:
    if out:
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)
        config.stash[_LEFT_OUT].append(f"{len(out)} tests {words}")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, with a line that says so, what cannot run or was not asked for; what was asked for must run."""
    if config.stash[_LATE] and any(measures(item) for item in items):
        raise pytest.UsageError(config.stash[_LATE][0])
    leave_out_unchosen(items, config.stash[_SETTINGS])
    selection = config.stash[_SETTINGS].selection
    nowhere = None if selection.real else f"no real Ollama ({selection.reason})"
    for mark, reason in (("gpu", "ask for them with -m gpu"), ("ollama", nowhere)):
        marked = [item for item in items if item.get_closest_marker(mark)]
        asked = re.search(rf"\b{mark}\b", str(config.getoption("markexpr", "")))
        if marked and asked and nowhere:
            raise pytest.UsageError(f"-m {mark}: {nowhere}: install it, or give --ollama-bin or the servers' URLs")
        if marked and reason and not asked:
            _deselect(config, items, marked, f"marked {mark} are left out: {reason}")
    _settle(config, items)


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Says which servers will be measured and why, if anything is measured at all."""
    settings = config.stash[_SETTINGS]
    lines = [*config.stash[_LEFT_OUT]]
    if any(measures(item) for item in items):
        lines += plan_lines(settings, config.stash[_SOURCES])
    return [printable(line) for line in lines]


def _say(config: pytest.Config, display: Display | None) -> Callable[[str], None]:
    """Writes a line to the terminal, above what a display shows, or through the output capture; quiet with -q."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(line: str) -> None:
        if reporter is None or capture is None or config.get_verbosity() < 0:
            return
        if display is not None and display.write([printable(line)]):
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
    if _SESSION in config.stash:
        pytest.exit(_TWO_LOOPS, returncode=pytest.ExitCode.USAGE_ERROR)
    settings = config.stash[_SETTINGS]
    display = open_display(config) if settings.live else None
    try:
        with display or nullcontext():
            async with open_session(settings, config.rootpath, _say(config, display), display) as session:
                config.stash[_SESSION] = session
                if config.pluginmanager.hasplugin("junitxml"):
                    record = request.getfixturevalue("record_testsuite_property")
                    for name, value in session_properties(session.session, str(session.journal.path)):
                        record(name, value)
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
        if perf_session.settings.mitigate and perf_session.summaries[scenario_name].verdict is Verdict.FAIL:
            await perf_session.mitigate(scenario_name)
    except HarnessError as error:
        fault = f"{scenario_name}: INVALID: {error}"
    _add_logs(request, perf_session)
    summary = perf_session.summaries[scenario_name]
    # As `record_property` does it, which warns with the JUnit family that is pytest's default.
    request.node.user_properties.extend(scenario_properties(summary, str(perf_session.journal.path)))
    if summary.verdict is Verdict.INVALID:
        pytest.fail(printable_lines(fault) if fault else invalid_message(summary), pytrace=False)
    return summary


@pytest_asyncio.fixture(loop_scope="session")
async def studied(request: pytest.FixtureRequest, perf_session: PerfSession, study_name: str) -> StudySummary:
    """The study measured and judged; one whose blocks cannot be judged is an error."""
    fault = None
    try:
        await perf_session.study(study_name)
    except HarnessError as error:
        fault = f"{study_name}: INVALID: {error}"
    _add_logs(request, perf_session)
    summary = perf_session.studied[study_name]
    request.node.user_properties.extend(study_properties(summary, str(perf_session.journal.path)))
    if fault or summary.failed:
        reasons = [reason for found in summary.invalid.values() for reason in found]
        pytest.fail(printable_lines(fault or "\n".join([summary.unsaid, *reasons])), pytrace=False)
    return summary


def _add_logs(request: pytest.FixtureRequest, session: PerfSession) -> None:
    """Pytest shows these with a failure or an error only."""
    for name, text in session.server_logs():
        request.node.add_report_section("measuring", f"log of {name}", printable_lines(text))


@pytest.fixture
def assert_verdict(request: pytest.FixtureRequest) -> Callable[[ScenarioSummary], None]:
    """Fails the test on FAIL, and on INCONCLUSIVE with `--inconclusive=fail`; the message shows every gate."""

    def check(summary: ScenarioSummary) -> None:
        strict = request.config.stash[_SETTINGS].inconclusive_fails
        if summary.verdict is Verdict.FAIL or (strict and summary.verdict is Verdict.INCONCLUSIVE):
            pytest.fail(breach_message(summary), pytrace=False)

    return check


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the files for the end, also of a session that was ended; one that cannot be written is an error."""
    perf = session.config.stash.get(_SESSION, None)
    if perf is None:
        return
    try:
        perf.write_outputs(whole=True)
    except HarnessError as error:
        session.config.stash[_NOTES].append(printable(str(error)))
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    if warning := add_step_summary(perf.judged(), os.environ):
        session.config.stash[_NOTES].append(printable(warning))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of the session, and where its journal is."""
    session = config.stash.get(_SESSION, None)
    if session is None:
        return
    terminalreporter.section("concurrency")
    for line in closing_lines(session):
        terminalreporter.write_line(line)
    if undecided := undecided_line(session):
        terminalreporter.write_line(undecided, yellow=True, bold=True)
    for line in config.stash[_NOTES]:
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"journal: {session.journal.path}")
