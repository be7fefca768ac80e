"""The list of expected cells: CSV with headings, read whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.records.published import ExpectedCell
from harness.store.published import read_expected_cells

HEAD = "report,table,row,column,published\n"


def _file(folder: Path, text: str) -> Path:
    path = folder / "cells.csv"
    path.write_text(text, "latin-1")
    return path


def test_cells_come_in_their_order_with_quoted_commas(tmp_path: Path) -> None:
    """One of TR115 v2's columns has a comma in its name."""
    path = _file(tmp_path, HEAD + 'TR110,3.x,1,speedup,1.598x\nTR115_v2,3.1,smol,"stdev(sample, runs)",4.87\n')
    assert read_expected_cells(path) == (
        ExpectedCell("TR110", "3.x", "1", "speedup", "1.598x"),
        ExpectedCell("TR115_v2", "3.1", "smol", "stdev(sample, runs)", "4.87"),
    )


def test_a_name_that_is_no_file_here_is_looked_for_in_the_folder_of_the_runs(tmp_path: Path) -> None:
    """The cells lie beside the published runs."""
    _file(tmp_path, HEAD + "TR110,3.x,1,speedup,1.598x\n")
    assert len(read_expected_cells(Path("cells.csv"), tmp_path)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: expected the headings report,table,row,column,published"),
        ("a,b\n", "line 1: expected the headings"),
        (HEAD + "TR110,3.x,1,speedup\n", "line 2: expected 5 fields"),
        (HEAD + "TR110,3.x,1,speedup,\n", "line 2: expected 5 fields"),
        (HEAD + 'TR110,3.x,1,"speedup,1.5x\n', "line 2 is not CSV"),
        (HEAD + "\xff\n", "is no UTF-8 text"),
    ],
)
def test_a_file_that_is_no_list_of_cells_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """With the line, so that it can be mended."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        read_expected_cells(_file(tmp_path, text))
    assert "cells.csv" in str(raised.value)


def test_a_missing_file_is_an_error_with_the_systems_reason(tmp_path: Path) -> None:
    """Neither here nor in the folder of the runs."""
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv cannot be read: No such file"):
        read_expected_cells(Path("nowhere.csv"), tmp_path)
