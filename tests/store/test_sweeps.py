"""What ``--sweep`` may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios.sweeps import tr110
from harness.store.sweeps import read_sweep

GRID = 'runs = 3\n[[grid]]\nscenario = "chimera_homo"\nnum_ctx = [512, 4096]\nnum_gpu = 80\ntemperature = 0.8\n'


def test_the_published_matrix_has_a_name() -> None:
    """With its own number of runs."""
    assert read_sweep(["tr110"]) == tr110()


def test_parts_are_put_together_and_cells_that_both_have_are_measured_once(tmp_path: Path) -> None:
    """A line, a file and the published matrix, in that order; the duplicates of each part and between them are told."""
    path = tmp_path / "grid.toml"
    path.write_text(GRID.replace("runs = 3\n", ""), "utf-8")
    sweep = read_sweep(["chimera_homo:num_gpu=10,10", str(path), "tr110"])
    assert [cell.name for cell in sweep.cells[:3]] == [
        "chimera_homo@num_gpu=10",
        "chimera_homo@num_ctx=512,num_gpu=80,temperature=0.8",
        "chimera_homo@num_ctx=4096,num_gpu=80,temperature=0.8",
    ]
    assert (len(sweep.cells), len(sweep.duplicates), sweep.runs) == (28, 6, 5)
    assert sweep.cells[1].published == ("test_015", "test_101", "test_200")


def test_parts_that_ask_for_different_numbers_of_runs_are_refused(tmp_path: Path) -> None:
    """One session has one number."""
    path = tmp_path / "grid.toml"
    path.write_text(GRID, "utf-8")
    assert read_sweep([str(path), "chimera_homo:num_gpu=10"]).runs == 3
    with pytest.raises(ConfigurationError, match=r"different runs \(3 and 5\)"):
        read_sweep(["tr110", str(path)])


@pytest.mark.parametrize(
    ("data", "words"), [(None, "No such file"), (b"\xff", "no UTF-8 text"), (b"=", "not valid TOML")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, data: bytes | None, words: str) -> None:
    """With the reason."""
    path = tmp_path / "grid.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=rf"grid\.toml.*{words}"):
        read_sweep([str(path)])
