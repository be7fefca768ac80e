"""The servers of a session: started or found, ready, the model in place, and everything left as it was."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
import respx

from harness.records.errors import PortInUseError, ServerError
from harness.servers.api import OllamaApi
from harness.servers.fleet import free_port, open_servers, port_taken, wait_ready
from harness.servers.host import usable_cpus
from harness.servers.kinds import LOOPBACK, Launch, ServerKind
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry
from harness.servers.selection import Selection
from tests.servers.children import IDLE, OLLAMA, TOKEN, command, entry, eventually, lives, program, running

FOREIGN = "http://foreign.test:11434"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry of this test's own."""
    return Registry(tmp_path / "servers")


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which somebody else listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def _ollama(folder: Path, code: str = OLLAMA) -> Selection:
    """Servers started by a program that answers as Ollama does."""
    ports = (free_port(), free_port())
    return Selection("ollama", "test", "tiny", program=program(folder, code), ports=ports)


def _silent(_line: str) -> None:
    """Says nothing."""


def test_a_port_is_taken_while_somebody_listens(listener: int) -> None:
    """And a free one is not."""
    assert port_taken(listener)
    assert not port_taken(free_port())


def test_a_port_whose_last_connection_is_closing_is_free() -> None:
    """A server that has just ended does not block its port for a minute."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((LOOPBACK, port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first waits
        client.close()
    assert not port_taken(port)


@pytest.mark.asyncio
async def test_started_servers_answer_and_are_gone_afterwards(tmp_path: Path, registry: Registry) -> None:
    """Both are ready inside, each at its port with its environment; outside there is no process and no entry."""
    selection = _ollama(tmp_path)
    async with open_servers(selection, _silent, registry) as servers:
        pids = [server.process.pid for server in servers if server.process]
        assert [server.url for server in servers] == [f"http://127.0.0.1:{port}" for port in selection.ports]
        assert [await server.api.version() for server in servers] == ["9.9.9"] * 2
        for server in servers:
            server.ensure_alive()
            assert server.process is not None
            assert "arguments ['serve'] parallel 1" in server.process.log_tail()
        assert len(list(registry.folder.iterdir())) == len(pids) == 2
    assert not any(lives(pid) for pid in pids)
    assert list(registry.folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="affinity is not known on this system")
@pytest.mark.asyncio
async def test_pinned_servers_run_on_their_cpus(tmp_path: Path, registry: Registry) -> None:
    """Each on its own, and the server knows its pins."""
    cpus = sorted(usable_cpus())
    pins = ((cpus[0],), (cpus[-1],))
    async with open_servers(replace(_ollama(tmp_path), pins=pins), _silent, registry) as servers:
        for server, pin in zip(servers, pins, strict=True):
            assert server.process is not None
            assert psutil.Process(server.process.pid).cpu_affinity() == list(pin)
            assert server.cpus == pin


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="affinity is not known on this system")
@pytest.mark.asyncio
async def test_the_server_with_slots_has_the_cpus_of_the_one_it_is_compared_with(
    tmp_path: Path, registry: Registry
) -> None:
    """The patterns with one server use the first: one more server with more CPUs would be another comparison."""
    cpus = sorted(usable_cpus())
    pins = ((cpus[0],), (cpus[-1],))
    async with open_servers(replace(_ollama(tmp_path), pins=pins, parallel=2), _silent, registry) as servers:
        assert [server.cpus for server in servers] == [*pins, pins[0]]


@pytest.mark.asyncio
async def test_an_error_inside_ends_the_servers_too(tmp_path: Path, registry: Registry) -> None:
    """Whatever ends a session, its servers end with it."""
    pids: list[int] = []

    async def fail_inside() -> None:
        async with open_servers(_ollama(tmp_path), _silent, registry) as servers:
            pids.extend(server.process.pid for server in servers if server.process)
            raise LookupError

    with pytest.raises(LookupError):
        await fail_inside()
    assert len(pids) == 2
    assert not any(lives(pid) for pid in pids)


@pytest.mark.asyncio
async def test_a_taken_port_is_refused_before_anything_is_started(
    tmp_path: Path, registry: Registry, listener: int
) -> None:
    """The message names the port and every way out."""
    selection = replace(_ollama(tmp_path), ports=(free_port(), listener))
    with pytest.raises(PortInUseError, match=f"port {listener} is in use.*--collector-ollama-url.*--ports.*--free"):
        async with open_servers(selection, _silent, registry):
            pass
    assert not registry.folder.exists()


@pytest.mark.asyncio
async def test_with_free_ports_another_one_is_taken(tmp_path: Path, registry: Registry, listener: int) -> None:
    """The foreign server stays as it is."""
    selection = replace(_ollama(tmp_path), ports=(listener, free_port()), free_ports=True)
    async with open_servers(selection, _silent, registry) as servers:
        assert servers[0].url != f"http://127.0.0.1:{listener}"
        assert servers[1].url == f"http://127.0.0.1:{selection.ports[1]}"
    assert port_taken(listener)


@pytest.mark.asyncio
async def test_a_server_that_dies_at_its_start_is_told_with_its_log(tmp_path: Path, registry: Registry) -> None:
    """The exit code and the last lines, and the registry is empty again."""
    selection = _ollama(tmp_path, "import sys; sys.exit('Error: no space left')")
    with pytest.raises(ServerError, match=r"ollama serve on http.* ended with exit code 1\n.*\n  Error: no space left"):
        async with open_servers(selection, _silent, registry):
            pass
    assert list(registry.folder.iterdir()) == []


@pytest.mark.asyncio
async def test_a_server_that_never_serves_is_given_up(tmp_path: Path, registry: Registry) -> None:
    """With the time it was given, and its log."""
    url = f"http://127.0.0.1:{free_port()}"
    spec = ProcessSpec("a server", url, command(IDLE), dict(os.environ), tmp_path / "log")
    process, api = ServerProcess.start(spec, registry), OllamaApi(url)
    try:
        with pytest.raises(ServerError, match="a server was not ready within 0 s"):
            await wait_ready(api, process, deadline_s=0.0)
    finally:
        await api.close()
        process.stop()


@pytest.mark.asyncio
async def test_a_server_that_dies_later_is_noticed(tmp_path: Path, registry: Registry) -> None:
    """Before the next scenario, with its log."""
    async with open_servers(_ollama(tmp_path), _silent, registry) as servers:
        process = servers[0].process
        assert process is not None
        psutil.Process(process.pid).kill()
        eventually(lambda: process.exit_code is not None)
        with pytest.raises(ServerError, match=r"ended with exit code -9\nlast lines"):
            servers[0].ensure_alive()
        servers[1].ensure_alive()


@pytest.mark.asyncio
async def test_leftovers_of_a_killed_session_are_ended_first(registry: Registry) -> None:
    """And it is said so."""
    said: list[str] = []
    with running(token=TOKEN) as leftover:
        registry.add(entry(leftover.pid))
        async with open_servers(Selection("connect", "test", "tiny"), said.append, registry):
            pass
        assert not lives(leftover.pid)
    assert said == [f"ended process {leftover.pid}, left behind by an earlier session that was killed"]


@pytest.mark.asyncio
async def test_foreign_servers_are_only_connected_to(registry: Registry) -> None:
    """No process, no entry; one that does not answer is an error that names it."""
    with respx.mock(base_url=FOREIGN) as router:
        router.get("/api/version").respond(json={"version": "1"})
        async with open_servers(Selection("connect", "test", "m", urls=(FOREIGN,)), _silent, registry) as servers:
            assert [(s.url, s.kind, s.process, s.cpus) for s in servers] == [(FOREIGN, "connect", None, None)]
            servers[0].ensure_alive()
        router.get("/api/version").mock(side_effect=httpx.ConnectError("refused"))
        with pytest.raises(ServerError, match=FOREIGN):
            async with open_servers(Selection("connect", "test", "m", urls=(FOREIGN,)), _silent, registry):
                pass
    assert not registry.folder.exists()


@pytest.mark.asyncio
async def test_a_server_of_ones_own_kind_is_started_as_it_says(
    tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its port and number of slots, its variables over those of this environment; gone at the end."""
    monkeypatch.setenv("OLLAMA_HOST", "elsewhere:1")
    serve = program(tmp_path, OLLAMA)

    def environment(launch: Launch) -> dict[str, str]:
        return {"OLLAMA_HOST": f"127.0.0.1:{launch.port}", "OLLAMA_NUM_PARALLEL": str(launch.parallel)}

    kind = ServerKind("own", lambda launch: [serve, launch.model], environment, model="tiny")
    selection = Selection("own", "test", "tiny", parallel=3, starts=kind)
    async with open_servers(selection, _silent, registry) as servers:
        pids = [server.process.pid for server in servers if server.process]
        logs = [server.process.log_tail() for server in servers if server.process]
        assert [(server.kind, server.parallel) for server in servers] == [("own", None), ("own", None), ("own", 3)]
        assert [await server.api.version() for server in servers] == ["9.9.9"] * 3
    assert ["arguments ['tiny'] parallel 1" in log for log in logs] == [True, True, False]
    assert "arguments ['tiny'] parallel 3" in logs[2]
    assert not any(lives(pid) for pid in pids)


@pytest.mark.asyncio
async def test_a_kind_that_cannot_say_how_it_is_started_is_named(registry: Registry) -> None:
    """Whatever its function raises is no traceback of ours."""
    kind = ServerKind("own", lambda launch: [launch.prot], model="tiny")  # type: ignore[attr-defined]
    with pytest.raises(ServerError, match=r"^--server own: its command could not be made: AttributeError: .*'prot'"):
        async with open_servers(Selection("own", "test", "tiny", starts=kind), _silent, registry):
            pass


@pytest.mark.asyncio
async def test_a_kind_whose_program_is_not_there_is_told_with_its_log(registry: Registry) -> None:
    """As any server that ends at its start."""
    kind = ServerKind("own", lambda _launch: ["/no/such/program"], model="tiny")
    with pytest.raises(ServerError, match=r"^own server on http://127.0.0.1:\d+ ended with exit code 1") as raised:
        async with open_servers(Selection("own", "test", "tiny", starts=kind), _silent, registry):
            pass
    assert str(raised.value).endswith("log:\n  launch: /no/such/program cannot be run: No such file or directory")
