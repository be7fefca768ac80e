"""A client that sees bytes: plain sockets, so that no library tidies up what the server sent."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from harness.servers.truth import TrueRequest, TruthServer

DEADLINE_S = 20.0
END = b"\r\n0\r\n\r\n"


def message(path: str, body: object = None, *, method: str = "POST", headers: str = "") -> bytes:
    """The bytes of a request; a body that is no bytes becomes JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


def generate(**fields: object) -> bytes:
    """The bytes of a request to generate."""
    return message("/api/generate", {"model": "truth", "prompt": "hello"} | fields)


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection; what it waits for comes within a generous time."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port or 0), timeout=DEADLINE_S) as sock:
        yield sock


def read_pieces(sock: socket.socket, until: bytes = END) -> list[bytes]:
    """What each read gave, to the end of an answer or of the connection."""
    pieces: list[bytes] = []
    tail = b""
    while not tail.endswith(until):
        piece = sock.recv(1 << 20)
        if not piece:
            break
        pieces.append(piece)
        tail = (tail + piece)[-len(until) :]
    return pieces


def read_whole(sock: socket.socket) -> tuple[int, bytes]:
    """Status and body of an answer with a length."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(1 << 16)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += sock.recv(1 << 16)
    return int(head.split()[1]), body


def chunks(data: bytes) -> list[bytes]:
    """The chunks of an answer's body, without the empty last one."""
    found = []
    at = data.index(b"\r\n\r\n") + 4
    while at < len(data):
        line_end = data.index(b"\r\n", at)
        size, at = int(data[at:line_end], 16), line_end + 2
        if size == 0:
            break
        found.append(data[at : at + size])
        at += size + 2
    return found


def ask(url: str, path: str, body: object = None, *, method: str = "") -> tuple[int, Any]:
    """Status and JSON of an answer that comes whole."""
    with connected(url) as sock:
        sock.sendall(message(path, body, method=method or ("GET" if body is None else "POST")))
        status, data = read_whole(sock)
    return status, json.loads(data)


def stream(url: str, **fields: object) -> list[bytes]:
    """The chunks of a streamed answer."""
    with connected(url) as sock:
        sock.sendall(generate(**fields))
        return chunks(b"".join(read_pieces(sock)))


def texts(lines: list[bytes]) -> list[str]:
    """The texts of the lines of a stream, but for its done line."""
    decoded = [json.loads(line) for line in b"".join(lines).splitlines()]
    return [line["response"] for line in decoded if not line["done"]]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Polls until a condition holds; fails after a generous time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S} s in vain until {what}"
        time.sleep(0.005)


def logged(server: TruthServer, count: int = 1) -> tuple[TrueRequest, ...]:
    """The log, once so many requests are in it."""
    log: list[tuple[TrueRequest, ...]] = [()]

    def full() -> bool:
        log[0] = server.log()
        return len(log[0]) >= count

    wait_until(full, f"{count} requests are logged")
    return log[0]


def gaps_ns(request: TrueRequest) -> list[int]:
    """The true gaps between the tokens, ns."""
    return [later - earlier for earlier, later in pairwise(request.token_ns)]
