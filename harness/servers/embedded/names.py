"""Names of models, as Ollama reads them; here there is one model."""

from __future__ import annotations

import re

from harness.servers.embedded.options import RequestError

NAME = "embedded:latest"
_DEFAULTS = {"host": "registry.ollama.ai", "namespace": "library", "tag": "latest"}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


def canonical_name(raw: str) -> str:
    """``raw`` with Ollama's defaults filled in, or "" when it is no valid name."""
    rest, tag = raw, _DEFAULTS["tag"]
    if raw.rfind(":") > raw.rfind("/"):
        rest, _, tag = raw.rpartition(":")
    head, _, model = rest.rpartition("/")
    host, _, namespace = head.rpartition("/")
    host = host.split("://")[-1] or _DEFAULTS["host"]
    namespace = namespace or _DEFAULTS["namespace"]
    if rest.startswith("/") or not all(_PART.fullmatch(part) for part in (namespace, model, tag)):
        return ""
    return "/".join((host, namespace, f"{model}:{tag}")).lower()


def require_model(raw: str) -> None:
    """Check that ``raw`` names the one model.

    Raises:
        RequestError: 400 for a name that is none, 404 for a model that is not here.
    """
    name = canonical_name(raw.strip())
    if not name and raw.strip():
        raise RequestError(400, "invalid model name")
    if name != canonical_name(NAME):
        raise RequestError(404, f"model '{raw}' not found")
