"""The servers of a session: started or connected to, and ready; ours are gone when it ends, others never stopped."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.records.errors import PortInUseError, ProtocolError, ServerError
from harness.servers.api import OllamaApi
from harness.servers.embedded.model import default_cache_dir, ensure_model
from harness.servers.kinds import LOOPBACK, Launch, is_embedded_model
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry, default_folder
from harness.servers.selection import CONNECT, Selection

READY_S = 60.0
_POLL_S = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Server:
    """A ready server.

    Attributes:
        url: Its base URL.
        kind: ``connect``, or the name of the kind that was started.
        api: Its administration API.
        process: Its process if it is ours, else None.
        cpus: CPUs it is pinned to, or None.
        parallel: Requests that it works on at once, if it is the one that the agents share in parallel; else None.
    """

    url: str
    kind: str
    api: OllamaApi
    process: ServerProcess | None = None
    cpus: tuple[int, ...] | None = None
    parallel: int | None = None

    def ensure_alive(self) -> None:
        """Raises a ServerError with the last log lines if it is ours and has ended."""
        if self.process is not None and self.process.exit_code is not None:
            raise self.process.died()


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def port_taken(port: int) -> bool:
    """True if somebody listens on the port; a connection in TIME_WAIT does not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise PortInUseError(f"port {port} cannot be used: {error.strerror}; choose others with --ports") from error
    return False


def _ports(selection: Selection) -> tuple[int, ...]:
    ports = []
    for port in selection.ports or (0,) * selection.count:
        taken = port == 0 or port_taken(port)
        if taken and port and not selection.free_ports:
            raise PortInUseError(
                f"port {port} is in use by a server that we did not start: measure that one with "
                "--collector-ollama-url and --insight-ollama-url, choose other ports with --ports 18434,18435, "
                "or let us take free ones with --free-ports"
            )
        ports.append(free_port() if taken else port)
    return tuple(ports)


def _process_spec(
    selection: Selection, position: int, port: int, logs: Path, parallel: int | None = None
) -> ProcessSpec:
    kind, url = selection.starter, f"http://{LOOPBACK}:{port}"
    own = position if parallel is None else 0  # the one more has the CPUs of the server that other patterns share
    cpus = selection.pins[own] if selection.pins else None
    launch = Launch(port, parallel or 1, selection.model, selection.program or "")
    try:
        command = tuple(map(str, kind.command(launch)))
        environment = {**os.environ, **kind.environment(launch)}
    except Exception as error:  # a user's kind may raise anything
        why = f"{type(error).__name__}: {error}"
        raise ServerError(f"--server {kind.name}: its command could not be made: {why}") from error
    name = f"ollama serve on {url}" if kind.name == "ollama" else f"{kind.name} server on {url}"
    return ProcessSpec(name, url, command, environment, logs / f"server-{position + 1}.log", cpus)


async def wait_ready(api: OllamaApi, process: ServerProcess, deadline_s: float = READY_S) -> None:
    """Waits until a started server answers over HTTP (its socket is bound before it serves).

    Raises:
        ServerError: If it ended, or the deadline passed; with its last log lines.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            await api.version(timeout_s=1.0)
        except (ServerError, ProtocolError) as error:
            if process.exit_code is not None:
                raise process.died() from error
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{process.spec.name} was not ready within {deadline_s:g} s\n{process.log_tail()}"
                ) from error
            await asyncio.sleep(_POLL_S)
        else:
            return


@asynccontextmanager
async def open_servers(
    selection: Selection, say: Say, registry: Registry | None = None
) -> AsyncIterator[tuple[Server, ...]]:
    """Starts or connects to the servers of a selection; on exit ours are gone and others live on.

    Args:
        selection: Which servers.
        say: Gets lines for the person who waits.
        registry: Where started servers are remembered; the user's state folder by default.

    Raises:
        ServerError: If one does not start or answer.
    """
    registry = registry or Registry(default_folder())
    for pid in registry.reap():
        say(f"ended process {pid}, left behind by an earlier session that was killed")
    async with contextlib.AsyncExitStack() as stack:
        if selection.kind == CONNECT:
            servers = [await _connect(url, stack) for url in selection.urls]
            if selection.parallel_url is not None:
                servers.append(await _connect(selection.parallel_url, stack, selection.parallel))
        else:
            if is_embedded_model(selection.model):
                await asyncio.to_thread(ensure_model, default_cache_dir())
            logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="harness-logs-")))
            servers = [
                await _start(selection, position, port, logs, registry, stack)
                for position, port in enumerate(_ports(selection))
            ]
            if selection.parallel is not None:
                more = await _start(selection, selection.count, free_port(), logs, registry, stack, selection.parallel)
                servers.append(more)
        yield tuple(servers)


async def _connect(url: str, stack: contextlib.AsyncExitStack, parallel: int | None = None) -> Server:
    api = OllamaApi(url)
    stack.push_async_callback(api.close)
    await api.version()
    return Server(url, CONNECT, api, parallel=parallel)


async def _start(
    selection: Selection,
    position: int,
    port: int,
    logs: Path,
    registry: Registry,
    stack: contextlib.AsyncExitStack,
    parallel: int | None = None,
) -> Server:
    spec = _process_spec(selection, position, port, logs, parallel)
    process = ServerProcess.start(spec, registry)
    stack.callback(process.stop)
    api = OllamaApi(spec.url)
    stack.push_async_callback(api.close)
    await wait_ready(api, process)
    return Server(spec.url, selection.kind, api, process, spec.cpus, parallel)
