"""Bodies on the wire: requests checked as Go's JSON decoder does, answers with Ollama's fields."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from harness.servers.embedded.engine import Outcome
from harness.servers.embedded.names import canonical_name
from harness.servers.embedded.options import (
    RequestError,
    RunnerOptions,
    SamplingOptions,
    parse_keep_alive,
    parse_options,
)
from harness.servers.embedded.template import Message

_MAX_LOGPROBS = 20

encode = msgspec.json.Encoder().encode

_GO_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool,),
    "[]int": (list,),
    "map[string]interface {}": (dict,),
    "[]api.Message": (list,),
    "api.Tools": (list,),
    "[]api.ImageData": (list,),
    "int": (int,),
}
_SHARED = {
    "model": "string",
    "stream": "bool",
    "options": "map[string]interface {}",
    "truncate": "bool",
    "shift": "bool",
    "logprobs": "bool",
    "top_logprobs": "int",
}
_GENERATE = _SHARED | {
    "prompt": "string",
    "suffix": "string",
    "system": "string",
    "template": "string",
    "context": "[]int",
    "raw": "bool",
    "images": "[]api.ImageData",
}
_CHAT = _SHARED | {"messages": "[]api.Message", "tools": "api.Tools"}
_SHOW = {"model": "string", "name": "string", "verbose": "bool"}
_MESSAGE = {"role": "string", "content": "string", "images": "[]api.ImageData"}


@dataclass(frozen=True, slots=True)
class Inference:
    """A checked request to generate; ``messages`` is None for a raw prompt."""

    model: str
    chat: bool
    stream: bool
    prompt: str
    messages: tuple[Message, ...] | None
    template: str
    truncate: bool
    keep_alive_s: float | None
    runner: RunnerOptions
    sampling: SamplingOptions

    @property
    def empty(self) -> bool:
        """Whether there is nothing to answer: such a request loads or unloads."""
        return not self.messages if self.chat else not self.prompt


def read_generate(body: bytes) -> Inference:
    """The request of ``/api/generate``.

    Raises:
        RequestError: it is none, or asks for what this server does not do.
    """
    raw = _fields(body, "GenerateRequest", _GENERATE)
    _refuse(raw, ("suffix", f"{_full_name(raw)} does not support insert"), ("context", _NO_CONTEXT))
    prompt = raw.get("prompt") or ""
    template = raw.get("template") or ""
    messages: tuple[Message, ...] | None = None
    if raw.get("raw"):
        if template or raw.get("system"):
            raise RequestError(400, "raw mode does not support template, system, or context")
    else:
        system = (Message("system", raw["system"]),) if raw.get("system") else ()
        messages = (*system, Message("user", prompt))
    return _inference(raw, False, prompt, messages, template)


def read_chat(body: bytes) -> Inference:
    """The request of ``/api/chat``.

    Raises:
        RequestError: it is none, or asks for what this server does not do.
    """
    raw = _fields(body, "ChatRequest", _CHAT)
    _refuse(raw, ("tools", f"{_full_name(raw)} does not support tools"))
    messages = []
    for item in raw.get("messages") or []:
        if not isinstance(item, dict):
            raise _mistyped(item, "ChatRequest.messages", "api.Alias")
        _check(item, "ChatRequest.messages", _MESSAGE)
        _refuse(item, ("images", _NO_IMAGES))
        messages.append(Message((item.get("role") or "").lower(), item.get("content") or ""))
    return _inference(raw, True, "", tuple(messages), "")


def read_show(body: bytes) -> str:
    """The model that ``/api/show`` asks about.

    Raises:
        RequestError: it names none.
    """
    raw = _fields(body, "ShowRequest", _SHOW)
    name = str(raw.get("model") or raw.get("name") or "")
    if not name:
        raise RequestError(400, "model is required")
    return name


_NO_CONTEXT = "the embedded server does not continue from a context; send the conversation to /api/chat"
_NO_IMAGES = "the embedded server's model does not support images; send text only"
_NO_FORMAT = "the embedded server does not support format; leave it out"
_NO_SHIFT = "the embedded server always moves a full context on; leave shift out"
_NO_LOGPROBS = "the embedded server does not support logprobs; leave it out"


def _inference(
    raw: Mapping[str, Any], chat: bool, prompt: str, messages: tuple[Message, ...] | None, template: str
) -> Inference:
    model = raw.get("model") or ""
    _check_think(raw.get("think"), model)
    if raw.get("shift") is False:
        raise RequestError(400, _NO_SHIFT)
    if not 0 <= (raw.get("top_logprobs") or 0) <= _MAX_LOGPROBS:
        raise RequestError(400, f"top_logprobs must be between 0 and {_MAX_LOGPROBS}")
    if raw.get("format") not in (None, ""):
        raise RequestError(400, _NO_FORMAT)
    _refuse(raw, ("images", _NO_IMAGES), ("logprobs", _NO_LOGPROBS))
    runner, sampling = parse_options(raw.get("options") or {})
    return Inference(
        model=model,
        chat=chat,
        stream=raw.get("stream") is not False,
        prompt=prompt,
        messages=messages,
        template=template,
        truncate=raw.get("truncate") is not False,
        keep_alive_s=parse_keep_alive(raw.get("keep_alive")),
        runner=runner,
        sampling=sampling,
    )


def _full_name(raw: Mapping[str, Any]) -> str:
    return canonical_name(raw.get("model") or "")


def _check_think(value: object, model: str) -> None:
    levels = ("high", "medium", "low", "max")
    options = ", ".join(f'"{level}"' for level in levels)
    if isinstance(value, str) and value not in levels:
        raise RequestError(400, f'invalid think value: "{value}" (must be {options}, true, or false)')
    if not isinstance(value, str | bool | None):
        raise RequestError(400, f"think must be a boolean or string ({options}, true, or false)")
    if value:
        raise RequestError(400, f'"{model}" does not support thinking')


def _no_constant(name: str) -> NoReturn:
    raise RequestError(400, f"invalid character {name[0]!r} looking for beginning of value")


def _refuse(raw: Mapping[str, Any], *unsupported: tuple[str, str]) -> None:
    for name, message in unsupported:
        if raw.get(name):
            raise RequestError(400, message)


def _fields(body: bytes, struct: str, types: Mapping[str, str]) -> dict[str, Any]:
    """The JSON object in ``body``, its known fields of the right types (null counts as left out)."""
    try:
        text = body.decode(errors="replace").lstrip(" \t\r\n")
        if not text:
            raise RequestError(400, "missing request body")
        value, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(
            text
        )  # what follows the first value is not read
    except json.JSONDecodeError as error:
        if error.pos >= len(error.doc.rstrip()) or "Unterminated" in error.msg:
            raise RequestError(400, "unexpected EOF") from error
        where = "looking for beginning of value" if error.msg == "Expecting value" else f"({error.msg})"
        raise RequestError(400, f"invalid character {error.doc[error.pos]!r} {where}") from error
    except RecursionError as error:
        raise RequestError(400, "exceeded max depth") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mistyped(value, "", f"api.{struct}")
    _check(value, struct, types)
    return value


def _check(raw: Mapping[str, Any], struct: str, types: Mapping[str, str]) -> None:
    for name, kind in types.items():
        value = raw.get(name)
        wrong = not isinstance(value, _GO_TYPES[kind]) or (kind == "int" and isinstance(value, bool))
        if value is not None and wrong:
            raise _mistyped(value, f"{struct}.{name}", kind)


def _mistyped(value: object, place: str, kind: str) -> RequestError:
    if isinstance(value, bool):
        found = "bool"
    else:
        names: dict[type, str] = {str: "string", list: "array", dict: "object"}
        found = names.get(type(value), "number")
    into = f"Go struct field {place}" if place else "Go value"
    return RequestError(400, f"json: cannot unmarshal {found} into {into} of type {kind}")


def timestamp(ns: int) -> str:
    """An instant (ns since the epoch) as RFC 3339 in UTC, as precise as it is."""
    seconds, rest = divmod(ns, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{rest:09d}".rstrip("0")
    return f"{whole}{fraction if rest else ''}Z"


def part(request: Inference, text: str) -> dict[str, Any]:
    """One answer, or one chunk of it, that is not the last."""
    body: dict[str, Any] = {"model": request.model, "created_at": timestamp(time.time_ns())}
    if request.chat:
        body["message"] = {"role": "assistant", "content": text}
    else:
        body["response"] = text
    body["done"] = False
    return body


def last(
    request: Inference,
    text: str,
    reason: str,
    total_ns: int = 0,
    load_ns: int = 0,
    outcome: Outcome | None = None,
) -> dict[str, Any]:
    """The last chunk; counts and times that are zero are left out, as Ollama does."""
    body = part(request, text) | {"done": True, "done_reason": reason}
    measured = {"total_duration": total_ns, "load_duration": load_ns}
    if outcome is not None:
        measured["prompt_eval_count"] = outcome.prompt_count
        measured["prompt_eval_duration"] = outcome.prompt_ns
        measured["eval_count"] = outcome.eval_count
        measured["eval_duration"] = outcome.eval_ns
    return body | {name: value for name, value in measured.items() if value}
