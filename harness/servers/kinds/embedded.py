"""The embedded engine: llama.cpp in this package, with a model that is made on the spot."""

from __future__ import annotations

import sys

from harness.servers.kinds.kind import Launch, ServerKind

EMBEDDED_MODEL = "embedded"


def is_embedded_model(model: str) -> bool:
    """True for the model that is made on the spot."""
    return model.removesuffix(":latest") == EMBEDDED_MODEL


def _command(launch: Launch) -> tuple[str, ...]:
    serve = (sys.executable, "-m", "harness", "serve", "--port", str(launch.port))
    return (*serve, "--parallel", str(launch.parallel), "--with-parent")


EMBEDDED = ServerKind(name="embedded", command=_command, model=EMBEDDED_MODEL, only_model=True, real=False)
