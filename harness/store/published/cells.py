"""The list of published cells that the raw runs are to give again: CSV with a line of headings."""

from __future__ import annotations

import csv
from pathlib import Path

from harness.records.errors import ConfigurationError
from harness.records.published import ExpectedCell

_HEADINGS = ["report", "table", "row", "column", "published"]


def read_expected_cells(path: Path, folder: Path | None = None) -> tuple[ExpectedCell, ...]:
    """The cells of a file, in its order; if there is no such file, of the file of that name in ``folder``.

    Raises:
        ConfigurationError: If it cannot be read, or a line does not have the headings' fields, each with a text.
    """
    if folder is not None and not path.exists() and (folder / path).exists():
        path = folder / path
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigurationError(f"the expected cells {path} cannot be read: {reason}") from error
    reader = csv.reader(lines, strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ConfigurationError(f"{path}, line {reader.line_num} is not CSV: {error}") from error
    if not rows or rows[0][1] != _HEADINGS:
        raise ConfigurationError(f"{path}, line 1: expected the headings {','.join(_HEADINGS)}")
    return tuple(_cell(path, number, row) for number, row in rows[1:])


def _cell(path: Path, number: int, row: list[str]) -> ExpectedCell:
    if len(row) != len(_HEADINGS) or not all(row):
        raise ConfigurationError(f"{path}, line {number}: expected {len(_HEADINGS)} fields, each with a text: {row}")
    return ExpectedCell(*row)
