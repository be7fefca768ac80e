"""What users bring in their conftest.py or in an installed plugin: known to the options, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

USAGE_ERROR, NO_TESTS = 4, 5
HEAD = """
from harness.scenarios import AgentSpec, Scenario
from harness.servers.kinds import ServerKind
async def write(ask): await ask("write", "Write.")
def plain(ask): pass
A, B = AgentSpec("A", write), AgentSpec("B", write)
"""
MINE = HEAD + "def pytest_concurrency_scenarios(): return [Scenario('mine', 'two writers', (A, B))]\n"


def _error(result: pytest.RunResult) -> str:
    """The only error line of a session that was misused."""
    assert result.ret == USAGE_ERROR
    lines = [line for line in result.outlines + result.errlines if line.startswith("ERROR: ")]
    assert len(lines) == 1
    assert not any("Traceback" in line for line in result.outlines + result.errlines)
    return lines[0].removeprefix("ERROR: ")


def _plan(pytester: pytest.Pytester, *arguments: str) -> list[str]:
    """What the session would measure, and the tests; nothing is started."""
    result = pytester.runpytest("--collect-only", "-q", "--server", "embedded", *arguments)
    assert result.ret in (0, NO_TESTS), result.stderr.str()
    return result.outlines


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (
            "def pytest_concurrency_scenarios(): return ['mine']",
            "conftest.py: pytest_concurrency_scenarios must return",
        ),
        ("def pytest_concurrency_scenarios(): return [A]", "must return Scenarios, [Scenario(...)], not a AgentSpec"),
        (
            "def pytest_concurrency_scenarios(): return [Scenario('mine', 'x', (A,))]",
            "conftest.py: scenario 'mine' has 1 agent: what agents cost each other takes two",
        ),
        (
            "def pytest_concurrency_scenarios(config): yield Scenario('mine', 'x', (A, AgentSpec('B', plain)))",
            "conftest.py: scenario 'mine': B's workflow must be a coroutine function, `async def b(ask)`, not the",
        ),
        (
            "def pytest_concurrency_scenarios(): return [Scenario('mine', 'x', (A, A))]",
            "conftest.py: scenario 'mine': two agents have the role 'A'",
        ),
        (
            "def pytest_concurrency_scenarios(): raise OSError('no such\\nfile')",
            "conftest.py: pytest_concurrency_scenarios raised OSError: no such",
        ),
        (
            "def pytest_concurrency_scenarios():\n    yield 1 / 0",
            "conftest.py: pytest_concurrency_scenarios raised ZeroDivisionError",
        ),
        ("def pytest_concurrency_servers(): return {'a': 1}", "conftest.py: pytest_concurrency_servers must return"),
        (
            "def pytest_concurrency_servers(): return [ServerKind('ollama', lambda launch: [])]",
            "conftest.py: server kind 'ollama' is there already: give it another name",
        ),
    ],
)
def test_a_hook_that_gives_something_else_is_one_line_that_names_its_conftest(
    foreign: pytest.Pytester, code: str, line: str
) -> None:
    """Before anything is started, also where no test would use it."""
    foreign.makeconftest(HEAD + code)
    assert line in _error(foreign.runpytest())


def test_two_plugins_with_one_name_are_both_named(foreign: pytest.Pytester) -> None:
    """Whose scenario it is that is there already."""
    foreign.makeconftest(MINE)
    foreign.makepyfile(theirs=MINE)
    foreign.syspathinsert()
    line = _error(foreign.runpytest("-p", "theirs"))
    assert line == "conftest.py: scenario 'mine' is there already, from plugin theirs: give it another name"


def test_what_is_brought_is_known_to_every_option_that_names_it(foreign: pytest.Pytester) -> None:
    """It is measured unless something else is asked for; sweeps, limits and studies know it, and so do errors."""
    foreign.makeconftest(MINE)
    assert any(line.startswith("plan: mine; ") for line in _plan(foreign))
    assert "test_foreign.py::test_scenario[mine]" in _plan(foreign)
    asked = _plan(foreign, "--scenario", "mine", "--scenario", "patterns:mine", "--threshold", "mine.guide_speedup=1")
    assert "test_foreign.py::test_study[patterns:mine]" in asked
    cells = _plan(foreign, "--sweep", "mine:A.num_ctx=512,1024")
    assert "test_foreign.py::test_scenario[mine@A.num_ctx=512]" in cells
    assert "test_foreign.py::test_scenario[chimera_homo]" in _plan(foreign, "--scenario", "chimera_homo")
    unknown = _error(foreign.runpytest("--scenario", "mime"))
    assert "choose from: baseline_vs_chimera, chimera_hetero, chimera_homo, mine, patterns" in unknown
    assert "roles: DataCollector, Insight, A, B" in _error(foreign.runpytest("--prompt-words", "C=5"))


def test_a_repositorys_settings_choose_among_what_it_brings(foreign: pytest.Pytester) -> None:
    """By `addopts`, and by a file of settings that it names."""
    foreign.makeconftest(MINE)
    foreign.path.joinpath("perf.toml").write_text('scenario = ["chimera_homo", "mine"]\n', "utf-8")
    with foreign.path.joinpath("tox.ini").open("a", encoding="utf-8") as ini:
        ini.write("\naddopts = --settings perf.toml\n")
    lines = _plan(foreign)
    assert [line for line in lines if "test_scenario[" in line] == [
        "test_foreign.py::test_scenario[chimera_homo]",
        "test_foreign.py::test_scenario[mine]",
    ]


def test_an_installed_plugin_brings_scenarios_by_its_entry_point(foreign: pytest.Pytester, tmp_path: Path) -> None:
    """A package of scenarios and servers is any plugin of pytest."""
    installed = tmp_path / "installed"
    info = installed / "theirs-1.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n", "utf-8")
    info.joinpath("entry_points.txt").write_text("[pytest11]\ntheirs = theirs\n", "utf-8")
    servers = "def pytest_concurrency_servers(): return ServerKind('own', lambda launch: ['own'], model='m')\n"
    installed.joinpath("theirs.py").write_text(MINE + servers, "utf-8")
    foreign.syspathinsert(installed)
    result = foreign.runpytest("--collect-only", "-q", "--server", "own", "--base-server", "own")
    result.stdout.fnmatch_lines(["servers: own (--server own); model m", "test_foreign.py::test_scenario[[]mine]"])


def test_a_conftest_that_is_found_while_tests_are_collected_comes_too_late(foreign: pytest.Pytester) -> None:
    """Its folder has to be named, on the command line or in the settings; the line says so."""
    foreign.mkdir("perf").joinpath("conftest.py").write_text(MINE, "utf-8")
    foreign.path.joinpath("perf", "test_mine.py").write_text("def test_mine(measured): pass\n", "utf-8")
    line = _error(foreign.runpytest("--collect-only"))
    assert line.startswith("perf/conftest.py: pytest_concurrency_scenarios was found only after the options were read")
    assert "(pytest perf)" in line
    assert foreign.runpytest("--collect-only", "-k", "nothing_that_measures").ret == NO_TESTS
    assert "perf/test_mine.py::test_mine[mine]" in _plan(foreign, "perf")


FIXED = """
import pytest

@pytest.mark.parametrize("scenario_name", ["mine"])
def test_mine(measured): pass

@pytest.mark.parametrize(("n", "study_name"), [(1, "controls:mine")])
def test_controls(studied, n): pass
"""


def test_a_test_can_name_what_it_measures(foreign: pytest.Pytester) -> None:
    """It is measured beside what others measure; alone if there are no others, or they are left out."""
    foreign.makeconftest(
        HEAD
        + "def pytest_concurrency_scenarios(): return [Scenario(n, 'two writers', (A, B)) for n in ('other', 'mine')]\n"
    )
    foreign.makepyfile(test_fixed=FIXED)
    whole = _plan(foreign)
    assert any(line.startswith("plan: other, mine; ") for line in whole)
    assert any(line.startswith("studies: controls:mine; ") for line in whole)
    alone = _plan(foreign, "test_fixed.py")
    assert any(line.startswith("plan: mine; ") for line in alone)
    assert not any(line.startswith("studies") for line in _plan(foreign, "-k", "test_mine"))


def test_a_test_that_names_what_nobody_asked_for_is_left_out(foreign: pytest.Pytester) -> None:
    """The options say what is measured; the line says that tests were left out."""
    foreign.makeconftest(MINE)
    foreign.makepyfile(test_fixed=FIXED)
    lines = _plan(foreign, "--scenario", "chimera_homo")
    assert [line for line in lines if "::" in line] == ["test_foreign.py::test_scenario[chimera_homo]"]
    assert "2 tests name scenarios of their own, and the options ask for others" in lines
    kept = _plan(foreign, "--scenario", "mine", "test_fixed.py")
    assert [line for line in kept if "::" in line] == ["test_fixed.py::test_mine[mine]"]


@pytest.mark.parametrize("fixture", ["scenario_name", "study_name"])
def test_a_test_that_names_what_is_not_known_is_an_error(foreign: pytest.Pytester, fixture: str) -> None:
    """It names the test, and all that is known."""
    foreign.makeconftest(MINE)
    user = {"scenario_name": "measured", "study_name": "studied"}[fixture]
    mark = f'import pytest\n@pytest.mark.parametrize("{fixture}", ["mime"])\n'
    foreign.makepyfile(test_fixed=f"{mark}def test_it({user}): pass\n")
    line = _error(foreign.runpytest("--server", "embedded"))
    assert line.startswith(f"test_fixed.py::test_it[mime]: {fixture} 'mime' is unknown; choose from: baseline_vs_ch")
