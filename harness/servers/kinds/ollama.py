"""Ollama's own program, set up so that one request runs at a time and the model stays where it is."""

from __future__ import annotations

import os

from harness.servers.embedded.model import default_cache_dir
from harness.servers.kinds.embedded import is_embedded_model
from harness.servers.kinds.kind import LOOPBACK, Launch, ServerKind

_PLACES = ("OLLAMA_HOST", "OLLAMA_MODELS")


def _command(launch: Launch) -> tuple[str, ...]:
    return launch.program, "serve"


def _environment(launch: Launch) -> dict[str, str]:
    environment = {
        "OLLAMA_HOST": f"{LOOPBACK}:{launch.port}",
        "OLLAMA_NUM_PARALLEL": str(launch.parallel),
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
    }
    if is_embedded_model(launch.model):  # the user's own store is not the place for our test model
        environment["OLLAMA_MODELS"] = str(default_cache_dir() / "ollama-models")
    return environment


def _told() -> dict[str, str]:
    """What the environment tells them beside our own (flash attention, type of the KV cache)."""
    names = sorted(name for name in os.environ if name.startswith("OLLAMA_") and name not in _PLACES)
    return {name: os.environ[name] for name in names}


OLLAMA = ServerKind(
    name="ollama",
    command=_command,
    environment=_environment,
    program="ollama",
    advice="install it, or give --ollama-bin PATH, or use --server embedded, which needs nothing",
    port=11434,
    facts=_told,
)
