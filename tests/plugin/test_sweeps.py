"""A sweep killed in the middle and gone on with, and who may not go on."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest

from harness.records import Block
from harness.servers.process import ServerProcess
from harness.store import Journal, read_journal
from tests.plugin.conftest import BUSY, make_foreign
from tests.plugin.test_judged_again import LAX
from tests.plugin.test_session import DEADLINE_S, Session, read_summary

GRID = "chimera_homo:num_ctx=512,1024;temperature=0.6,0.8"
CELLS = [f"chimera_homo@num_ctx={ctx},temperature={t}" for ctx in (512, 1024) for t in (0.6, 0.8)]
RUNS = 3
SEED = 11
MUCH = ("--sweep", GRID, "--runs", str(RUNS), "--passes", "2", "--num-predict", "4", "--no-calibration")
SWEEP = (*MUCH, *BUSY, *LAX, "--seed", str(SEED))


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory, running_pair: tuple[ServerProcess, ServerProcess]) -> bytes:
    """The journal of a sweep that was killed after some blocks."""
    folder = tmp_path_factory.mktemp("killed")
    make_foreign(folder)
    there = [part for process in running_pair for part in ("--url", process.spec.url)]
    session = Session(folder, *there, "--model", "embedded", *SWEEP)
    session.wait_for_blocks(6)
    session.process.send_signal(signal.SIGKILL)
    session.process.wait(DEADLINE_S)
    return session.journal.read_bytes()


@pytest.fixture
def journal(foreign: pytest.Pytester, left_behind: bytes) -> Path:
    """A copy of it in the foreign project."""
    path = foreign.path / "left.jsonl"
    path.write_bytes(left_behind)
    return path


def measured(blocks: tuple[Block, ...]) -> Counter[tuple[str, int]]:
    """How often each index of each scenario was measured; warm-up blocks are none."""
    return Counter((block.scenario, block.index) for block in blocks if not block.warmup)


def test_a_killed_sweep_goes_on_where_it_was(foreign: pytest.Pytester, urls: tuple[str, ...], journal: Path) -> None:
    """No whole line is lost or changed, no block is measured twice, each cell has its blocks, and the table has all."""
    before = journal.read_bytes()
    whole = before[: before.rfind(b"\n") + 1]
    there = read_journal(journal).session.blocks
    assert 6 <= len(there) < len(CELLS) * RUNS

    result = foreign.runpytest_subprocess(*urls, *SWEEP, "--resume", str(journal), "--summary-json", "s.json")
    result.assert_outcomes(passed=len(CELLS), deselected=len(CELLS))
    result.stdout.fnmatch_lines([f"*going on with {journal}: {len(there)} blocks are there", "*cell * of 4, *"])
    assert journal.read_bytes().startswith(whole)

    stored = read_journal(journal)
    assert stored.session.blocks[: len(there)] == there
    assert [each.blocks for each in stored.resumed] == [len(there)]
    assert measured(stored.session.blocks) == {(cell, index): 1 for cell in CELLS for index in range(1, RUNS + 1)}
    assert set(stored.terms) == set(CELLS)
    scenarios = read_summary(foreign.path / "s.json")["scenarios"]
    assert {name: found["blocks"] for name, found in scenarios.items()} == dict.fromkeys(CELLS, RUNS)
    table = [line.split()[:4] for line in result.outlines if line.startswith("chimera_homo  ")]
    assert table == [["chimera_homo", ctx, t, str(RUNS)] for ctx in ("512", "1024") for t in ("0.6", "0.8")]


def test_another_measurement_does_not_go_on_with_a_journal(
    foreign: pytest.Pytester, urls: tuple[str, ...], journal: Path
) -> None:
    """Each difference is named with both values, nothing is measured, and the journal stays as it is."""
    before = journal.read_bytes()
    others = ("--num-predict", "5", "--stagger", "0.1", "--prompt-words", "Insight=3", "--seed", "0")
    result = foreign.runpytest_subprocess(*urls, *SWEEP, *others, "--resume", str(journal))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(
        [
            f"*--resume {journal}: its session measured something else than this one would*",
            f"*seed: stored {SEED}, now 0",
            "*.DataCollector: stored * num_predict=4 * now * num_predict=5 * stagger_s=0.1*",
            "*.Insight: stored * num_predict=4 * now * num_predict=5 * prompt_words=3 * stagger_s=0.1*",
        ]
    )
    result.stdout.no_fnmatch_line("*warm-up:*")
    assert journal.read_bytes() == before


def test_two_sessions_do_not_write_one_journal(foreign: pytest.Pytester, urls: tuple[str, ...], journal: Path) -> None:
    """The second is told to wait and leaves the file alone; the first writes on."""
    block = read_journal(journal).session.blocks[-1]
    first, _ = Journal.resume(journal, read_journal(journal).session)
    with first:
        before = journal.read_bytes()
        result = foreign.runpytest_subprocess(*urls, *SWEEP, "--resume", str(journal))
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stdout.fnmatch_lines([f"*the journal {journal} is open in another session: wait until that has ended*"])
        assert journal.read_bytes() == before
        first.append(block)
    assert read_journal(journal).session.blocks[-1] == block
