"""What a request asks for: bodies of Ollama's and OpenAI's paths, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from harness.protocol import UNDECODABLE
from harness.servers.embedded.options import RequestError, RunnerOptions, parse_keep_alive, parse_options
from harness.servers.truth.formats import Format, NativeFormat, OpenAIFormat

_T = TypeVar("_T")


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        """Its text, whether it came whole or in parts."""
        if isinstance(self.content, list):
            return " ".join(part.text or "" for part in self.content)
        return self.content or ""


class _Native(msgspec.Struct):
    model: str | None = None
    prompt: str | None = None
    system: str | None = None
    messages: list[_Message] | None = None
    stream: bool | None = None
    keep_alive: Any = None
    options: dict[str, Any] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _OpenAI(msgspec.Struct):
    model: str | None = None
    prompt: str | list[str | int | list[int]] | None = None
    messages: list[_Message] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None


class _Show(msgspec.Struct):
    model: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked request.

    Attributes:
        model: As it was named.
        prompt: The prompt, or the last message.
        words: Of the whole prompt: what counts as its tokens.
        empty: Nothing to answer: it loads or unloads.
        tokens: How many it wants, or None.
        options: How the model must be loaded.
        keep_alive_s: How long it shall stay, or None.
        stream: Token by token, or whole.
        format: How the answer is written.
    """

    model: str
    prompt: str
    words: int
    empty: bool
    tokens: int | None
    options: RunnerOptions
    keep_alive_s: float | None
    stream: bool
    format: Format


def read_native(body: bytes, chat: bool) -> Asked:
    """The request of ``/api/generate`` or ``/api/chat``.

    Raises:
        RequestError: it is none.
    """
    raw = _decode(body, _Native)
    runner, sampling = parse_options(raw.options or {})
    texts = [message.text for message in raw.messages or ()] if chat else [raw.prompt or ""]
    model = raw.model or ""
    if chat and not model.strip():
        raise RequestError(400, "model is required")
    return Asked(
        model=model,
        prompt=texts[-1] if texts else "",
        words=sum(len(text.split()) for text in [raw.system or "", *texts]),
        empty=not texts if chat else not texts[0],
        tokens=sampling.num_predict if sampling.num_predict > 0 else None,
        options=runner,
        keep_alive_s=parse_keep_alive(raw.keep_alive),
        stream=raw.stream is not False,
        format=NativeFormat(model, chat=chat),
    )


def read_openai(body: bytes, chat: bool) -> Asked:
    """The request of ``/v1/completions`` or ``/v1/chat/completions``; it always has an answer.

    Raises:
        RequestError: it is none.
    """
    raw = _decode(body, _OpenAI)
    if chat and not raw.messages:
        raise RequestError(400, "[] is too short - 'messages'")
    texts = [message.text for message in raw.messages or ()] if chat else [_prompt_text(raw.prompt)]
    usage = raw.stream_options is not None and bool(raw.stream_options.include_usage)
    limit = raw.max_completion_tokens or raw.max_tokens or 0
    model = raw.model or ""
    return Asked(
        model=model,
        prompt=texts[-1],
        words=sum(len(text.split()) for text in texts),
        empty=False,
        tokens=limit if limit > 0 else None,
        options=RunnerOptions(),
        keep_alive_s=None,
        stream=bool(raw.stream),
        format=OpenAIFormat(model, chat=chat, usage=usage),
    )


def read_show(body: bytes) -> str:
    """The model that ``/api/show`` asks about.

    Raises:
        RequestError: it names none.
    """
    raw = _decode(body, _Show)
    name = raw.model or raw.name or ""
    if not name:
        raise RequestError(400, "model is required")
    return name


def _prompt_text(prompt: str | list[str | int | list[int]] | None) -> str:
    return prompt if isinstance(prompt, str) else " ".join(map(str, prompt or ()))


def _decode(body: bytes, kind: type[_T]) -> _T:
    if not body.strip():
        raise RequestError(400, "missing request body")
    try:
        return msgspec.json.decode(body, type=kind)
    except UNDECODABLE as error:
        raise RequestError(400, str(error)) from error
