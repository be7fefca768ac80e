"""The command that measures a session again is the one it was started with, and a shell reads it as it was."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import replace

import pytest

from harness.records import Session
from harness.report.reproduction import reproduction, shell_word
from harness.testing import build_session


def run_as(*command: str) -> Session:
    """A session that was started so; its seed is 7."""
    plain = build_session()
    return replace(plain, environment=replace(plain.environment, command_line=command))


def test_the_command_is_the_sessions_own_with_its_seed() -> None:
    """Quoted for a shell, whichever way pytest was started."""
    assert (
        reproduction(run_as("/v/bin/pytest", "perf", "--threshold", "a b")) == "pytest perf --threshold 'a b' --seed 7"
    )
    assert reproduction(run_as("/v/site-packages/pytest/__main__.py", "perf")) == "python -m pytest perf --seed 7"
    assert reproduction(run_as()) == "pytest perf --seed 7"


def test_a_seed_that_was_given_is_not_given_twice() -> None:
    """In either form of the option."""
    assert reproduction(run_as("pytest", "perf", "--seed", "9")) == "pytest perf --seed 9"
    assert reproduction(run_as("pytest", "perf", "--seed=9")) == "pytest perf --seed=9"


@pytest.mark.parametrize(
    "argument", ["plain", "two words", "it's", "$HOME `x`", "a\nb\t\x1b[31m", "back\\slash\n'", "\u202ex"]
)
def test_an_argument_is_read_back_by_a_shell(argument: str) -> None:
    """Bash gives the argument as it was, and what is shown of it can be printed."""
    word = shell_word(argument)
    assert word.isprintable()
    command = ["/bin/bash", "-c", f"printf %s {word}"]
    shell = subprocess.run(command, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert shell.stdout.decode() == argument


def test_a_usual_argument_is_quoted_as_usual() -> None:
    """No need for more than POSIX has."""
    assert shell_word("a b") == shlex.quote("a b")
    assert "\x1b" not in shell_word("\x1b[31m")
