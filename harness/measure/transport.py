"""The transport of the measured path: httpx's own API over connections that stamp what they read.

It is an ``httpx.AsyncBaseTransport``, so everything else that httpx does goes on working through the same client.
HTTPS goes through stock httpx, whose reads are stamped in user space, after its framing; the record says so.
"""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from harness.measure.connection import Connection
from harness.measure.readiness import Readiness
from harness.measure.stamped import StampedStream

STREAM = "harness.stamped_stream"
"""Key of the :class:`StampedStream` in a response's extensions."""

_HTTP_PORT = 80
_CONNECT_S = 10.0
_Origin = tuple[str, int]


class MeasuringTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over connections of ours; idle ones are kept, and the one used last is taken first."""

    def __init__(self) -> None:
        """Opens nothing yet."""
        self._idle: defaultdict[_Origin, list[Connection]] = defaultdict(list)
        self._open: set[Connection] = set()
        self._readiness: Readiness | None = None
        self._stock: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and gives its answer when the head is there; the body is still to come.

        Raises:
            httpx.TransportError: As httpx's own transport does.
        """
        if request.url.scheme != "http":
            return await self._over_stock(request)
        origin = (request.url.host, request.url.port or _HTTP_PORT)
        idle = self._take(origin)
        connection = idle or await self._connect(origin, request.extensions.get("timeout", {}).get("connect"))
        try:
            stream = await connection.ask(request, connected=idle is None)
            await stream.head()
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            stream.status,
            headers=stream.headers,
            stream=stream,
            extensions={"http_version": b"HTTP/1.1", STREAM: stream},
        )

    @property
    def open_connections(self) -> int:
        """Connections that are open now, idle or not."""
        return len(self._open)

    async def aclose(self) -> None:
        """Closes every connection."""
        for connection in list(self._open):
            connection.close()
        self._idle.clear()
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None
        if self._stock is not None:
            await self._stock.aclose()

    def _take(self, origin: _Origin) -> Connection | None:
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if not connection.closed:
                return connection
        return None

    async def _connect(self, origin: _Origin, timeout_s: float | None) -> Connection:
        try:
            async with asyncio.timeout(timeout_s):
                sock = await _connected_socket(*origin)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {origin[0]}:{origin[1]} within {timeout_s:g} s") from error
        except OSError as error:
            raise httpx.ConnectError(f"no connection to {origin[0]}:{origin[1]}: {error.strerror or error}") from error
        if self._readiness is None:
            self._readiness = Readiness()
        connection = Connection(sock, self._readiness, self._idle[origin].append, self._open.discard)
        self._open.add(connection)
        return connection

    async def _over_stock(self, request: httpx.Request) -> httpx.Response:
        if self._stock is None:
            self._stock = httpx.AsyncHTTPTransport(
                limits=httpx.Limits(max_connections=None, keepalive_expiry=None), trust_env=False
            )
        return await self._stock.handle_async_request(request)


async def _connected_socket(host: str, port: int) -> socket.socket:
    """A socket connected to the first of the host's addresses that takes it.

    Raises:
        OSError: If none does; the last one's error.
    """
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for family, kind, protocol, _name, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


def stamped_stream(response: httpx.Response) -> StampedStream | None:
    """The stamped body of a response, or None if another transport brought it (HTTPS, a mock, a user's own)."""
    stream = response.extensions.get(STREAM)
    return stream if isinstance(stream, StampedStream) else None


def measuring_client(url: str) -> httpx.AsyncClient:
    """An HTTP client for measured requests to one server.

    It reads no proxy from the environment and has no read timeout: the block's deadline is the limit. It keeps no
    cookies: one that httpx cannot send back would fail every request after it.
    """
    return httpx.AsyncClient(
        base_url=url,
        transport=MeasuringTransport(),
        timeout=httpx.Timeout(None, connect=_CONNECT_S),
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )
