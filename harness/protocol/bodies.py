"""Bodies of the requests that the harness sends.

Source: Ollama's API documentation, ``/api/generate``.
"""

from __future__ import annotations

from collections.abc import Mapping

JsonObject = dict[str, object]


def generate_body(model: str, prompt: str, options: Mapping[str, float], *, keep_alive: int | None = -1) -> JsonObject:
    """A streamed ``/api/generate`` without thinking; ``options`` go to the server as they are.

    With None for ``keep_alive`` none is sent: a loaded model keeps the one it has, and its time begins again.
    """
    kept: JsonObject = {} if keep_alive is None else {"keep_alive": keep_alive}
    return {"model": model, "prompt": prompt, "stream": True, "think": False, **kept, "options": dict(options)}


def load_body(model: str, options: Mapping[str, float], *, keep_alive: int = -1) -> JsonObject:
    """An empty prompt: the server loads the model with these runner options and answers when it is there."""
    return {"model": model, "stream": False, "keep_alive": keep_alive, "options": dict(options)}


def unload_body(model: str) -> JsonObject:
    """An empty prompt with ``keep_alive`` 0: the server lets the model go."""
    return {"model": model, "stream": False, "keep_alive": 0}


def normalized_model(name: str) -> str:
    """The name with its tag, as Ollama lists it: ``gemma3`` is ``gemma3:latest``."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
