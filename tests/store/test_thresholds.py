"""The thresholds' table from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import PROFILES, Limit
from harness.store import read_thresholds


def test_the_built_in_table_has_every_profile() -> None:
    """Without a file of the user's."""
    assert set(read_thresholds(None).profiles) == set(PROFILES)


def test_a_table_of_the_users_replaces_it(tmp_path: Path) -> None:
    """As a whole."""
    path = tmp_path / "mine.toml"
    path.write_text("[cpu.default]\nguide_speedup = 1.2\n", "utf-8")
    assert read_thresholds(path).limits("cpu", "chimera_homo") == (Limit("guide_speedup", 1.2),)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the option that named it."""
    with pytest.raises(ConfigurationError, match=r"--thresholds .*nothing\.toml cannot be read"):
        read_thresholds(tmp_path / "nothing.toml")
