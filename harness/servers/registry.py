"""Remembers the servers that were started, so that a later session can end those whose session was killed.

Linux ends a server with its session (see ``launch``); this is for other systems, and for what a killed server left
behind: a SIGKILLed ``ollama serve`` orphans its runner, which keeps its memory.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import platformdirs
import psutil

GRACE_S = 10.0
_POLL_S = 0.02
_SAME_BOOT_S = 60.0
TOKEN_VARIABLE = "HARNESS_SERVER_TOKEN"  # noqa: S105 - the name of a mark, not a secret


@dataclass(frozen=True, slots=True)
class Entry:
    """One started server: its process group, the mark in its environment, and the session that owns it."""

    group: int
    token: str
    owner_pid: int
    owner_born: float
    host: str
    boot: float


def default_folder() -> Path:
    """Where entries live: the user's state folder, one for all checkouts."""
    return platformdirs.user_state_path("ollama-concurrency-harness") / "servers"


def own_entry(group: int, token: str) -> Entry:
    """The entry of a server that this process started."""
    return Entry(group, token, os.getpid(), birth(os.getpid()), platform.node(), psutil.boot_time())


def group_members(group: int, token: str) -> list[psutil.Process]:
    """Living processes of a process group that carry the token in their environment.

    Both must hold: a number that the system has given to somebody else's process since is left alone.
    """
    return [process for process in _living() if _belongs(process, group, token)]


def end_group(group: int, token: str, grace_s: float) -> list[int]:
    """Asks the group's processes to end, waits, then kills what is left; gives the process ids that were ended."""
    members = group_members(group, token)
    for process in members:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    if not _emptied(group, token, grace_s):
        for process in group_members(group, token):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        _emptied(group, token, grace_s)
    return [process.pid for process in members]


def _emptied(group: int, token: str, grace_s: float) -> bool:
    """Waits for a group to have no living member; a zombie that nobody reaps is not one."""
    deadline = time.monotonic() + grace_s
    while group_members(group, token):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _living() -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def _belongs(process: psutil.Process, group: int, token: str) -> bool:
    try:
        return os.getpgid(process.pid) == group and process.environ().get(TOKEN_VARIABLE) == token
    except (psutil.Error, OSError):
        return False


def birth(pid: int) -> float:
    """When a process was started; on Linux in ticks since boot, which a stepped wall clock does not change.

    Raises:
        psutil.Error: If there is no such process.
    """
    if sys.platform == "linux":
        try:
            return float(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
        except OSError as error:
            raise psutil.NoSuchProcess(pid) from error
    return psutil.Process(pid).create_time()


def _owner_lives(entry: Entry) -> bool:
    try:
        owner = psutil.Process(entry.owner_pid)
        return owner.status() != psutil.STATUS_ZOMBIE and birth(entry.owner_pid) == entry.owner_born
    except psutil.Error:
        return False


@dataclass(frozen=True, slots=True)
class Registry:
    """A folder of entries, one file each."""

    folder: Path

    def add(self, entry: Entry) -> None:
        """Writes an entry."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(entry).write_bytes(msgspec.json.encode(entry))

    def remove(self, entry: Entry) -> None:
        """Forgets an entry."""
        self._path(entry).unlink(missing_ok=True)

    def _path(self, entry: Entry) -> Path:
        return self.folder / f"{entry.token}.json"

    def reap(self) -> list[int]:
        """Ends what is left of servers whose session is gone; gives the process ids that were ended."""
        ended: list[int] = []
        for path in sorted(self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                entry = msgspec.json.decode(path.read_bytes(), type=Entry)
            except (OSError, msgspec.DecodeError):
                path.unlink(missing_ok=True)
                continue
            if entry.host != platform.node() or _owner_lives(entry):
                continue
            if abs(entry.boot - psutil.boot_time()) < _SAME_BOOT_S:  # it moves when the wall clock is set
                ended += end_group(entry.group, entry.token, GRACE_S)
            path.unlink(missing_ok=True)
        return ended
