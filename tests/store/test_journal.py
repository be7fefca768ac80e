"""The journal: nothing is lost, nothing is overwritten, and a crash costs the line that it cut."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.records import Block, Session
from harness.records.errors import JournalError
from harness.scenarios import ChangeRules, InstrumentLimits, Limit, Stopping, StoredBaseline, Terms, ThresholdTable
from harness.store import FORMAT, Journal, read_journal
from harness.testing import build_block, build_session
from tests.strategies import BLOCKS


def _written(path: Path, blocks: list[Block]) -> Session:
    with Journal(path, build_session()) as journal:
        for block in blocks:
            journal.append(block)
    return build_session(blocks)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("journals") / "journal.jsonl"


@settings(max_examples=30)
@given(st.lists(BLOCKS, max_size=3))
def test_whatever_was_recorded_is_read_back(scratch: Path, blocks: list[Block]) -> None:
    """Sessions with arbitrary blocks come back as they were."""
    scratch.unlink(missing_ok=True)
    assert read_journal(_path_of(scratch, blocks)).session == build_session(blocks)


def _path_of(path: Path, blocks: list[Block]) -> Path:
    _written(path, blocks)
    return path


@pytest.fixture(scope="module")
def whole(scratch: Path) -> bytes:
    """The bytes of a journal with two blocks."""
    path = scratch.with_name("whole.jsonl")
    _written(path, [build_block(index=1, tokens=2), build_block(index=2, tokens=2)])
    return path.read_bytes()


@given(st.integers(0, 10**6))
def test_a_journal_cut_at_any_byte_is_read_up_to_its_last_whole_block(whole: bytes, scratch: Path, place: int) -> None:
    """A crash costs at most the block that it cut; without a whole head it is no journal."""
    kept = whole[: place % (len(whole) + 1)]
    scratch.write_bytes(kept)
    lines = kept.count(b"\n")
    if not lines:
        with pytest.raises(JournalError, match="is not a journal"):
            read_journal(scratch)
    else:
        stored = read_journal(scratch)
        assert [block.index for block in stored.session.blocks] == [1, 2][: lines - 1]
        assert stored.cut is not kept.endswith(b"\n")


def test_each_block_is_on_disk_as_soon_as_it_was_appended(tmp_path: Path) -> None:
    """Another process can read the journal while it is written."""
    path = tmp_path / "new" / "folder" / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        assert read_journal(path).session.blocks == ()
        journal.append(build_block())
        assert read_journal(path).session.blocks == (build_block(),)


def test_the_first_line_is_the_session_with_its_format(tmp_path: Path) -> None:
    """The head holds everything but the blocks, which have lines of their own."""
    path = tmp_path / "journal.jsonl"
    _written(path, [build_block()])
    head, block = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert (head["type"], head["format"], head["session"]["blocks"]) == ("session", FORMAT, [])
    assert (block["type"], block["block"]["scenario"]) == ("block", "pair")


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    """Raw timings of an earlier session stay, and the message says what to do."""
    path = tmp_path / "journal.jsonl"
    path.write_text("precious", "utf-8")
    with pytest.raises(JournalError, match="exists already: name another file"):
        Journal(path, build_session())
    assert path.read_text("utf-8") == "precious"


def test_a_folder_that_cannot_be_written_is_a_journal_error(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(JournalError, match="cannot be written"):
        Journal(tmp_path / "file" / "journal.jsonl", build_session())


def test_a_full_disk_is_a_journal_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system raises while a block is written does not leave this room as it is."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "journal.jsonl"
    with Journal(path, build_session()) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(JournalError, match=r"journal\.jsonl.*No space left"):
            journal.append(build_block())


def test_a_missing_file_is_a_journal_error(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(JournalError, match="cannot be read: No such file"):
        read_journal(tmp_path / "nowhere")


def test_a_journal_of_format_1_is_read(tmp_path: Path) -> None:
    """What 0.1 did not write is absent, and the rest is as it was."""
    path = tmp_path / "old.jsonl"
    _written(path, [build_block()])
    head, line = (json.loads(text) for text in path.read_text("utf-8").splitlines())
    head["format"] = 1
    del head["session"]["calibrations"]
    for run in line["block"]["runs"]:
        del run["loop_lag"]
        for agent in run["agents"]:
            for request in agent["requests"]:
                del request["stamped_by"], request["read_lag_max_ns"]
    path.write_text(f"{json.dumps(head)}\n{json.dumps(line)}\n", "utf-8")
    assert read_journal(path).session == replace(build_session([build_block()]), calibrations=())


def test_what_a_scenario_is_judged_by_is_read_back(tmp_path: Path) -> None:
    """Terms by scenario in the order of measuring, the last ones of a scenario; and what ended one."""
    path = tmp_path / "journal.jsonl"
    one = Terms((Limit("guide_speedup", 1.5),), instrument=InstrumentLimits(), gates=4)
    rules = ChangeRules(("slowdown",))
    two = Terms(change=rules, baseline=StoredBaseline("main", {"slowdown": (1.0, 1.1)}, rules), stopping=Stopping(9))
    with Journal(path, build_session()) as journal:
        journal.begin("first", two)
        journal.begin("second", two)
        journal.append(build_block())
        journal.begin("first", one)
        journal.fault("second", "the server died")
    stored = read_journal(path)
    assert list(stored.terms.items()) == [("first", one), ("second", two)]
    assert stored.faults == {"second": "the server died"}
    assert (stored.path, stored.cut, len(stored.session.blocks)) == (path, False, 1)


def test_a_journal_without_terms_is_judged_by_the_table_at_all_its_blocks(tmp_path: Path) -> None:
    """As formats 1 and 2 were: the profile's limits, and one look."""
    path = tmp_path / "journal.jsonl"
    _written(path, [build_block(index=index) for index in (0, 1, 2)])
    table = ThresholdTable({"embedded": {"default": {"guide_speedup": 1.5, "measured_speedup": 1.0}}})
    terms = read_journal(path).terms_or_usual(table)["pair"]
    assert terms.limits == (Limit("guide_speedup", 1.5), Limit("measured_speedup", 1.0))
    assert (terms.stopping, terms.gates) == (Stopping(3, fixed=True), 2)


def test_a_journal_without_a_block_has_nothing_to_judge(tmp_path: Path) -> None:
    """A session that ended while its servers started."""
    path = tmp_path / "journal.jsonl"
    _written(path, [])
    with pytest.raises(JournalError, match="holds no block"):
        read_journal(path).terms_or_usual(ThresholdTable({}))


HEAD = '{"type": "session", "format": 1, "session": {}}\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no whole line"),
        ("no newline", "no whole line"),
        ("hello\n", "line 1 is damaged"),
        ("[1]\n", "its first line is no session"),
        ('{"type": "block"}\n', "its first line is no session"),
        ('{"type": "session", "format": "1"}\n', "its first line is no session"),
        ('{"type": "session", "format": 99, "session": {}}\n', "is of format 99.*newer version"),
        (HEAD, "line 1 does not hold what its format says"),
        ("\xff\n", "damaged"),
        ('{"type": "session", "format": 3, "session": {"seed": NaN}}\n', "line 1 is damaged"),
    ],
)
def test_what_is_no_journal_is_refused_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    """A wrong file, a newer format and a damaged line each have a message of their own."""
    path = tmp_path / "other.jsonl"
    path.write_text(text, "latin-1")
    with pytest.raises(JournalError, match=words) as raised:
        read_journal(path)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize(
    "line", [b"{broken\n", b'{"type": "block", "block": {"index": "x"}}\n', b'{"type": "block"}\n']
)
def test_damage_in_the_middle_is_not_passed_over(tmp_path: Path, whole: bytes, line: bytes) -> None:
    """Only the last line may be cut: a bad one before it is an error with its number."""
    head, first, second, _ = whole.split(b"\n")
    path = tmp_path / "journal.jsonl"
    path.write_bytes(head + b"\n" + first + b"\n" + line + second + b"\n")
    with pytest.raises(JournalError, match="line 3"):
        read_journal(path)


def test_lines_of_a_kind_that_we_do_not_know_are_passed_over(tmp_path: Path, whole: bytes) -> None:
    """A later version may add kinds of lines without a new format."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(whole + b'{"type": "note", "text": "hello"}\n')
    assert len(read_journal(path).session.blocks) == 2


def test_the_blocks_of_a_session_are_written_once(tmp_path: Path) -> None:
    """A session that has blocks already does not put them into the head as well."""
    path = tmp_path / "journal.jsonl"
    with Journal(path, replace(build_session(), blocks=(build_block(),))):
        pass
    assert read_journal(path).session.blocks == ()
