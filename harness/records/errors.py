"""The exception tree: whose fault it is stands in the type.

Foreign exceptions (httpx, OSError, msgspec) are translated where they enter and never travel further.
Every message is one a person can act on.
"""

from __future__ import annotations


class HarnessError(Exception):
    """Any error that this package raises on purpose; its message says what to do."""


class ConfigurationError(HarnessError):
    """The caller asked for something impossible or malformed (an option, a URL, a threshold)."""


class ServerError(HarnessError):
    """A server did not start, did not answer, or died; the message ends with its last log lines if known."""


class PortInUseError(ServerError):
    """Somebody else listens on the port that a server of ours was to have."""


class ModelError(HarnessError):
    """The model is missing on a server, or could not be loaded, pulled or created there."""


class ProtocolError(HarnessError):
    """A server broke Ollama's protocol: not JSON, an error line, or a stream that ended without ``done``."""


class JournalError(HarnessError):
    """A journal or a stored baseline cannot be written, or is not one that this version can read."""
