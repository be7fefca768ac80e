"""What a kind of server is: how one is started. Everything else is asked of it over Ollama's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Launch:
    """A server that is to be started.

    Attributes:
        port: Port of 127.0.0.1 that it must listen on.
        parallel: Requests that it is to work on at once, 1 or more.
        model: The model that the session measures.
        program: Path of the kind's program; empty for a kind that names none.
    """

    port: int
    parallel: int
    model: str
    program: str = ""


def nothing_more(_launch: Launch) -> dict[str, str]:
    """No variables over those of the session's own environment."""
    return {}


def no_facts() -> dict[str, str]:
    """No facts."""
    return {}


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A kind of server that a session can start. It speaks Ollama's API, and is ready once ``/api/version`` answers.

    Attributes:
        name: Its name for ``--server``.
        command: Program and arguments that serve until they are ended by SIGTERM.
        environment: Variables put over those of the session's own environment.
        program: Name of its program on PATH, or the program's path; None for one that needs none.
        advice: What to do where there is no such program.
        port: Port of the first server, the others have those after it; None takes free ones.
        model: What it measures unless the user names a model.
        only_model: It has no other model.
        real: What is marked ``ollama`` or ``gpu`` can run on it, as on a real Ollama.
        facts: What else of its set-up belongs into the journal, by name. Those whose name begins with ``OLLAMA_`` have
            to be equal in a stored baseline.
    """

    name: str
    command: Callable[[Launch], Sequence[str]]
    environment: Callable[[Launch], Mapping[str, str]] = nothing_more
    program: str | None = None
    advice: str = "install it"
    port: int | None = None
    model: str = "gemma3:latest"
    only_model: bool = False
    real: bool = True
    facts: Callable[[], Mapping[str, str]] = no_facts

    def ports(self, count: int) -> tuple[int, ...]:
        """Ports of so many servers; () for free ones."""
        return () if self.port is None else tuple(range(self.port, self.port + count))
