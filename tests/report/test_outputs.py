"""Every option that names a file has something that renders it, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.report import OUTPUTS, JudgedSession, outputs, write_outputs
from harness.report.outputs import EXTRAS, OFTEN, checked_outputs
from harness.scenarios import Stopping
from harness.scenarios.options import OUTPUT_OPTIONS
from harness.testing import build_session

EMPTY = JudgedSession(build_session(), "/j.jsonl", Stopping(5))


def test_every_option_of_a_file_is_rendered() -> None:
    """An option without a renderer would be taken, and nothing written."""
    assert list(OUTPUTS) == [flag for flag, _ in OUTPUT_OPTIONS]
    assert set(OFTEN) <= set(OUTPUTS)


def test_a_session_that_measured_nothing_can_be_told_in_every_file(tmp_path: Path) -> None:
    """Files are written once before anything is measured, so that one that cannot be is found then."""
    paths = {flag: tmp_path / flag for flag in OUTPUTS}
    write_outputs(EMPTY, paths)
    assert all(path.stat().st_size for path in paths.values())


def test_after_a_scenario_only_what_is_quickly_made_is_written(tmp_path: Path) -> None:
    """What takes seconds to make does not stand between scenarios."""
    paths = {flag: tmp_path / flag for flag in OUTPUTS}
    write_outputs(EMPTY, paths, often_only=True)
    assert {path.name for path in tmp_path.iterdir()} == set(OFTEN)


def test_files_that_were_asked_for_have_their_paths() -> None:
    """By option; what was not asked for, or is empty, is none."""
    given = {"--summary-md": "a.md", "--trace-json": "", "--other": "x"}
    assert checked_outputs(given.get) == {"--summary-md": Path("a.md")}


def test_a_file_that_needs_an_extra_is_refused_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that says what to install; other files do not need it."""
    monkeypatch.setattr(outputs, "find_spec", lambda _name: None)
    assert {*EXTRAS} <= {*OUTPUTS}
    assert checked_outputs({"--blocks-csv": "a.csv"}.get)
    said = r'^--blocks-parquet needs pyarrow: pip install "ollama-concurrency-harness\[parquet\]", or leave it out$'
    with pytest.raises(ConfigurationError, match=said):
        checked_outputs({"--blocks-parquet": "a.parquet"}.get)
