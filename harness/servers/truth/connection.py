"""One client's connection: reads and stamps requests, sends answers, notices that the client has left."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

import httptools

from harness.servers import kernel_stamps
from harness.servers.truth.clock import arrival_ns, monotonic_ns
from harness.servers.truth.exchange import CONTINUE, Reply, Request, plain_reply
from harness.servers.truth.log import Entry
from harness.servers.truth.loop import Loop, Timers

_READ_BYTES = 1 << 16
_QUEUED_BYTES = 1 << 26  # of answers that their client does not take
_HELD_BYTES = 1 << 26  # of requests that are not answered yet
_HELD_REQUESTS = 64
_LINGER_NS = 500_000_000
_NO_LINGER = struct.pack("ii", 1, 0)

Handle = Callable[["Connection", Request], None]


class Answer(Protocol):
    """Who answers the present request, and wants to know how it ends."""

    def flushed(self) -> None:
        """Everything has been sent."""

    def left(self, at_ns: int) -> None:
        """The client has left before that."""


class Connection:
    """One connection. Requests are answered one after the other: the next one waits for :meth:`end`."""

    def __init__(self, sock: socket.socket, loop: Loop, timers: Timers, handle: Handle) -> None:
        """Takes an accepted, non-blocking socket; ``handle`` answers each request, at once or later."""
        self.answer: Answer | None = None
        self.closed = False
        self._sock = sock
        self._loop = loop
        self._timers = timers
        self._handle = handle
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._requests: deque[Request] = deque()
        self._current: Request | None = None
        self._ending = False
        self._serving = False
        self._backlog: deque[tuple[bytes, Entry | None, int]] = deque()
        self._queued = 0
        self._held = 0
        self._arrived_ns = 0  # of the last read
        self._read_ns = 0
        self._sent = 0
        self._offset_ns = 0
        self._stamps_sent = _sends_at_once(sock) and kernel_stamps.enable_sent(sock)
        self._target = b""
        self._pieces: list[bytes] = []
        self._expects = False
        loop.watch(sock, self._ready)

    # Answers

    def send(self, data: bytes, entry: Entry | None = None, tokens: int = 0) -> int:
        """Sends, or queues what the client does not take yet; gives the instant at which it left, ns.

        The write is told to ``entry`` when it is out, with the tokens that it completes.
        """
        now_ns = monotonic_ns()
        if self.closed:
            return now_ns
        if self._backlog:
            self._queue(data, entry, tokens)
            return now_ns
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._gone()
            return now_ns
        self._sent += sent
        if sent == len(data):
            now_ns = self._left_ns(now_ns)
            if entry is not None:
                entry.wrote(now_ns, tokens)
        else:
            self._loop.watch_writes(self._sock, self._ready, True)
            self._queue(data[sent:], entry, tokens)
        return now_ns

    def _left_ns(self, before_ns: int) -> int:
        """When the bytes just sent left by the kernel's stamp, ns; the instant before the call if there is none."""
        stamp = kernel_stamps.sent_stamp(self._sock, self._sent) if self._stamps_sent else None
        if stamp is None:
            return before_ns
        left_ns = stamp + self._offset_ns
        return left_ns if before_ns <= left_ns <= monotonic_ns() else before_ns  # or the wall clock was set

    def reply(self, reply: Reply) -> None:
        """Answers the present request with a whole answer."""
        if self._current is not None:
            self.send(reply.encode(self._current))
            self.end()

    def end(self) -> None:
        """The answer to the present request is complete."""
        self._ending = True
        if not self._backlog:
            self._ended()

    def close(self) -> None:
        """Closes the connection, whatever it was in the middle of."""
        if not self.closed:
            self.closed = True
            self._loop.forget(self._sock)
            self._sock.close()
            self._parser = None  # they refer to each other
            self.answer = None
            self._backlog.clear()
            self._requests.clear()

    def reset(self) -> None:
        """Closes the connection with an RST."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.close()

    def _ended(self) -> None:
        answer, current = self.answer, self._current
        self.answer = self._current = None
        self._ending = False
        if answer is not None:
            answer.flushed()
        if current is not None and not current.keep_alive:
            self.close()
        self._serve()

    def _gone(self) -> None:
        answer = self.answer
        self.close()
        if answer is not None:
            now_ns = monotonic_ns()
            self._loop.catch_up(now_ns)
            answer.left(now_ns)

    def _queue(self, data: bytes, entry: Entry | None, tokens: int) -> None:
        self._backlog.append((data, entry, tokens))
        self._queued += len(data)
        if self._queued > _QUEUED_BYTES:  # it will never read
            self._gone()

    # The socket

    def _ready(self, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush()
        if mask & selectors.EVENT_READ and not self.closed:
            self._read()

    def _flush(self) -> None:
        while self._backlog and not self.closed:
            data, entry, tokens = self._backlog[0]
            now_ns = monotonic_ns()
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                return
            except OSError:
                self._gone()
                return
            self._sent += sent
            if sent < len(data):
                self._backlog[0] = (data[sent:], entry, tokens)
                self._queued -= sent
                return
            self._backlog.popleft()
            self._queued -= len(data)
            now_ns = self._left_ns(now_ns)
            if entry is not None:
                entry.wrote(now_ns, tokens)
        if not self.closed:
            self._loop.watch_writes(self._sock, self._ready, False)
            if self._ending:
                self._ended()

    def _read(self) -> None:
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_READ_BYTES, kernel_stamps.ANCILLARY_BYTES)
        except BlockingIOError:  # nothing to read, but a stamp that came late
            kernel_stamps.sent_stamp(self._sock, 0)
            return
        except OSError:
            self._gone()
            return
        read_ns = monotonic_ns()
        if not data:
            self._gone()
            return
        if self._parser is None:  # lingering
            return
        self._held += len(data)
        self._offset_ns = kernel_stamps.clock_offset()  # anew for each request: the wall clock may be set
        self._arrived_ns, self._read_ns = arrival_ns(ancillary, read_ns, self._offset_ns), read_ns
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the request itself is whole; it is answered as if it had not asked
        except httptools.HttpParserError:
            self._refuse(400)
            return
        if self._held > _HELD_BYTES or len(self._requests) > _HELD_REQUESTS:
            self._refuse(413)
            return
        self._serve()

    def _serve(self) -> None:
        """Answers requests until one takes its time."""
        if self._serving:
            return
        self._serving = True
        while self._requests and self._current is None and not self.closed:
            self._current = self._requests.popleft()
            self._handle(self, self._current)
        self._serving = False
        if self._current is None and not self._requests and not self._pieces:
            self._held = 0

    def _refuse(self, status: int) -> None:
        """Says why nothing further is read, and lets the client read that before the connection goes."""
        if self._current is not None:
            self._gone()
            return
        self._parser = None
        self._requests.clear()
        request = Request("", "", b"", 0, 0, keep_alive=False)
        self.send(plain_reply(status).encode(request))
        if not self.closed:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
            self._timers.call_at(monotonic_ns() + _LINGER_NS, lambda _: self.close())

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._target, self._pieces, self._expects = b"", [], False

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; a single one matters."""
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._expects = True

    def on_headers_complete(self) -> None:
        """The client may be waiting to be told to go on."""
        if self._expects and self._current is None:
            self.send(CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        parser = self._parser
        if parser is None:
            return
        self._requests.append(
            Request(
                method=parser.get_method().decode("latin-1"),
                path=self._target.decode("latin-1").partition("?")[0],
                body=b"".join(self._pieces),
                arrived_ns=self._arrived_ns,
                read_ns=self._read_ns,
                chunked=parser.get_http_version() != "1.0",
                keep_alive=parser.should_keep_alive(),
            )
        )
        self._pieces = []


def _sends_at_once(sock: socket.socket) -> bool:
    """False if what is sent may leave later (Nagle's algorithm), or by no network at all."""
    try:
        return bool(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    except OSError:
        return False
