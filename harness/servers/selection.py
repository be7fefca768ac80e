"""Which kind of server a session measures, and why: decided from options alone, before anything is started."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from harness.records.errors import ConfigurationError
from harness.records.stream import encodable
from harness.servers.kinds import EMBEDDED, KINDS, LOOPBACK, OLLAMA, ServerKind

CONNECT = "connect"
"""In place of a kind: nothing is started."""
DEFAULT_PORTS = OLLAMA.ports(2)
DEFAULT_MODEL = OLLAMA.model
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Selection:
    """The servers of a session, before they are started.

    Attributes:
        kind: ``connect``, or the name of the kind that is started.
        reason: Why this kind, in words.
        urls: The servers to connect to; empty unless ``connect``.
        program: Path of the kind's program; None if it needs none.
        ports: Ports asked for, or () for free ones.
        free_ports: Free ports may be taken where these are in use.
        model: The model to measure.
        pull: A missing model may be pulled.
        pins: CPUs by server, or ().
        count: Servers that the agents are dealt out to.
        parallel: Requests that one more server works on at once (``OLLAMA_NUM_PARALLEL``); None starts none.
        parallel_url: That server if it is one to connect to.
        starts: How they are started; None as this package's kind of that name.
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
    starts: ServerKind | None = None

    @property
    def starter(self) -> ServerKind:
        """How they are started.

        Raises:
            KeyError: If they are only connected to.
        """
        return self.starts or KINDS[self.kind]

    @property
    def real(self) -> bool:
        """True for Ollama servers, or such as stand in for them."""
        return self.kind == CONNECT or self.starter.real

    @property
    def facts(self) -> Mapping[str, str]:
        """What is known of the set-up of started servers, by name; of others nothing is."""
        if self.kind == CONNECT:
            return {}
        try:
            return {encodable(str(name)): encodable(str(text)) for name, text in self.starter.facts().items()}
        except Exception as error:  # a user's kind may raise anything
            why = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"--server {self.kind}: its facts could not be had: {why}") from error


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
    return OLLAMA.ports(count)


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
    kinds: Mapping[str, ServerKind] = KINDS,
) -> Selection:
    """Chooses in this order: URLs given, an ``ollama`` program, the embedded engine; ``server`` forces a kind.

    Args:
        server: ``connect``, a name of ``kinds``, or None.
        urls: The servers' URLs as given, None where not; with any given they are the servers, whatever ``count``.
        program: Path of ``ollama`` as given, or None.
        model: Model as given, or None for the kind's default.
        count: Servers to start.
        which: Finds a program on PATH.
        kinds: What can be started.

    Raises:
        ConfigurationError: If the options contradict each other or the forced kind cannot be had.
    """
    given = tuple(url for url in urls if url)
    if server not in (None, CONNECT, *kinds):
        raise ConfigurationError(f"--server {server!r}: choose one of {', '.join((*kinds, CONNECT))}")
    if given and server not in (None, CONNECT):
        raise ConfigurationError(f"--server {server} starts servers of its own: leave the agents' URLs out")
    if given and len(given) != len(urls):
        raise ConfigurationError("give both --collector-ollama-url and --insight-ollama-url, or neither")
    if given or server == CONNECT:
        found = given or tuple(f"http://{LOOPBACK}:{port}" for port in default_ports(count))
        reason = "URLs given" if given else "--server connect, Ollama's usual ports"
        return Selection(CONNECT, reason, model or DEFAULT_MODEL, urls=found, count=len(found))
    if program and server not in (None, OLLAMA.name, EMBEDDED.name):
        raise ConfigurationError(f"--ollama-bin is for --server ollama: --server {server} starts a program of its own")
    ollama = which(program or "ollama")
    if program and ollama is None:
        raise ConfigurationError(f"--ollama-bin {program!r} is not a program that can be run")
    kind = kinds[server] if server else OLLAMA if ollama else EMBEDDED
    if server:
        reason = f"--server {server}"
    elif kind is OLLAMA:
        reason = "--ollama-bin given" if program else "`ollama` is on PATH"
    else:
        reason = "no URLs given, no `ollama` on PATH"
    path = _program(kind, ollama, which)
    if model and kind.only_model and not _same_model(model, kind.model):
        what = "the embedded engine" if kind is EMBEDDED else kind.name
        raise ConfigurationError(
            f"--model {model}: {what} ({reason}) only has the model `{kind.model}`; "
            "install Ollama or give the servers' URLs to measure another one"
        )
    wanted = kind.model if kind.only_model else model or kind.model
    return Selection(kind.name, reason, wanted, program=path, ports=kind.ports(count), count=count, starts=kind)


def _program(kind: ServerKind, ollama: str | None, which: Callable[[str], str | None]) -> str | None:
    """Path of a kind's program, or None if it needs none."""
    if kind.program is None:
        return None
    path = ollama if kind is OLLAMA else which(kind.program)
    if path is None:
        raise ConfigurationError(f"--server {kind.name}: no `{kind.program}` on PATH; {kind.advice}")
    return path


def _same_model(one: str, other: str) -> bool:
    return one.removesuffix(":latest") == other.removesuffix(":latest")
