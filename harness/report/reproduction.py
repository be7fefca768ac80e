"""The command that measures a session again."""

from __future__ import annotations

import shlex
from pathlib import PurePath

from harness.records import Session
from harness.report.text import printable


def reproduction(session: Session) -> str:
    """The command that measures this session again, for a POSIX shell: as it was given, with its seed."""
    program, *arguments = session.environment.command_line or ("pytest", "perf")
    name = PurePath(program).name
    words = ["python", "-m", PurePath(program).parent.name] if name == "__main__.py" else [name]
    if not any(each == "--seed" or each.startswith("--seed=") for each in arguments):
        arguments = [*arguments, "--seed", str(session.seed)]
    return " ".join(map(shell_word, [*words, *arguments]))


def shell_word(argument: str) -> str:
    """An argument as a shell reads it back, even one that no terminal could show.

    POSIX quotes where they do; what is not printable needs the ``$'...'`` of bash and zsh.
    """
    if argument.isprintable():
        return shlex.quote(argument)
    escaped = argument.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"
