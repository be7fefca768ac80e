"""The libraries under test, and how each is used: as its own documentation recommends for many streams."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, cast

from perf.fidelity.observed import Observed

Finish = Callable[[], Observed]
"""Gives a request's observation after its burst; what a client parses later, it parses here."""


class Asking(Protocol):
    """A client under test with its connections open."""

    async def ask(self, nonce: str, tokens: int) -> Finish:
        """Sends one streamed request and reads its answer to the end."""
        ...


Connect = Callable[[str, int], AbstractAsyncContextManager[Asking]]
"""Makes a client of a URL for a number of streams."""


@dataclass(frozen=True, slots=True)
class Library:
    """A client under test.

    Attributes:
        name: On the command line and in the table.
        module: Where its ``connect`` is.
        package: Whose version is reported.
        settings: How it is used, in words.
        function: Name of the function in the module that makes the client.
        uvloop: Runs on uvloop; else on asyncio's own loop.
        frozen: The collector is frozen and off while it measures.
        needs: Packages without which it is left out.
    """

    name: str
    module: str
    package: str
    settings: str
    function: str = "connect"
    uvloop: bool = False
    frozen: bool = False
    needs: tuple[str, ...] = ()

    def connect(self) -> Connect:
        """The function that makes the client."""
        return cast("Connect", getattr(importlib.import_module(f"perf.fidelity.clients.{self.module}"), self.function))

    def missing(self) -> str | None:
        """Why it cannot run here, or None."""
        absent = [package for package in self.needs if not _version(package)]
        return f"not installed: {', '.join(absent)} (pip install -e '.[fidelity]')" if absent else None

    def version(self) -> str:
        """Version of its package."""
        return _version(self.package) or "unknown"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


_HTTPX_LIMITS = "no limit of connections, 20 kept alive (the default; more do harm), no timeout, asyncio"

LIBRARIES = (
    Library(
        "ours",
        "ours",
        "ollama-concurrency-harness",
        "measuring_client + measure_request, uvloop, collector frozen and off, parsed after each stream",
        uvloop=True,
        frozen=True,
        needs=("uvloop",),
    ),
    Library(
        "httpx-lines",
        "plain_httpx",
        "httpx",
        f"aiter_lines, each line stamped and then parsed by json, sent when it is called; {_HTTPX_LIMITS}",
        function="connect_lines",
    ),
    Library(
        "httpx-raw",
        "plain_httpx",
        "httpx",
        f"aiter_raw, each chunk stamped, parsed by json after the burst, sent as its trace says; {_HTTPX_LIMITS}",
        function="connect_raw",
    ),
    Library(
        "aiohttp",
        "aiohttp_any",
        "aiohttp",
        "content.iter_any, stamped, parsed by json after the burst, sent as its tracing says; TCPConnector(limit=0), "
        "no timeout, uvloop",
        uvloop=True,
        needs=("aiohttp", "uvloop"),
    ),
    Library(
        "ollama-python",
        "ollama_python",
        "ollama",
        f"AsyncClient.generate(stream=True), each part stamped, sent when it is called; httpx's {_HTTPX_LIMITS}",
        needs=("ollama",),
    ),
    Library(
        "floor",
        "floor",
        "uvloop",
        "bare asyncio.Protocol, stamped in data_received, uvloop, collector off; only lines are counted, after the "
        "burst; not an HTTP client",
        uvloop=True,
        frozen=True,
        needs=("uvloop",),
    ),
    Library(
        "floor-kernel",
        "floor_kernel",
        "uvloop",
        "bare sockets, add_reader and recvmsg with SO_TIMESTAMPNS, uvloop, collector off; only lines are counted, "
        "after the burst; not an HTTP client",
        uvloop=True,
        frozen=True,
        needs=("uvloop",),
    ),
)
