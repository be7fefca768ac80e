"""Stored baselines: one file a name, ``FOLDER/NAME.json``, with every session that was saved under it.

The file is ``{"format": 1, "name": NAME, "environment": {FACT: TEXT}, "sessions": [{"saved_unix_ns": ns, "journal":
FILE, "harness": VERSION, "ratios": {SCENARIO: {METRIC: {"ratio": x, "blocks": n, "sd_log": x}}}}]}``, to be kept under
version control. Saving appends a session, under a lock, as a whole or not at all.

Format history:

1. (0.3) first.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import exp, isfinite, log
from pathlib import Path
from statistics import fmean, stdev

import msgspec

from harness.protocol import UNDECODABLE
from harness.records import Session
from harness.records.baseline import Baseline, BaselineRatio, BaselineSession
from harness.records.errors import ConfigurationError, JournalError
from harness.store.fingerprint import HARNESS, difference_lines, differences

BASELINE_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_FEWEST_BLOCKS = 2


def baseline_path(folder: Path, name: str) -> Path:
    """The file of a baseline.

    Raises:
        ConfigurationError: If the name is not a plain word.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"a baseline is named by a plain word of letters, digits, '.', '_' and '-', at most 100, got {name!r}"
        )
    return folder / f"{name}.json"


def baseline_session(
    session: Session, journal: Path, values: Mapping[str, Mapping[str, Sequence[float]]]
) -> BaselineSession:
    """What a baseline keeps of a session.

    Args:
        session: The session.
        journal: Its journal; only the file's name is kept.
        values: By valid scenario and self-normalised metric, the ratio in each valid block.

    Raises:
        ConfigurationError: If there is no value, one block only, or what is no positive number.
    """
    ratios = {
        scenario: found
        for scenario, metrics in values.items()
        if (found := {metric: _ratio(f"{scenario}.{metric}", each) for metric, each in metrics.items() if each})
    }
    if not ratios:
        raise ConfigurationError("no scenario of this session is valid: it is not saved as a baseline")
    environment = session.environment
    return BaselineSession(
        environment.anchor.unix_ns, journal.name, environment.versions.get(HARNESS, "unknown"), ratios
    )


def read_baseline(folder: Path, name: str) -> Baseline:
    """A stored baseline.

    Raises:
        ConfigurationError: If there is none of that name (those that are there are listed).
        JournalError: If its file cannot be read, is damaged, or is of a newer format.
    """
    path = baseline_path(folder, name)
    baseline = _read(path)
    if baseline is None:
        there = ", ".join(sorted(each.stem for each in folder.glob("[!.]*.json"))) or "none yet"
        raise ConfigurationError(f"no baseline {name!r} in {folder}: save one with --baseline-save; there: {there}")
    return baseline


def ensure_savable(folder: Path, name: str, environment: Mapping[str, str]) -> None:
    """Finds out before the measuring whether its session could be saved.

    Raises:
        ConfigurationError: If the name is no plain word, or the baseline is of another environment.
        JournalError: If its file cannot be read or written.
    """
    path = baseline_path(folder, name)
    with _locked(path):
        _same_environment(_read(path), environment)


def save_session(folder: Path, name: str, environment: Mapping[str, str], session: BaselineSession) -> Baseline:
    """Appends a session to a baseline, or begins one; gives the baseline as it is now.

    Args:
        folder: Of the baselines; made if it is not there.
        name: The baseline.
        environment: This session's :func:`fingerprint`.
        session: What :func:`baseline_session` made.

    Raises:
        ConfigurationError: If the name is no plain word, or the baseline is of another environment or has the session.
        JournalError: If the file cannot be read or written; then it is as it was.
    """
    path = baseline_path(folder, name)
    with _locked(path):
        stored = _read(path)
        _same_environment(stored, environment)
        sessions = (*stored.sessions, session) if stored else (session,)
        whole = Baseline(name, {**(stored.environment if stored else {}), **environment}, sessions)
        fault = _fault(whole)
        if fault:
            raise ConfigurationError(f"nothing was saved in baseline {name!r}: {fault}")
        _write(path, whole)
    return whole


def ratios_of(baseline: Baseline, scenario: str) -> dict[str, tuple[float, ...]]:
    """By metric, one ratio a stored session that has it, in the order of saving; {} if none has the scenario."""
    found: dict[str, tuple[float, ...]] = {}
    for session in baseline.sessions:
        for metric, each in session.ratios.get(scenario, {}).items():
            found[metric] = (*found.get(metric, ()), each.ratio)
    return found


def _ratio(where: str, values: Sequence[float]) -> BaselineRatio:
    if not all(isfinite(value) and value > 0 for value in values):
        raise ConfigurationError(f"{where}: a block's ratio is no positive number; it is not saved as a baseline")
    if len(values) < _FEWEST_BLOCKS:
        raise ConfigurationError(
            f"{where} has one valid block, and a ratio of one block has no spread: measure {_FEWEST_BLOCKS} or more "
            "(--runs) to save a baseline"
        )
    logs = [log(value) for value in values]
    return BaselineRatio(exp(fmean(logs)), len(logs), stdev(logs))


def _same_environment(stored: Baseline | None, environment: Mapping[str, str]) -> None:
    different = differences(stored.environment, environment) if stored else ()
    if stored and different:
        raise ConfigurationError(
            f"baseline {stored.name!r} is of another environment, and one file holds one: nothing was saved; "
            f"save under another name\n{difference_lines(different)}"
        )


def _fault(baseline: Baseline) -> str:
    """What its format does not allow, the first of it in words; empty if nothing."""
    if not baseline.sessions:
        return "it holds no session"
    if len({(each.saved_unix_ns, each.journal) for each in baseline.sessions}) < len(baseline.sessions):
        return "one session is in it twice"
    for number, session in enumerate(baseline.sessions, start=1):
        if not any(session.ratios.values()):
            return f"session {number} holds no scenario"
        for scenario, metrics in session.ratios.items():
            for metric, found in metrics.items():
                where = f"session {number}, {scenario}.{metric}"
                if not (isfinite(found.ratio) and found.ratio > 0):
                    return f"{where}: the ratio {found.ratio:g} is no positive number"
                if found.blocks < _FEWEST_BLOCKS or not (isfinite(found.sd_log) and found.sd_log >= 0):
                    return f"{where}: {found.blocks} blocks with an SD of {found.sd_log:g} have no spread"
    return ""


def _read(path: Path) -> Baseline | None:
    """The baseline of a file, or None if there is no file."""
    try:
        item = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"the baseline {path} cannot be read: {error.strerror}") from error
    except UNDECODABLE as error:
        raise JournalError(f"the baseline {path} is damaged: {error}") from error
    number = item.get("format") if isinstance(item, dict) else None
    if type(number) is not int or number < 1:
        raise JournalError(f"{path} is no baseline of this program: it has no format number")
    if number > BASELINE_FORMAT:
        raise JournalError(
            f"{path} is of format {number}, this version reads up to {BASELINE_FORMAT}: read it with a newer version"
        )
    try:
        baseline = replace(msgspec.convert(item, type=Baseline), name=path.stem)
    except msgspec.ValidationError as error:
        raise JournalError(f"the baseline {path} does not hold what its format says: {error}") from error
    fault = _fault(baseline)
    if fault:
        raise JournalError(f"the baseline {path} is damaged: {fault}")
    return baseline


def _write(path: Path, baseline: Baseline) -> None:
    """Writes the file as a whole or not at all."""
    data = msgspec.json.encode({"format": BASELINE_FORMAT, **msgspec.to_builtins(baseline)})
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "wb") as file:
            file.write(msgspec.json.format(data, indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keeps other processes out while a file is read, changed and replaced; a lock ends with its process."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _take(lock)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock)  # while it is held: whoever waits for it sees that it is gone, and makes another
        os.close(handle)


def _take(lock: Path) -> int:
    """An open, locked file under this name; waits for whoever has it."""
    import fcntl  # noqa: PLC0415 - not on every platform

    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), os.stat(lock)):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _unwritable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"the baseline {path} cannot be written: {error.strerror or error}")
