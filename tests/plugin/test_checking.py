"""The checklist of an open session, and the tests of ``perf/test_production.py`` on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.plugin.checking import PRODUCTION_ITEMS
from tests.plugin.conftest import QUICK

PRODUCTION = Path(__file__).parents[2] / "perf" / "test_production.py"
QUIET = (*QUICK, "--no-calibration", "--journal", "j.jsonl")
CHANGED_MEANWHILE = """
import pytest
from harness.plugin.checking import perf_session_checklist

@pytest.mark.asyncio(loop_scope="session")
async def test_the_session(perf_session):
    assert not (await perf_session_checklist(perf_session)).failed
    await perf_session.servers[1].api.load("embedded", {"num_ctx": 777})
    (failed,) = (await perf_session_checklist(perf_session)).failed
    assert failed.name == "context as asked"
    assert f"{perf_session.servers[1].url}: 777 tokens, asked 2048" in failed.found
"""
WITH_A_BASE = """
import pytest
from harness.plugin.checking import PRODUCTION_ITEMS, perf_session_checklist

@pytest.mark.asyncio(loop_scope="session")
async def test_the_session(perf_session):
    *both, contention = [item.name for item in (await perf_session_checklist(perf_session)).items]
    own = list(PRODUCTION_ITEMS[:-1])
    assert both == own + ["base: " + name for name in own]
    await perf_session.servers[-1].api.unload("embedded")
    warned = [item.name for item in (await perf_session_checklist(perf_session)).items if item.status == "warning"]
    assert warned == ["base: model is loaded"]
"""


def test_the_servers_of_a_session_are_checked_against_its_plans(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """All is well at its start; a client that loads the model with other options is found out."""
    foreign.makepyfile(test_foreign=CHANGED_MEANWHILE)
    foreign.runpytest_subprocess(*urls, *QUIET).assert_outcomes(passed=1)


def test_the_servers_of_a_base_are_checked_too(foreign: pytest.Pytester) -> None:
    """With items of their own, that say so."""
    foreign.makepyfile(test_foreign=WITH_A_BASE)
    options = ("--server", "embedded", "--base-server", "embedded")
    foreign.runpytest_subprocess(*options, *QUIET).assert_outcomes(passed=1)


def test_an_item_that_failed_fails_its_test_alone(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """Rules that call everything contention; a warning or what is not checked passes, and is shown."""
    foreign.makepyfile(test_foreign=PRODUCTION.read_text("utf-8"))
    result = foreign.runpytest_subprocess(*urls, *QUIET, "--contention-efficiency-pct", "120")
    result.assert_outcomes(passed=len(PRODUCTION_ITEMS) - 1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*NOT CHECKED  parallel requests *OLLAMA_NUM_PARALLEL cannot be asked*",
            "*checklist: 1 FAILED, 1 NOT CHECKED, *",
            "*FAILED  contention detection works  a block in which nobody was disturbed shows the symptoms efficiency",
            "*-> set the rules*",
        ]
    )
