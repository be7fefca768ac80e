"""Kinds of servers that a session can start: one file each. Users add theirs by the hook of the plugin."""

from collections.abc import Mapping

from harness.servers.kinds.embedded import EMBEDDED, EMBEDDED_MODEL, is_embedded_model
from harness.servers.kinds.kind import LOOPBACK, Launch, ServerKind
from harness.servers.kinds.ollama import OLLAMA

KINDS: Mapping[str, ServerKind] = {kind.name: kind for kind in (OLLAMA, EMBEDDED)}
"""The kinds of this package, by name."""

__all__ = [
    "EMBEDDED",
    "EMBEDDED_MODEL",
    "KINDS",
    "LOOPBACK",
    "OLLAMA",
    "Launch",
    "ServerKind",
    "is_embedded_model",
]
