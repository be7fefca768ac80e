"""A folder of published runs: every run once, or one clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.errors import ConfigurationError, JournalError
from harness.store.published import read_published
from tests.published_rows import pair_row, python_pair, rust_pair, solo_row, write_metrics, write_rows


def test_runs_come_by_data_set_and_in_the_order_of_their_configurations(tmp_path: Path) -> None:
    """Whatever the order of the lines; solo runs stand beside the runs of both agents."""
    rows = [pair_row(config_id=name, run=run) for name in ("test_002", "test_001") for run in (2, 1)]
    write_rows(tmp_path, *rows, name="b.jsonl")
    write_rows(tmp_path, solo_row(agent="chimera"), solo_row(), name="a.jsonl")
    solo, pairs = read_published(tmp_path)
    assert (solo.dataset, solo.runs, [run.totals.kind for run in solo.solos]) == (
        "TR998-solo",
        (),
        ["baseline", "chimera"],
    )
    assert (pairs.dataset, pairs.solos) == ("TR999-made-up", ())
    order = [(run.configuration, run.index) for run in pairs.runs]
    assert order == [("test_001", 1), ("test_001", 2), ("test_002", 1), ("test_002", 2)]


def test_metrics_files_are_found_anywhere_below_and_lines_only_at_the_top(tmp_path: Path) -> None:
    """A tree of the public repository; JSON Lines of something else deep inside it are passed over."""
    write_metrics(tmp_path / "deep" / "test_002" / "run_3", rust_pair())
    write_rows(tmp_path / "deep", {"what": "ever"})
    write_rows(tmp_path, pair_row())
    (tmp_path / "README.md").write_text("not a run", "utf-8")
    names = [(session.dataset, len(session.runs)) for session in read_published(tmp_path)]
    assert names == [("TR999-made-up", 1), (tmp_path.name, 1)]


def test_a_run_of_the_public_files_is_the_tidied_one(tmp_path: Path) -> None:
    """The same figures from both, only the source is told otherwise."""
    write_rows(tmp_path / "lines", pair_row(dataset="TR110-python-dual", phase="phase1"))
    write_metrics(tmp_path / "files/comprehensive_test_results/phase_1_test_001/run_1", python_pair())
    (lines,), (files,) = read_published(tmp_path / "lines"), read_published(tmp_path / "files")
    assert files.runs[0].source == "comprehensive_test_results/phase_1_test_001/run_1/metrics.json"
    assert replace(files.runs[0], source="") == replace(lines.runs[0], source="")
    assert files.dataset == lines.dataset


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda path: path, "is no folder"), (lambda path: path.mkdir(), "neither .* in it nor .* below")],
)
def test_a_folder_without_runs_is_an_error_of_the_caller(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    """Missing, or empty: the message says what the folder should hold."""
    folder = tmp_path / "folder"
    make(folder)
    with pytest.raises(ConfigurationError, match=words):
        read_published(folder)


GOOD = json.dumps(pair_row()).encode()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD[:200], "damaged, or was cut off"),
        (GOOD.replace(b"250.0", b"NaN"), "damaged, or was cut off"),
        (GOOD.replace(b"250.0", b"Infinity"), "damaged, or was cut off"),
        (GOOD.replace(b"250.0", b"1e999"), "damaged, or was cut off"),
        (GOOD.replace(b"250.0", b"null"), r"`float`, got `null` - at `\$.agent1.ttft_ms`"),
        (GOOD.replace(b'"speedup"', b'"speed"'), "missing required field `speedup`"),
        (b'\xff{"a": 1}', "damaged, or was cut off"),
        (b"[" * 100_000, "damaged, or was cut off"),
        (b"", "damaged, or was cut off"),
        (b'{"type": "session", "format": 2}', "is no published run"),
    ],
)
def test_a_bad_line_is_an_error_with_its_file_and_number(tmp_path: Path, line: bytes, words: str) -> None:
    """Truncated, NaN, null, a missing field, or another kind of file: nothing of the folder is used."""
    path = tmp_path / "runs.jsonl"
    path.write_bytes(GOOD + b"\n" + line + b"\n")
    with pytest.raises(JournalError, match=words) as raised:
        read_published(tmp_path)
    assert f"{path}, line 2" in str(raised.value)


def test_an_empty_file_of_lines_is_damaged(tmp_path: Path) -> None:
    """It would otherwise be a data set that is silently not there."""
    (tmp_path / "runs.jsonl").write_bytes(b"")
    with pytest.raises(JournalError, match="line 1"):
        read_published(tmp_path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that each example of a property writes anew."""
    return tmp_path_factory.mktemp("published")


@given(st.integers(0, 10**6))
def test_a_file_cut_at_any_byte_gives_whole_rows_or_an_error(scratch: Path, place: int) -> None:
    """Never a run that was cut."""
    path = write_rows(scratch, pair_row(run=1), pair_row(run=2))
    whole = path.read_bytes()
    kept = whole[: place % (len(whole) + 1)]
    path.write_bytes(kept)
    ends = {whole.index(b"\n"): 1, whole.index(b"\n") + 1: 1, len(whole) - 1: 2, len(whole): 2}
    if len(kept) in ends:
        assert len(read_published(scratch)[0].runs) == ends[len(kept)]
    else:
        with pytest.raises(JournalError, match="damaged, or was cut off"):
            read_published(scratch)


def test_a_run_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """The tidied rows beside the files that they come from would count every run twice."""
    first = write_rows(tmp_path, pair_row(dataset="TR110-python-dual"))
    second = write_metrics(tmp_path / "comprehensive_test_results/phase_1_test_001/run_1", python_pair())
    with pytest.raises(JournalError, match="TR110-python-dual python-asyncio phase1 test_001 1") as raised:
        read_published(tmp_path)
    assert str(first) in str(raised.value)
    assert str(second) in str(raised.value)


def test_a_solo_run_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """It would weigh twice in the solo rate."""
    write_rows(tmp_path, solo_row(), solo_row())
    with pytest.raises(JournalError, match="TR998-solo gpu80_ctx512 baseline 1"):
        read_published(tmp_path)


def test_what_cannot_be_read_is_an_error_with_the_systems_reason(tmp_path: Path) -> None:
    """A folder with a file's name."""
    (tmp_path / "runs.jsonl").mkdir()
    with pytest.raises(JournalError, match=r"runs\.jsonl cannot be read: Is a directory"):
        read_published(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged, or was cut off"),
        ('{"overall": {}}', "of no kind that is known"),
        ("[]", "of no kind that is known"),
        (json.dumps(python_pair() | {"insight_execution_time": None}), r"got `null` - at `\$.insight_execution_time`"),
        (json.dumps(rust_pair() | {"summary": {}}), r"missing required field `concurrency_speedup` - at `\$.summary`"),
    ],
)
def test_a_bad_metrics_file_is_an_error_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    """Damaged, of an unknown kind, or without a figure that is needed."""
    path = write_metrics(tmp_path / "run_1", {})
    path.write_text(text, "utf-8")
    with pytest.raises(JournalError, match=words) as raised:
        read_published(tmp_path)
    assert str(path) in str(raised.value)
