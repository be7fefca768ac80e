"""What the server tells about its models: the bodies of tags, show, ps and OpenAI's list."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Any

from harness.servers.truth.formats import timestamp
from harness.servers.truth.memory import Loaded
from harness.servers.truth.spec import ModelSpec

CONTEXT_LENGTH = 131_072
_DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "truth",
    "families": ["truth"],
    "parameter_size": "1B",
    "quantization_level": "F16",
}
_INFO = {
    "general.architecture": "truth",
    "general.parameter_count": 1_000_000_000,
    "truth.block_count": 16,
    "truth.context_length": CONTEXT_LENGTH,
    "truth.embedding_length": 2048,
    "truth.attention.head_count": 32,
    "truth.attention.head_count_kv": 8,
}
_BORN_NS = time.time_ns()


def tags_body(models: Iterable[ModelSpec]) -> dict[str, Any]:
    """The body of ``/api/tags``."""
    return {"models": [_named(model) | {"modified_at": timestamp(_BORN_NS).decode()} for model in models]}


def ps_body(loaded: Iterable[Loaded]) -> dict[str, Any]:
    """The body of ``/api/ps``."""
    return {
        "models": [
            _named(each.model)
            | {
                "expires_at": timestamp(each.expires_ns).decode(),
                "size_vram": each.resident_bytes,
                "context_length": min(each.options.num_ctx, CONTEXT_LENGTH),
            }
            for each in loaded
        ]
    }


def show_body() -> dict[str, Any]:
    """The body of ``/api/show``."""
    return {
        "modelfile": "# The ground-truth server has no model file\n",
        "template": "{{ .Prompt }}",
        "details": _DETAILS,
        "model_info": _INFO,
        "capabilities": ["completion"],
        "modified_at": timestamp(_BORN_NS).decode(),
    }


def openai_body(models: Iterable[ModelSpec]) -> dict[str, Any]:
    """The body of ``/v1/models``."""
    return {"object": "list", "data": [openai_model(model) for model in models]}


def openai_model(model: ModelSpec) -> dict[str, Any]:
    """One model as OpenAI lists it."""
    return {"id": model.name, "object": "model", "created": _BORN_NS // 1_000_000_000, "owned_by": "library"}


def _named(model: ModelSpec) -> dict[str, Any]:
    digest = hashlib.sha256(model.name.encode()).hexdigest()
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size_bytes,
        "digest": digest,
        "details": _DETAILS,
    }
