"""The lines of answers, as Ollama writes them on its own paths and on OpenAI's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import msgspec

_encode = msgspec.json.Encoder().encode
_NS_PER_S = 1_000_000_000
_ERROR_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a server tells at the end; durations in ns, and true."""

    reason: str
    total_ns: int = 0
    load_ns: int = 0
    prompt_count: int = 0
    prompt_ns: int = 0
    eval_count: int = 0
    eval_ns: int = 0


class Format(Protocol):
    """How an answer is written."""

    @property
    def content_type(self) -> bytes:
        """Of a stream."""

    def token(self, text: bytes) -> bytes:
        """The line of one token; its text is put in as it is."""

    def end(self, figures: Figures) -> bytes:
        """The lines after the last token."""

    def error(self, message: str) -> bytes:
        """The line of an error in mid-stream."""

    def whole(self, text: str, figures: Figures) -> bytes:
        """The whole answer at once, in JSON."""


class NativeFormat:
    """Ollama's own: a JSON object on each line."""

    content_type = b"application/x-ndjson"

    def __init__(self, model: str, *, chat: bool) -> None:
        """Of answers by this model, as it was named."""
        self._model = model
        self._chat = chat
        self._start = b'{"model":' + _encode(model) + b',"created_at":"'
        self._middle = b'","message":{"role":"assistant","content":"' if chat else b'","response":"'
        self._rest = b'"},"done":false}\n' if chat else b'","done":false}\n'

    def token(self, text: bytes) -> bytes:
        """The line of one token."""
        return self._start + timestamp(time.time_ns()) + self._middle + text + self._rest

    def end(self, figures: Figures) -> bytes:
        """The line that says done."""
        return self.whole("", figures) + b"\n"

    def error(self, message: str) -> bytes:
        """A bare error."""
        return _encode({"error": message}) + b"\n"

    def whole(self, text: str, figures: Figures) -> bytes:
        """The whole answer; figures that are zero are left out, as Ollama does."""
        body: dict[str, Any] = {"model": self._model, "created_at": timestamp(time.time_ns()).decode()}
        if self._chat:
            body["message"] = {"role": "assistant", "content": text}
        else:
            body["response"] = text
        measured = {
            "total_duration": figures.total_ns,
            "load_duration": figures.load_ns,
            "prompt_eval_count": figures.prompt_count,
            "prompt_eval_duration": figures.prompt_ns,
            "eval_count": figures.eval_count,
            "eval_duration": figures.eval_ns,
        }
        body |= {"done": True, "done_reason": figures.reason}
        return _encode(body | {name: value for name, value in measured.items() if value})


class OpenAIFormat:
    """OpenAI's: server-sent events."""

    content_type = b"text/event-stream"

    def __init__(self, model: str, *, chat: bool, usage: bool) -> None:
        """Of answers by this model; with ``usage`` an event before the last tells the counts."""
        self._chat = chat
        self._usage = usage
        self._base: dict[str, Any] = {
            "id": "chatcmpl-truth" if chat else "cmpl-truth",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": "fp_ollama",
        }
        mark = b'"content":"' if chat else b'"text":"'  # inside another string its quotes would be escaped
        before, _, self._rest = self._event([self._choice("", None)]).rpartition(mark)
        self._start = before + mark

    def token(self, text: bytes) -> bytes:
        """The event of one token."""
        return self._start + text + self._rest

    def end(self, figures: Figures) -> bytes:
        """The event that says why it ended, the counts if they were asked for, and the last one."""
        lines = self._event([self._choice("", figures.reason)])
        if self._usage:
            lines += self._event([], _usage(figures))
        return lines + b"data: [DONE]\n\n"

    def error(self, message: str) -> bytes:
        """An event with an error."""
        return b"data: " + _encode(openai_error(message, 500)) + b"\n\n"

    def whole(self, text: str, figures: Figures) -> bytes:
        """The whole answer."""
        kind = "chat.completion" if self._chat else "text_completion"
        choice: dict[str, Any] = {"index": 0, "finish_reason": figures.reason}
        choice |= {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        return _encode(self._base | {"object": kind, "choices": [choice], "usage": _usage(figures)})

    def _choice(self, text: str, reason: str | None) -> dict[str, Any]:
        content: dict[str, Any] = {"delta": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        return {"index": 0, **content, "finish_reason": reason}

    def _event(self, choices: list[dict[str, Any]], usage: Mapping[str, int] | None = None) -> bytes:
        body = self._base | {"choices": choices}
        return b"data: " + _encode(body | {"usage": usage} if usage else body) + b"\n\n"


def openai_error(message: str, status: int) -> dict[str, Any]:
    """The body of an error on OpenAI's paths, as Ollama writes it."""
    kind = _ERROR_TYPES.get(status, "api_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _usage(figures: Figures) -> dict[str, int]:
    return {
        "prompt_tokens": figures.prompt_count,
        "completion_tokens": figures.eval_count,
        "total_tokens": figures.prompt_count + figures.eval_count,
    }


def timestamp(ns: int) -> bytes:
    """An instant (ns since the epoch) as RFC 3339 in UTC."""
    second, rest = divmod(ns, _NS_PER_S)
    return b"%b.%09dZ" % (_second(second), rest)


@lru_cache(maxsize=8)
def _second(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
