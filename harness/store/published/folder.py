"""A folder of published runs: each run once, each data set a session without solo baselines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harness.protocol import UNDECODABLE
from harness.records.errors import ConfigurationError, JournalError
from harness.records.published import PublishedRun, PublishedSession, SoloRun
from harness.store.published.metrics_files import rows_of_metrics
from harness.store.published.places import place_of
from harness.store.published.rows import PairRow, Row, row_of

_LINES = "*.jsonl"
_METRICS = "metrics.json"


def read_published(folder: Path) -> tuple[PublishedSession, ...]:
    """Every published run of a folder, by data set; runs by runtime, phase, scenario, configuration and repetition.

    Read are the JSON Lines in the folder itself and the ``metrics.json`` files anywhere under it.

    Raises:
        ConfigurationError: If there is no such folder, or none of these files is in it.
        JournalError: If a file cannot be read, holds no published run, lacks a field or has one of another type, or
            a run stands there twice.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is no folder: name one that holds {_LINES} or {_METRICS} of published runs")
    found: dict[str, tuple[list[PublishedRun], list[SoloRun]]] = {}
    seen: dict[tuple[object, ...], str] = {}
    for where, row in _rows(folder):
        runs, solos = found.setdefault(row.dataset, ([], []))
        if isinstance(row, PairRow):
            key: tuple[object, ...] = (row.dataset, row.runtime, row.phase, row.config_id, row.run)
            runs.append(row.record())
        else:
            key = (row.dataset, row.config_id, row.agent.role, row.run)
            solos.append(row.record())
        if key in seen:
            name = " ".join(str(part) for part in key if part != "")
            raise JournalError(f"{where} holds run {name}, which {seen[key]} holds too: name a folder with one of them")
        seen[key] = where
    if not found:
        raise ConfigurationError(
            f"{folder} holds no published runs: there is neither {_LINES} in it nor {_METRICS} below"
        )
    return tuple(
        PublishedSession(dataset, tuple(sorted(runs, key=_place)), tuple(sorted(solos, key=_solo_place)))
        for dataset, (runs, solos) in sorted(found.items())
    )


def _place(run: PublishedRun) -> tuple[str, str, str, str, int]:
    return run.runtime, run.phase, run.scenario, run.configuration, run.index


def _solo_place(run: SoloRun) -> tuple[str, str, int]:
    return run.configuration, run.totals.kind, run.index


def _rows(folder: Path) -> Iterator[tuple[str, Row]]:
    """Rows with the file, and the line where it has lines, that they stand in."""
    for path in sorted(folder.glob(_LINES)):
        lines = _bytes(path).split(b"\n")
        if lines[-1] == b"" and len(lines) > 1:
            lines.pop()
        for number, line in enumerate(lines, start=1):
            where = f"{path}, line {number}"
            row = _valid(where, line)
            if row is None:
                raise JournalError(f"{where} is no published run: move the file elsewhere, or name another folder")
            yield where, row
    absolute = folder.resolve()
    for path in sorted(absolute.rglob(_METRICS)):
        rows = _metrics(path, absolute)
        if not rows:
            raise JournalError(f"{path} is of no kind that is known: name a folder without it")
        for row in rows:
            yield str(path), row


def _valid(where: str, line: bytes) -> Row | None:
    try:
        return row_of(_decoded(where, line))
    except msgspec.ValidationError as error:
        raise JournalError(f"{where} does not hold a published run's fields: {error}") from error


def _metrics(path: Path, folder: Path) -> list[Row]:
    document = _decoded(str(path), _bytes(path))
    source = path.relative_to(folder).as_posix()
    try:
        return rows_of_metrics(document, place_of(path, folder), source)
    except msgspec.ValidationError as error:
        raise JournalError(f"{path} does not hold a published run's fields: {error}") from error


def _decoded(where: str, text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except UNDECODABLE as error:
        raise JournalError(f"{where} is damaged, or was cut off: {error}") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path} cannot be read: {error.strerror}") from error
