"""The document about published runs: the same figures for programs, unrounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.records.published import ExpectedCell
from harness.report.published import published_json
from tests.published_rows import judged, pair_row, solo_row, timed_row


def _document(folder: Path, cells: list[ExpectedCell] | None = None) -> Any:  # noqa: ANN401 - JSON
    rows = [timed_row(10.0, dataset="TR110-x"), timed_row(12.5, dataset="TR110-x", run=2), solo_row()]
    text = published_json(judged(folder, *rows, cells=cells))
    assert text.count("\n") == 1
    return json.loads(text)


def test_figures_have_their_unit_in_their_place(tmp_path: Path) -> None:
    """Over runs and over configuration means, each configuration, and the solo comparison."""
    found = _document(tmp_path)
    assert found["solo_rates"]["gemma3:latest"] == {"tok_s": 100.0, "n": 1, "sd": None, "dataset": "TR998-solo"}
    (dataset,) = found["datasets"].values()
    efficiency = dataset["guide_efficiency_pct"]
    assert (efficiency["runs"]["n"], efficiency["configuration_means"]["n"]) == (2, 1)
    assert efficiency["runs"]["sample_sd"] == pytest.approx(200**0.5)
    assert efficiency["configuration_means"]["sample_sd"] is None
    (configuration,) = dataset["configurations"]
    assert (configuration["configuration"], configuration["guide_speedup"]) == ("test_001", 1.8)
    assert configuration["against_solo"]["slow_runs"] == 2
    assert dataset["scenarios"]["baseline_vs_chimera"]["runs"] == 2


def test_the_guides_table_is_there_with_its_marks(tmp_path: Path) -> None:
    """One entry a row, one a column whose runs are there."""
    guide = _document(tmp_path)["guide"]
    assert [row["figure"] for row in guide] == ["peak efficiency", "mean efficiency", "consistency", "contention"]
    (mean,) = guide[1]["figures"]
    assert (mean["printed"], mean["reproduced"], guide[1]["winner"]) == ("~92.7%", False, None)
    assert mean["raw_runs"] == [{"value": 90.0, "over": "over 2 runs"}]


def test_cells_are_counted_and_the_missed_ones_listed(tmp_path: Path) -> None:
    """Null if none were asked for."""
    cell = ExpectedCell("TR110", "3.x", "1", "speedup", "1.700x")
    missed = {"report": "TR110", "table": "3.x", "row": "1", "column": "speedup", "printed": "1.700x", "got": "1.800x"}
    assert _document(tmp_path / "a", [cell])["cells"] == {"expected": 1, "reproduced": 0, "missed": [missed]}
    assert _document(tmp_path / "b")["cells"] is None


def test_a_row_of_one_run_is_a_document_too(tmp_path: Path) -> None:
    """What cannot be computed is null, never NaN."""
    found = json.loads(published_json(judged(tmp_path, pair_row())))
    (dataset,) = found["datasets"].values()
    assert dataset["guide_efficiency_pct"]["runs"]["cv_pct"] is None
    assert dataset["against_solo"] is None
