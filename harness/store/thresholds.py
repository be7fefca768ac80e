"""The thresholds' table from its file."""

from __future__ import annotations

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from harness.records.errors import ConfigurationError
from harness.scenarios import SCENARIOS, ThresholdTable, parse_thresholds


def read_thresholds(path: Path | None, scenarios: Collection[str] | None = tuple(SCENARIOS)) -> ThresholdTable:
    """A table of the user's, or the built-in one.

    Args:
        path: The user's table, or None.
        scenarios: Names that the user's table may say something of; None for any.

    Raises:
        ConfigurationError: If it cannot be read, or is no such table.
    """
    if path is None:
        text = (resources.files("harness.scenarios") / "thresholds.toml").read_text("utf-8")
        return parse_thresholds(text, "the built-in thresholds.toml")
    try:
        return parse_thresholds(path.read_text("utf-8"), str(path), scenarios)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--thresholds {path} cannot be read: {error}") from error
