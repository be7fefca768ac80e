"""What the server tells about its one model: names, details, sizes, the bodies of tags, show and ps."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from harness.records.errors import ConfigurationError
from harness.servers.embedded.options import RequestError
from harness.servers.embedded.template import TEMPLATE
from harness.servers.embedded.wire import timestamp

NAME = "embedded:latest"
_DEFAULTS = {"host": "registry.ollama.ai", "namespace": "library", "tag": "latest"}
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")
_CONTEXT_STEP = 256  # the engine rounds its cache up to a multiple of this


@dataclass(frozen=True, slots=True)
class Model:
    """One model file and its metadata."""

    path: Path
    digest: str
    size: int
    modified_ns: int
    info: Mapping[str, Any]
    tensors: tuple[tuple[str, str, tuple[int, ...]], ...]

    @property
    def architecture(self) -> str:
        """The family, e.g. ``llama``."""
        return str(self.info["general.architecture"])

    def number(self, key: str) -> int:
        """The integer ``<architecture>.<key>`` of the metadata."""
        return int(self.info[f"{self.architecture}.{key}"])

    def memory(self, num_ctx: int) -> int:
        """Bytes that the model takes when loaded: its weights and the two 16-bit caches."""
        heads = self.number("attention.head_count")
        width = self.number("embedding_length") // heads * self.number("attention.head_count_kv")
        cells = -(-num_ctx // _CONTEXT_STEP) * _CONTEXT_STEP
        return self.size + 2 * 2 * cells * width * self.number("block_count")


def read_model(path: Path) -> Model:
    """Read the metadata and the digest of the model at ``path``.

    Raises:
        ConfigurationError: there is no readable GGUF file.
    """
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        reader = gguf.GGUFReader(path)
        status = path.stat()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read the model {path}: {error}; give the path of a GGUF file") from error
    info = {
        name: None if field.types[0] == gguf.GGUFValueType.ARRAY else field.contents()
        for name, field in sorted(reader.fields.items())
        if not name.startswith("GGUF.")
    }
    info["general.parameter_count"] = sum(int(tensor.n_elements) for tensor in reader.tensors)
    tensors = tuple((t.name, t.tensor_type.name, tuple(map(int, t.shape))) for t in reader.tensors)
    return Model(path, digest, status.st_size, status.st_mtime_ns, dict(sorted(info.items())), tensors)


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


def details(model: Model, parent: str = "") -> dict[str, Any]:
    """The ``details`` object."""
    return {
        "parent_model": parent,
        "format": "gguf",
        "family": model.architecture,
        "families": [model.architecture],
        "parameter_size": _human(int(model.info["general.parameter_count"])),
        "quantization_level": _file_type(int(model.info["general.file_type"])),
    }


def tags_body(model: Model) -> dict[str, Any]:
    """The body of ``/api/tags``."""
    entry = {
        "name": NAME,
        "model": NAME,
        "modified_at": timestamp(model.modified_ns),
        "size": model.size,
        "digest": model.digest,
        "details": details(model),
    }
    return {"models": [entry]}


def ps_entry(model: Model, context_length: int, expires_ns: int) -> dict[str, Any]:
    """One entry of ``/api/ps``."""
    return {
        "name": NAME,
        "model": NAME,
        "size": model.memory(context_length),
        "digest": model.digest,
        "details": details(model),
        "expires_at": timestamp(expires_ns),
        "size_vram": 0,
        "context_length": context_length,
    }


def show_body(model: Model) -> dict[str, Any]:
    """The body of ``/api/show``."""
    return {
        "modelfile": f'# Modelfile generated by "ollama show"\nFROM {model.path}\nTEMPLATE """{TEMPLATE}"""\n',
        "template": TEMPLATE,
        "details": details(model),
        "model_info": {key: value for key, value in model.info.items() if key != "tokenizer.chat_template"},
        "tensors": [{"name": name, "type": kind, "shape": list(shape)} for name, kind, shape in model.tensors],
        "capabilities": ["completion"],
        "modified_at": timestamp(model.modified_ns),
    }


def _file_type(number: int) -> str:
    name = gguf.LlamaFileType(number).name
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _human(count: int) -> str:
    """A count as Ollama prints it: 100680704 is 100.68M."""
    for unit, size, digits in (("B", 10**9, 1), ("M", 10**6, 2), ("K", 10**3, 0)):
        if count >= size:
            return f"{count / size:.{0 if count % size == 0 else digits}f}{unit}"
    return str(count)
