"""The checklist before a session: what a failed item does to it, by what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from harness.__main__ import main
from harness.servers.embedded.model import SHAPES, ensure_model
from harness.servers.process import ServerProcess
from harness.store import read_journal
from tests.plugin.conftest import BUSY, start_embedded
from tests.plugin.test_judged_again import INVALID
from tests.plugin.test_session import read_summary

FEW = ("--num-predict", "2", "--runs", "1", *BUSY, "--no-calibration")
BOTH = (*FEW, "--scenario", "chimera_homo", "--scenario", "sampling", "--summary-json", "s.json")
FAILED = "*pre-flight: FAILED: same model: http*embedded is not the same everywhere: run *ollama pull embedded*"

STUDY_ALONE = """
import pytest
from harness.plugin.checking import perf_session_checklist

@pytest.mark.asyncio(loop_scope="session")
async def test_the_session(perf_session):
    assert perf_session.unfit is None
    await perf_session.servers[1].api.load("embedded", {"num_ctx": 777})
    assert [item.name for item in (await perf_session_checklist(perf_session)).failed] == ["context as asked"]
"""


@pytest.fixture(scope="module")
def another_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that has another model under the same name."""
    folder = tmp_path_factory.mktemp("other")
    weights = ensure_model(folder, replace(SHAPES["light"], seed=1))
    process = start_embedded(folder, "other", "--model", str(weights))
    yield process
    process.stop()


@pytest.fixture
def unlike(urls: tuple[str, ...], another_model: ServerProcess) -> tuple[str, ...]:
    """Options that connect to two servers whose models differ."""
    return ("--url", urls[1], "--url", another_model.spec.url, "--model", "embedded")


def test_nothing_is_measured_on_servers_that_are_unfit(foreign: pytest.Pytester, unlike: tuple[str, ...]) -> None:
    """Scenario and study are errors that name the item; their judgement can be repeated; a later session goes on."""
    result = foreign.runpytest_subprocess(*unlike, *BOTH, "--journal", "j.jsonl")
    result.assert_outcomes(errors=2, deselected=1)
    result.stdout.fnmatch_lines(["*pre-flight: 1 FAILED, *", FAILED])
    for name in ("chimera_homo", "sampling"):
        result.stdout.fnmatch_lines([f"{name}: INVALID: the pre-flight failed: same model: *--preflight warn goes on*"])
    journal, summary = foreign.path / "j.jsonl", foreign.path / "s.json"
    stored = read_journal(journal)
    assert (stored.session.blocks, list(stored.faults)) == ((), ["chimera_homo", "sampling"])
    found = read_summary(summary)
    assert found["scenarios"]["chimera_homo"]["verdict"] == "INVALID"
    assert found["studies"]["sampling"]["unsaid"].startswith("the pre-flight failed: same model: ")
    again = foreign.path / "again.json"
    assert main(["judge", str(journal), "--summary-json", str(again)]) == INVALID
    assert again.read_bytes() == summary.read_bytes()

    later = foreign.runpytest_subprocess(*unlike, *BOTH, "--resume", "j.jsonl", "--preflight", "warn")
    later.assert_outcomes(passed=2, deselected=1)
    later.stdout.fnmatch_lines([FAILED])
    main(["judge", str(journal), "--summary-json", str(again)])
    assert again.read_bytes() == summary.read_bytes()
    assert read_summary(again)["scenarios"]["chimera_homo"]["verdict"] == "INCONCLUSIVE"
    assert read_summary(again)["studies"]["sampling"]["blocks"] == 1


def test_nobody_looks_if_told_not_to_and_the_header_says_so(foreign: pytest.Pytester, urls: tuple[str, ...]) -> None:
    """Measured as it is, with rules that take everything for contention."""
    failing = ("--contention-efficiency-pct", "120", "--preflight", "off")
    result = foreign.runpytest_subprocess(*urls, *FEW, "--scenario", "chimera_homo", *failing)
    result.assert_outcomes(passed=1, deselected=1)
    result.stdout.fnmatch_lines(["*pre-flight: not checked (--preflight off)"])
    result.stdout.no_fnmatch_line("*contention detection works*")


def test_servers_are_checked_against_what_the_studies_ask_of_them(
    foreign: pytest.Pytester, urls: tuple[str, ...]
) -> None:
    """What they ask for is loaded before anybody looks, and is counted with what could not be asked."""
    foreign.makepyfile(test_foreign=STUDY_ALONE)
    result = foreign.runpytest_subprocess(*urls, *FEW, "--scenario", "sampling")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*pre-flight: * NOT CHECKED, * ok", "*pre-flight: NOT CHECKED: parallel requests: *"])
    result.stdout.no_fnmatch_line("*FAILED*")
