"""Kinds of servers that users bring, checked and put beside those that are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from harness.records.errors import ConfigurationError
from harness.servers.kinds.kind import ServerKind

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_CONNECT = "connect"
_MAX_PORT = 65535


def with_kinds(known: Mapping[str, ServerKind], given: object, source: str) -> Mapping[str, ServerKind]:
    """The known kinds and more.

    Args:
        known: Kinds by name.
        given: What a user's hook returned: kinds.
        source: Whose hook, for messages.

    Raises:
        ConfigurationError: If it is not that, or two kinds have one name; in one line that says what to write.
    """
    if given is None:
        return known
    kinds = dict(known)
    for kind in given if isinstance(given, Iterable) and not isinstance(given, str | bytes) else (given,):
        if not isinstance(kind, ServerKind):
            raise ConfigurationError(
                f"{source}: pytest_concurrency_servers must return ServerKinds, [ServerKind(...)], "
                f"not a {type(kind).__name__}"
            )
        _check(kind, source)
        if kind.name in (*kinds, _CONNECT):
            raise ConfigurationError(f"{source}: server kind {kind.name!r} is there already: give it another name")
        kinds[kind.name] = kind
    return kinds


def _check(kind: ServerKind, source: str) -> None:
    name: object = kind.name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{source}: a server kind's name must be a word of letters, digits, _ and -, not {name!r}"
        )
    where = f"{source}: server kind {name!r}"
    for what, function, form in (
        ("command", kind.command, "lambda launch: [PROGRAM, ...]"),
        ("environment", kind.environment, 'lambda launch: {"NAME": "value"}'),
        ("facts", kind.facts, 'lambda: {"NAME": "value"}'),
    ):
        if not callable(function):
            raise ConfigurationError(f"{where}: its {what} must be a function, {form}, not a {type(function).__name__}")
    port: object = kind.port
    if port is not None and not (isinstance(port, int) and 0 < port <= _MAX_PORT):
        raise ConfigurationError(f"{where}: its port must be a port number, or None for free ones, not {port!r}")
    for what, text in (("model", kind.model), ("program", kind.program)):
        if text is not None and (not isinstance(text, str) or not text):
            raise ConfigurationError(f"{where}: its {what} must be a text, not {text!r}")
