"""The wheel in a fresh environment, where somebody else's project uses it. Needs PyPI: ``pytest tests -m wheel``."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.foreign_project import QUICK, copy_foreign, run_there

pytestmark = pytest.mark.wheel
ROOT = Path(__file__).parents[1]
PASSED, FAILED, MISUSED = 0, 1, 4
INSTALL_S = 600.0
FILES = ("--junitxml", "junit.xml", "--summary-json", "s.json")


@dataclass(frozen=True)
class Installed:
    """A wheel of this checkout, and the Python of a fresh environment that it is installed in."""

    wheel: Path
    python: Path


def _done(*command: str | Path) -> None:
    constraints = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, env=os.environ | constraints, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """One environment for the module."""
    folder = tmp_path_factory.mktemp("wheel")
    _done(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    _done(sys.executable, "-m", "venv", folder / "fresh")
    python = folder / "fresh" / "bin" / "python"
    _done(python, "-m", "pip", "install", "-q", "--no-compile", wheel)
    return Installed(wheel, python)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The foreign project."""
    return copy_foreign(tmp_path_factory.mktemp("foreign") / "project")


def test_the_wheel_holds_the_package_with_its_types_and_data_and_nothing_else(installed: Installed) -> None:
    """No test, no benchmark, nothing of the checkout."""
    names = set(zipfile.ZipFile(installed.wheel).namelist())
    assert {"harness/py.typed", "harness/scenarios/thresholds.toml", "harness/plugin/hooks.py"} <= names
    tops = {name.partition("/")[0] for name in names}
    (info,) = (top for top in tops if top.endswith(".dist-info"))
    assert tops == {"harness", info}
    assert f"{info}/licenses/LICENSE" in names
    files = (path.relative_to(ROOT) for path in (ROOT / "harness").rglob("*") if path.is_file())
    ours = {str(path) for path in files if "__pycache__" not in path.parts}
    assert {name for name in names if name.startswith("harness/")} == ours


def test_a_foreign_projects_scenario_is_measured_on_its_own_servers(installed: Installed, project: Path) -> None:
    """Options, fixtures and marks are there by `pip install` alone; its journal is judged by the command."""
    result = run_there(
        installed.python, project, "pytest", *QUICK, "--junitxml", "junit.xml", "--summary-json", "s.json"
    )
    assert result.returncode == PASSED, result.stdout + result.stderr
    assert "plan: mine; 4 blocks each" in result.stdout
    assert 'name="test_scenario[mine]"' in project.joinpath("junit.xml").read_text("utf-8")
    judged = run_there(installed.python, project, "harness", "judge", "j.jsonl", "--summary-json", "again.json")
    assert judged.returncode == PASSED, judged.stdout + judged.stderr
    assert project.joinpath("again.json").read_bytes() == project.joinpath("s.json").read_bytes()


def test_a_limit_that_is_missed_and_a_name_that_is_unknown_end_as_they_do_here(
    installed: Installed, project: Path
) -> None:
    """With 1, and with 4 and a line that names what is known, theirs too; `judge` agrees."""
    missed = ("--threshold", "mine.measured_speedup=9")
    result = run_there(installed.python, project, "pytest", *QUICK, "--journal", "missed.jsonl", *missed)
    assert result.returncode == FAILED, result.stdout + result.stderr
    assert run_there(installed.python, project, "harness", "judge", "missed.jsonl").returncode == FAILED
    unknown = run_there(installed.python, project, "pytest", "--scenario", "mime")
    assert unknown.returncode == MISUSED
    assert "chimera_homo, mine, patterns" in unknown.stderr
    markers = run_there(installed.python, project, "pytest", "--markers").stdout
    assert "@pytest.mark.gpu: needs a real Ollama" in markers
    assert "@pytest.mark.ollama: needs a real Ollama" in markers


def test_a_foreign_project_measures_on_uvloop_if_it_asks_for_it(installed: Installed, project: Path) -> None:
    """By pytest-asyncio's hook, for the tests of that folder; on two loops in one session nothing is measured."""
    arguments = (*QUICK, "--runs", "1", "--scenario", "chimera_homo", "--journal")
    result = run_there(installed.python, project, "pytest", "perf_on_uvloop", *arguments, "one.jsonl")
    assert result.returncode == PASSED, result.stdout + result.stderr
    both = run_there(installed.python, project, "pytest", "perf", "perf_on_uvloop", *arguments, "two.jsonl")
    assert both.returncode == MISUSED, both.stdout + both.stderr
    assert "tests that measure run on different event loops, and a session is measured on one" in both.stdout


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not here: pip install -e '.[types]'")
def test_a_foreign_project_passes_mypys_strict_checks(installed: Installed, project: Path) -> None:
    """What the README names for users is typed, and the wheel says so; a wrong call is found."""
    strict = (sys.executable, project, "mypy", "--strict", "--python-executable", str(installed.python))
    checked = run_there(*strict, "paced.py", "flash.py", "perf/test_perf.py", "perf_on_uvloop/test_uvloop.py")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for conftest in ("perf/conftest.py", "perf_on_uvloop/conftest.py"):  # two modules of one name
        checked = run_there(*strict, conftest)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    wrong = project / "wrong.py"
    wrong.write_text("from harness.scenarios import AgentSpec\nAgentSpec(7, print)\n", "utf-8")
    found = run_there(*strict, "wrong.py").stdout
    assert 'Argument 1 to "AgentSpec" has incompatible type "int"; expected "str"' in found
    assert 'Argument 2 to "AgentSpec"' in found
