"""The one place where a report becomes a file."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from harness.records.errors import HarnessError


def write_file(path: Path, content: str | bytes) -> None:
    """Writes a file as a whole or not at all; what stood there before stays if it cannot.

    Raises:
        HarnessError: If it cannot be written.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with open(handle, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
        Path(temporary).chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error


def append_file(path: Path, content: str) -> None:
    """Adds to the end of a file, on a line of its own; the file is made if there is none.

    Raises:
        HarnessError: If it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if file.tell() else "") + content)
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error
