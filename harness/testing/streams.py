"""Bytes of Ollama's streams, as a server would write them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

Figure = int | str


def text_line(text: str) -> bytes:
    """One line of ``/api/generate`` with a piece of text."""
    return msgspec.json.encode({"model": "m", "response": text, "done": False}) + b"\n"


def done_line(*, tokens: int = 2, reason: str = "length", **figures: Figure) -> bytes:
    """The last line; ``figures`` go over the usual ones (durations in ns)."""
    usual: dict[str, object] = {
        "model": "m",
        "response": "",
        "done": True,
        "done_reason": reason,
        "total_duration": 40,
        "load_duration": 10,
        "prompt_eval_count": 5,
        "prompt_eval_duration": 10,
        "eval_count": tokens,
        "eval_duration": 20,
    }
    return msgspec.json.encode(usual | figures) + b"\n"


def stream_lines(texts: Iterable[str] = ("Hel", "lo")) -> tuple[bytes, ...]:
    """The lines of a whole stream: one for each piece of text, then the last one."""
    pieces = [text_line(text) for text in texts]
    return (*pieces, done_line(tokens=len(pieces)))
