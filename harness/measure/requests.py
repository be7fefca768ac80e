"""One measured request: bytes are stamped as they come and folded only when the stream is over."""

from __future__ import annotations

import functools
import itertools
import secrets
from collections.abc import Callable, Mapping

import httpx
import msgspec

from harness.measure.board import SEAT, Seat
from harness.measure.clock import Clock, monotonic_ns
from harness.measure.stamped import StampedStream
from harness.measure.transport import stamped_stream
from harness.protocol import fold_stream
from harness.records import Chunk, RequestRecord
from harness.records.errors import ServerError
from harness.records.stream import StampedBy, encodable

GENERATE_PATH = b"/api/generate"
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_NONCE_DIGITS = 8
_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


def nonces() -> Callable[[], str]:
    """A source of texts of 8 digits, none twice in a session and hardly ever twice in two of them.

    They stand at the start of every prompt, so that no server's prompt cache can answer for the prefill. All have
    the same length, so that they cost every arm the same.
    """
    modulus = 10**_NONCE_DIGITS
    counter = itertools.count(secrets.randbelow(modulus))
    return lambda: f"{next(counter) * 7_368_787 % modulus:0{_NONCE_DIGITS}d}"


def _failure(error: Exception) -> str:
    return encodable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


@functools.lru_cache
def _generate_url(base: httpx.URL) -> httpx.URL:
    """The absolute URL, made once: httpx takes longer to merge it into the client's than to send a request."""
    return base.copy_with(raw_path=base.raw_path.rstrip(b"/") + GENERATE_PATH)


async def open_connection(client: httpx.AsyncClient) -> None:
    """Uses a client once, so that no measured request has to open its connection.

    Raises:
        ServerError: If the server does not answer.
    """
    try:
        await client.get("/api/version")
    except _FOREIGN as error:
        raise ServerError(f"{client.base_url} does not answer: {_failure(error)}") from error


async def measure_request(
    client: httpx.AsyncClient,
    *,
    name: str,
    nonce: str,
    body: Mapping[str, object],
    sink: list[RequestRecord],
    clock: Clock = monotonic_ns,
    seat: Seat | None = None,
) -> RequestRecord:
    """Sends one streamed request and appends its record to ``sink``, however it ends.

    A failed request is a record with ``error`` set, never an exception; only a cancellation passes through, after
    the record of what had come so far was kept. What comes is noted at ``seat`` as it comes, if there is one.

    Raises:
        asyncio.CancelledError: If the caller gave up (deadline, interrupt).
    """
    received = _Received(clock, seat)
    error: str | None = "cancelled before its stream ended"
    content = msgspec.json.encode(body)
    extensions: dict[str, object] = {"trace": received.trace}
    if seat is not None:
        extensions[SEAT] = seat
        seat.asks(clock())
    asked_ns = clock()
    try:
        async with client.stream(
            "POST",
            _generate_url(client.base_url),
            content=content,
            headers=_HEADERS,
            extensions=extensions,
        ) as response:
            await received.take(response)
        error = None if response.is_success else f"HTTP {response.status_code}"
    except _FOREIGN as failure:
        error = _failure(failure)
    finally:
        ended_ns = clock()
        if seat is not None:
            seat.answered()
        chunks, stamped_by, read_lag_max_ns = received.stamped()
        folded = fold_stream(chunks)
        if error is None:
            error = folded.error
        elif error.startswith("HTTP ") and folded.error and folded.error.startswith("the server reported"):
            error = f"{error}, {folded.error}"
        record = RequestRecord(
            name=name,
            nonce=nonce,
            asked_ns=asked_ns,
            sent_ns=received.sent_ns or asked_ns,
            ended_ns=chunks[-1].received_ns if error is None else ended_ns,
            connected=received.connected,
            token_ns=tuple(event.received_ns for event in folded.events),
            token_chunk=tuple(event.chunk for event in folded.events),
            text="".join(event.text for event in folded.events),
            done_reason=folded.done_reason,
            server=folded.server,
            error=error,
            stamped_by=stamped_by,
            read_lag_max_ns=read_lag_max_ns,
        )
        sink.append(record)
    return record


class _Received:
    """What came for one request: from the measuring transport with its stamps, from any other stamped as it is read."""

    def __init__(self, clock: Clock, seat: Seat | None) -> None:
        self._clock = clock
        self._seat = seat
        self._stream: StampedStream | None = None
        self._chunks: list[Chunk] = []
        self._instants: dict[str, int] = {}

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        """Stock httpx tells its progress here."""
        self._instants[event] = self._clock()

    async def take(self, response: httpx.Response) -> None:
        self._stream = stamped_stream(response)
        if self._stream is not None:
            await self._stream.finished()
            return
        async for data in response.aiter_raw():
            self._chunks.append(Chunk(len(self._chunks), self._clock(), data))
            if self._seat is not None:
                self._seat.heard(self.sent_ns or 0, len(self._chunks), self._chunks[-1].received_ns)

    @property
    def sent_ns(self) -> int | None:
        """When the request was sent, ns, if the transport told."""
        return self._stream.sent_ns if self._stream else self._instants.get("http11.send_request_body.complete")

    @property
    def connected(self) -> bool:
        return self._stream.connected if self._stream else "connection.connect_tcp.started" in self._instants

    def stamped(self) -> tuple[list[Chunk], StampedBy, int | None]:
        """The reads, whose stamps they have, and the longest read lag, ns, if it is known."""
        return self._stream.stamped() if self._stream else (self._chunks, "user", None)
