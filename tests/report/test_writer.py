"""The writer: a file as a whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.records.errors import HarnessError
from harness.report import append_file, write_file


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    """Missing folders are made, the text is UTF-8, and nothing else is left behind."""
    path = tmp_path / "new" / "summary.json"
    write_file(path, "größe\n")
    assert path.read_bytes() == "größe\n".encode()
    assert os.listdir(path.parent) == ["summary.json"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    """Of two writings the second stands."""
    path = tmp_path / "summary.json"
    write_file(path, "a much longer first text")
    write_file(path, "second")
    assert path.read_text("utf-8") == "second"


def test_what_stood_there_stays_if_it_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure in the last step leaves the old text and no temporary file."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "summary.json"
    write_file(path, "old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(HarnessError, match=r"summary\.json cannot be written: Input/output error"):
        write_file(path, "new")
    assert path.read_text("utf-8") == "old"
    assert os.listdir(tmp_path) == ["summary.json"]


@pytest.mark.parametrize("place", ["file/summary.json", "folder"])
def test_an_impossible_place_is_an_error_with_its_name(tmp_path: Path, place: str) -> None:
    """A file where a folder should be, and a folder where the file should be."""
    (tmp_path / "file").write_text("", "utf-8")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HarnessError, match="cannot be written"):
        write_file(tmp_path / place, "text")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_what_is_added_stands_behind_what_was_there(tmp_path: Path) -> None:
    """On a line of its own, whether or not the text before it ended its line; a missing file is made."""
    path = tmp_path / "summary.md"
    append_file(path, "one")
    append_file(path, "größe\n")
    append_file(path, "three\n")
    assert path.read_text("utf-8") == "one\ngröße\n\nthree\n"


def test_what_cannot_be_added_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A folder in the place of the file."""
    with pytest.raises(HarnessError, match="cannot be written: Is a directory"):
        append_file(tmp_path, "text")
