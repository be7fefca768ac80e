"""Which kind of server a session measures, and why: decided from options alone, before anything is started."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from harness.records.errors import ConfigurationError

KINDS = ("ollama", "embedded", "connect")
DEFAULT_PORTS = (11434, 11435)
DEFAULT_MODEL = "gemma3:latest"
EMBEDDED_MODEL = "embedded"
_MAX_PORT = 65535


def is_embedded_model(model: str) -> bool:
    """True for the model that is made on the spot."""
    return model.removesuffix(":latest") == EMBEDDED_MODEL


@dataclass(frozen=True, slots=True)
class Selection:
    """The servers of a session, before they are started.

    Attributes:
        kind: ``connect``, ``ollama`` or ``embedded``.
        reason: Why this kind, in words.
        urls: The servers to connect to; empty unless ``connect``.
        program: Path of ``ollama``; None unless ``ollama``.
        ports: Ports asked for, or () for free ones.
        free_ports: Free ports may be taken where these are in use.
        model: The model to measure.
        pull: A missing model may be pulled.
        pins: CPUs by server, or ().
        count: Servers that the agents are dealt out to.
        parallel: Requests that one more server works on at once (``OLLAMA_NUM_PARALLEL``); None starts none.
        parallel_url: That server if it is one to connect to.
    """

    kind: str
    reason: str
    model: str
    urls: tuple[str, ...] = ()
    program: str | None = None
    ports: tuple[int, ...] = ()
    free_ports: bool = False
    pull: bool = False
    pins: tuple[tuple[int, ...], ...] = ()
    count: int = 2
    parallel: int | None = None
    parallel_url: str | None = None


def checked_url(text: str, option: str) -> str:
    """A server's base URL without a trailing slash.

    Raises:
        ConfigurationError: If it is not one.
    """
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.URL(url)  # what it refuses could not be asked either
    except (ValueError, httpx.InvalidURL):
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise ConfigurationError(f"{option} {text!r} is not a server's URL: write for example http://127.0.0.1:11434")
    if port is None and parts.scheme == "http":
        raise ConfigurationError(f"{option} {text!r} has no port (that would be port 80): write {url}:11434")
    return url


def default_ports(count: int) -> tuple[int, ...]:
    """Ollama's usual port, and those after it."""
    return tuple(range(DEFAULT_PORTS[0], DEFAULT_PORTS[0] + count))


def parse_ports(text: str, count: int) -> tuple[int, ...]:
    """Reads ``11434,11435``, a port for each of ``count`` servers.

    Raises:
        ConfigurationError: If it is not so many different port numbers.
    """
    try:
        ports = tuple(int(part) for part in text.split(","))
    except ValueError:
        ports = ()
    if len(ports) != count or len(set(ports)) < count or not all(0 < p <= _MAX_PORT for p in ports):
        example = ",".join(map(str, default_ports(count)))
        raise ConfigurationError(
            f"--ports {text!r}: write {_many(count)} different port numbers, for example {example}"
        )
    return ports


def _many(count: int) -> str:
    return "two" if count == len(DEFAULT_PORTS) else str(count)


def parse_pins(text: str, usable: frozenset[int], count: int) -> tuple[tuple[int, ...], ...]:
    """Reads ``0,1`` (a CPU a server) or ``0-3,4-7`` (a range a server), for ``count`` servers.

    Raises:
        ConfigurationError: If it is neither, or names a CPU that this process may not use.
    """
    pins: list[tuple[int, ...]] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            wanted = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            wanted = range(0)
        cpus = tuple(wanted[: max(usable) + 2])  # one too many is enough to refuse it
        if not cpus:
            raise ConfigurationError(
                f"--pin {text!r}: write a CPU or a range for each server, for example 0,1 or 0-3,4-7"
            )
        if not usable.issuperset(cpus):
            have = ",".join(map(str, sorted(usable)))
            raise ConfigurationError(f"--pin {text!r}: this process may only use the CPUs {have}")
        pins.append(cpus)
    if len(pins) != count:
        raise ConfigurationError(
            f"--pin {text!r}: name a CPU (or a range) for each of the {_many(count)} servers, for example "
            f"{','.join(str(i % 2) for i in range(count))}"
        )
    return tuple(pins)


def select(
    *,
    server: str | None,
    urls: tuple[str | None, ...],
    program: str | None,
    model: str | None,
    count: int = len(DEFAULT_PORTS),
    which: Callable[[str], str | None] = shutil.which,
) -> Selection:
    """Chooses in this order: URLs given, an ``ollama`` program, the embedded engine; ``server`` forces a kind.

    Args:
        server: One of ``KINDS``, or None.
        urls: The servers' URLs as given, None where not; with any given they are the servers, whatever ``count``.
        program: Path of ``ollama`` as given, or None.
        model: Model as given, or None for the kind's default.
        count: Servers to start.
        which: Finds a program on PATH.

    Raises:
        ConfigurationError: If the options contradict each other or the forced kind cannot be had.
    """
    given = tuple(url for url in urls if url)
    if server not in (None, *KINDS):
        raise ConfigurationError(f"--server {server!r}: choose one of {', '.join(KINDS)}")
    if given and server not in (None, "connect"):
        raise ConfigurationError(f"--server {server} starts servers of its own: leave the agents' URLs out")
    if given and len(given) != len(urls):
        raise ConfigurationError("give both --collector-ollama-url and --insight-ollama-url, or neither")
    if given or server == "connect":
        found = given or tuple(f"http://127.0.0.1:{port}" for port in default_ports(count))
        reason = "URLs given" if given else "--server connect, Ollama's usual ports"
        return Selection("connect", reason, model or DEFAULT_MODEL, urls=found, count=len(found))
    path = which(program or "ollama")
    if program and path is None:
        raise ConfigurationError(f"--ollama-bin {program!r} is not a program that can be run")
    if server == "ollama" and path is None:
        raise ConfigurationError(
            "--server ollama: no `ollama` on PATH; install it, or give --ollama-bin PATH, "
            "or use --server embedded, which needs nothing"
        )
    if path and server != "embedded":
        reason = "--server ollama" if server else "--ollama-bin given" if program else "`ollama` is on PATH"
        return Selection(
            "ollama", reason, model or DEFAULT_MODEL, program=path, ports=default_ports(count), count=count
        )
    reason = "--server embedded" if server else "no URLs given, no `ollama` on PATH"
    if model and not is_embedded_model(model):
        raise ConfigurationError(
            f"--model {model}: the embedded engine ({reason}) only has the model `{EMBEDDED_MODEL}`; "
            "install Ollama or give the servers' URLs to measure another one"
        )
    return Selection("embedded", reason, EMBEDDED_MODEL, count=count)
