"""Stamped reads of one answer to tokens: the part of a client that runs after its burst."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from perf.fidelity.loads import MODEL

Read = tuple[int, bytes]
"""Instant, ns, and bytes of one read."""


def request_body(nonce: str, tokens: int) -> dict[str, object]:
    """The body of a streamed ``/api/generate`` for a number of tokens; the prompt begins with the nonce."""
    prompt = f"{nonce} tell me of the sea"
    return {"model": MODEL, "prompt": prompt, "stream": True, "options": {"num_predict": tokens}}


def token_instants(reads: Iterable[Read], is_token: Callable[[bytes], bool]) -> tuple[int, ...]:
    """Instants of the lines that are tokens, ns: each has the one of the read that completed it."""
    instants: list[int] = []
    rest = b""
    for instant, data in reads:
        *lines, rest = (rest + data).split(b"\n")
        instants.extend(instant for line in lines if is_token(line))
    return tuple(instants)


def json_token(line: str | bytes) -> bool:
    """True for a line with text, as a user's client reads it.

    Raises:
        ValueError: If the line is neither empty nor JSON, or if it reports an error.
    """
    if not line.strip():
        return False
    item = json.loads(line)
    if "error" in item:
        raise ValueError(str(item["error"]))
    return bool(item.get("response"))


def looks_like_token(line: bytes) -> bool:
    """True for a line that begins as JSON and is not the last one: the least that a floor must know."""
    return line.startswith(b"{") and b'"done":false' in line


def rendered_request(host: str, nonce: str, tokens: int) -> bytes:
    """The same request as bytes of HTTP/1.1."""
    body = json.dumps(request_body(nonce, tokens)).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
