"""``python -m harness published``: from a folder of raw runs to printed tables, or one error and nothing printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.__main__ import main
from tests.published_rows import pair_row, python_pair, solo_row, write_metrics, write_rows

CELLS = "report,table,row,column,published\nTR110,3.x,1,speedup,2.000x\nTR110,3.x,1,contention,0/1\n"
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one run of TR110, a solo run and the cells that they give."""
    write_rows(tmp_path, pair_row(dataset="TR110-x"), solo_row())
    (tmp_path / "cells.csv").write_text(CELLS, "utf-8")
    return tmp_path


def test_it_ends_with_how_many_cells_it_got(folder: Path, capsys: Printed) -> None:
    """All of them, and exit status 0; the file of cells may be named as it is in the folder."""
    assert main(["published", str(folder), "--cells", str(folder / "cells.csv")]) == 0
    assert capsys.readouterr().out.endswith("\n2 of 2\n")
    assert main(["published", str(folder), "--cells", "cells.csv"]) == 0
    assert capsys.readouterr().out.endswith("\n2 of 2\n")


def test_a_missed_cell_is_an_exit_status(folder: Path, capsys: Printed) -> None:
    """So that a script need not read the last line."""
    (folder / "cells.csv").write_text(CELLS.replace("2.000x", "1.985x"), "utf-8")
    assert main(["published", str(folder), "--cells", "cells.csv"]) == 1
    assert capsys.readouterr().out.endswith("\n1 of 2\n")


def test_public_files_are_read_as_they_lie(tmp_path: Path, capsys: Printed) -> None:
    """A tree of the public repository."""
    write_metrics(tmp_path / "comprehensive_test_results/phase_1_test_001/run_1", python_pair())
    assert main(["published", str(tmp_path)]) == 0
    assert "== TR110-python-dual: 1 runs of two agents in 1 configurations" in capsys.readouterr().out


def test_a_solo_rate_can_be_given(folder: Path, capsys: Printed) -> None:
    """It goes before the solo runs of the folder."""
    assert main(["published", str(folder), "--solo-tok-s", "62.5"]) == 0
    assert "62.50 tok/s, as given" in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "fast"])
def test_a_solo_rate_that_cannot_be_is_refused(folder: Path, rate: str, capsys: Printed) -> None:
    """Before anything is read."""
    with pytest.raises(SystemExit) as ended:
        main(["published", str(folder), "--solo-tok-s", rate])
    assert ended.value.code == 2
    assert "is not a rate above 0" in capsys.readouterr().err


def test_json_is_one_document(folder: Path, capsys: Printed) -> None:
    """With the cells in it instead of a last line."""
    assert main(["published", str(folder), "--cells", "cells.csv", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == {"expected": 2, "reproduced": 2, "missed": []}


def test_a_bad_line_prints_one_error_and_nothing_else(folder: Path, capsys: Printed) -> None:
    """Also when it is in the last of many files."""
    (folder / "zzz.jsonl").write_text("{", "utf-8")
    assert main(["published", str(folder), "--cells", "cells.csv"]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"harness published: {folder / 'zzz.jsonl'}, line 1 is damaged")
    assert err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["nowhere"], [".", "--cells", "nowhere.csv"]])
def test_what_is_not_there_is_one_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed, arguments: list[str]
) -> None:
    """The folder, or the list of cells."""
    monkeypatch.chdir(folder)
    assert main(["published", *arguments]) != 0
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "nowhere" in err
