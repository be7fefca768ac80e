"""A program `ollama` whose `serve` is our embedded engine with its light model: started servers, in seconds."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = """#!/bin/sh
exec "{python}" -m harness serve --shape light --host "${{OLLAMA_HOST%:*}}" --port "${{OLLAMA_HOST##*:}}"
"""


def light_ollama(folder: Path) -> Path:
    """Makes the program in a folder, and gives its path."""
    program = folder / "ollama"
    program.write_text(_SCRIPT.format(python=sys.executable), "utf-8")
    program.chmod(0o755)
    return program


def light_servers(folder: Path) -> tuple[str, ...]:
    """Options that have a session start servers with it, on free ports."""
    return ("--ollama-bin", str(light_ollama(folder)), "--free-ports", "--model", "embedded", "--num-thread", "1")
