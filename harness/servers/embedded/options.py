"""The options of a request: names, types and defaults as in Ollama v0.24.0 (``api/types.go``)."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

log = logging.getLogger(__name__)

DEFAULT_NUM_CTX = 4096  # what Ollama takes on a machine without a GPU
MIN_NUM_CTX = 4
DEFAULT_KEEP_ALIVE_S = 300.0
MAX_PARALLEL = 256  # of the engine
_INT64_MAX = 2**63 - 1
_UINT64_MAX = 2**64 - 1
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


class RequestError(Exception):
    """A request that is answered with an error: ``status`` is the HTTP status, the text is the body's."""

    def __init__(self, status: int, message: str) -> None:
        """An answer with ``status`` and ``message``."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """What is fixed when a model is loaded: a change of any of them is a reload."""

    num_ctx: int = DEFAULT_NUM_CTX
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool | None = None
    num_thread: int = 0

    def serves(self, wanted: RunnerOptions) -> bool:
        """Whether a model loaded with these needs no reload for ``wanted`` (num_gpu -1 takes what is there)."""
        if wanted.num_gpu < 0:
            return replace(self, num_gpu=-1) == replace(wanted, num_gpu=-1)
        return self == wanted


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """What is fixed for one request."""

    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()


_RUNNER = {field.name: str(field.type) for field in fields(RunnerOptions)}
_SAMPLING = {field.name: str(field.type) for field in fields(SamplingOptions)}


def parse_options(raw: Mapping[str, Any]) -> tuple[RunnerOptions, SamplingOptions]:
    """The two groups of options in ``raw``; names that Ollama does not know are logged and ignored.

    Raises:
        RequestError: a value has the wrong type; the words are Ollama's.
    """
    runner: dict[str, Any] = {}
    sampling: dict[str, Any] = {}
    for name, value in raw.items():
        if name in _RUNNER:
            group, kind = runner, _RUNNER[name]
        elif name in _SAMPLING:
            group, kind = sampling, _SAMPLING[name]
        else:
            log.warning("invalid option provided option=%s", name)
            continue
        if value is not None:
            group[name] = _checked(name, kind, value)
    options = RunnerOptions(**runner)
    return replace(options, num_ctx=max(options.num_ctx, MIN_NUM_CTX)), SamplingOptions(**sampling)


def _checked(name: str, kind: str, value: object) -> object:
    """``value`` as the type ``kind``, converted as Go does (a fraction is cut off)."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "int":
        if number is None:
            raise _mistyped(name, "of type integer")
        return max(-_INT64_MAX - 1, min(_INT64_MAX, int(number)))
    if kind == "float":
        if number is None:
            raise _mistyped(name, "of type float32")
        return float(number)
    if kind == "bool | None":
        if not isinstance(value, bool):
            raise _mistyped(name, "of type boolean")
        return value
    if not isinstance(value, list):
        raise _mistyped(name, "of type array")
    if not all(isinstance(item, str) for item in value):
        raise _mistyped(name, "of an array of strings")
    return tuple(value)


def _mistyped(name: str, wanted: str) -> RequestError:
    return RequestError(500, f'option "{name}" must be {wanted}')  # 500 it is, in Ollama


def default_parallel(environment: Mapping[str, str]) -> int:
    """How many requests are worked on at once when nothing else is said: OLLAMA_NUM_PARALLEL, else 1.

    It is read as Ollama does: quotes are taken off, what is no number is logged and counts as 1, and so does 0.
    """
    value = environment.get("OLLAMA_NUM_PARALLEL", "").strip().strip("\"'")
    if not value:
        return 1
    if not (value.isascii() and value.isdecimal()) or int(value) > _UINT64_MAX:
        log.warning("invalid environment variable, using default key=OLLAMA_NUM_PARALLEL value=%s default=1", value)
        return 1
    return max(1, int(value))


def parse_keep_alive(value: object) -> float | None:
    """How long a model stays loaded, in seconds: ``inf`` is for ever, None is not said.

    Accepts what Ollama accepts: a number of seconds, or a Go duration ("5m", "1h30m"); negative is for ever.

    Raises:
        RequestError: it is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        names: dict[type, str] = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}
        raise RequestError(400, f"Unsupported type: '{names.get(type(value), type(value).__name__)}'")
    seconds = _duration_s(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 else seconds


def _duration_s(text: str) -> float:
    """A Go duration in seconds."""
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _DURATION.fullmatch(text):
        missing = re.fullmatch(r"[-+]?[\d.]*\d[\d.]*", text)
        problem = "missing unit in duration" if missing else "invalid duration"
        raise RequestError(400, f'time: {problem} "{text}"')
    total = sum(float(count) * _UNITS[unit] for count, unit in _TERM.findall(text))
    return -total if text.startswith("-") else total
