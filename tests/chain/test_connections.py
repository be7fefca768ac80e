"""Connections in the wrong moment: closed while a long request is still being written, frozen when a session ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct

import httpx
import pytest

from harness.measure import measuring_client
from harness.servers import api as api_module
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.model import model_in_place
from harness.servers.selection import Selection
from harness.servers.truth import TruthServer
from tests.measure.servers import within

LONG = b"x" * 50_000_000  # more than any socket's buffer takes
REFUSAL = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def _post(answer: bytes) -> httpx.Response:
    """A long request to a server that reads its head only, says ``answer``, and resets the connection."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if not answer:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server, measuring_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        return await within(client.post("/x", content=LONG))


@pytest.mark.asyncio
async def test_a_reset_while_a_long_request_is_written_fails_it() -> None:
    """Nobody waits for room in a socket that is gone."""
    with pytest.raises(httpx.TransportError, match=r"reset|broken|Broken"):
        await _post(b"")


@pytest.mark.asyncio
async def test_an_answer_that_comes_before_the_request_is_written_is_its_answer() -> None:
    """A server that refuses a request need not read it."""
    assert (await _post(REFUSAL)).status_code == 413


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system freezes no process")
@pytest.mark.asyncio
async def test_servers_that_are_frozen_do_not_keep_a_session_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked to let the model go, and waited for no longer than that may take."""
    monkeypatch.setattr(api_module, "_UNLOAD_S", 0.2)
    with TruthServer.start() as truth:
        servers = tuple(Server(url, "connect", OllamaApi(url)) for url in truth.urls)
        try:
            async with asyncio.timeout(10), model_in_place(servers, Selection("connect", "test", "truth"), print):
                os.kill(truth.pid, signal.SIGSTOP)
        finally:
            os.kill(truth.pid, signal.SIGCONT)
            for server in servers:
                await server.api.close()
