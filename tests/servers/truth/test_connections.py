"""Connections: kept, shared by several requests, slow, broken, and full of nonsense."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig, TruthServer, connection
from harness.servers.truth.loop import Loop, Timers
from tests.servers.truth.client import (
    ask,
    chunks,
    connected,
    generate,
    logged,
    message,
    read_pieces,
    read_whole,
    stream,
    texts,
    wait_until,
)

QUICK = Behaviour(Timing(ms=1), Timing(ms=1), 3)
ENDLESS = Behaviour(Timing(ms=1), Timing(ms=1), 10**9)


class Leaving:
    """Somebody who answers, and what it has been told."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.told: list[str] = []

    def flushed(self) -> None:
        """Everything has been sent."""
        self.told.append("flushed")

    def left(self, at_ns: int) -> None:
        """The client has left."""
        self.told.append("left")


def test_a_connection_serves_one_request_after_the_other(truth_server: TruthServer) -> None:
    """Streams and whole answers, without a new connection."""
    truth_server.configure(TruthConfig(QUICK))
    with connected(truth_server.urls[0]) as sock:
        for _ in range(3):
            sock.sendall(generate())
            assert len(texts(chunks(b"".join(read_pieces(sock))))) == 3
            sock.sendall(message("/api/version", method="GET"))
            assert read_whole(sock) == (200, b'{"version":"0.24.0"}')


def test_requests_that_come_at_once_are_answered_in_order(truth_server: TruthServer) -> None:
    """Each answer is complete before the next one begins."""
    truth_server.configure(TruthConfig(QUICK))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate(prompt="1") + generate(prompt="2") + message("/api/version", method="GET"))
        answers = b"".join(read_pieces(sock, until=b'{"version":"0.24.0"}'))
    assert answers.count(b'"done":true') == 2
    assert [request.prompt for request in logged(truth_server, 2)] == ["1", "2"]
    first, second = truth_server.log()
    assert first.ended_ns <= second.token_ns[0]


def test_a_body_in_chunks_is_read_as_one(truth_server: TruthServer) -> None:
    """Some clients send no length."""
    truth_server.configure(TruthConfig(QUICK))
    body = json.dumps({"model": "truth", "prompt": "in chunks"}).encode()
    parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(b"POST /api/generate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + parts)
        assert len(texts(chunks(b"".join(read_pieces(sock))))) == 3
    assert logged(truth_server)[0].prompt == "in chunks"


def test_a_request_in_pieces_arrives_with_its_last_one(truth_server: TruthServer) -> None:
    """Its instant is after the client began to send the rest."""
    truth_server.configure(TruthConfig(QUICK))
    data = generate(prompt="x" * 500)
    with connected(truth_server.urls[0]) as sock, connected(truth_server.urls[0]) as other:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(data[:300])
        other.sendall(generate(prompt="between"))
        read_pieces(other)
        sock.sendall(data[300:])
        read_pieces(sock)
    between, late = sorted(logged(truth_server, 2), key=lambda request: request.prompt)
    assert late.arrived_ns > between.ended_ns
    assert late.prompt == "x" * 64


def test_a_client_that_asks_whether_to_go_on_is_told_to(truth_server: TruthServer) -> None:
    """curl does, and would else wait for a second."""
    body = json.dumps({"model": "truth", "prompt": "x", "stream": False}).encode()
    head = message("/api/generate", body, headers="Expect: 100-continue\r\n")[: -len(body)]
    truth_server.configure(TruthConfig(QUICK))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(head)
        assert sock.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(body)
        assert read_whole(sock)[0] == 200


def test_an_old_client_gets_a_stream_without_chunks(truth_server: TruthServer) -> None:
    """HTTP/1.0: the end of the connection is the end of the answer."""
    truth_server.configure(TruthConfig(QUICK))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate().replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = b"".join(read_pieces(sock)).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert texts([body]) == [" w0", " w1", " w2"]


def test_a_client_that_wants_the_connection_closed_gets_that(truth_server: TruthServer) -> None:
    """After the whole answer."""
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message("/", method="GET", headers="Connection: close\r\n"))
        answer = b"".join(read_pieces(sock))
    assert b"Connection: close" in answer
    assert answer.endswith(b"Ollama is running")


def test_a_head_request_gets_no_body(truth_server: TruthServer) -> None:
    """Ollama's own client begins with one."""
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message("/", method="HEAD") + message("/api/version", method="GET"))
        answers = b"".join(read_pieces(sock, until=b'{"version":"0.24.0"}'))
    assert b"Content-Length: 17\r\n" in answers
    assert b"Ollama is running" not in answers


def test_a_client_that_leaves_frees_its_slot_at_once(truth_server: TruthServer) -> None:
    """The one behind it is granted, and the log says cancelled."""
    truth_server.configure(TruthConfig(QUICK, script=(ENDLESS,), device=DeviceSpec(slots=1)))
    with connected(truth_server.urls[0]) as leaves:
        leaves.sendall(generate(prompt="leaves"))
        leaves.recv(1)
    assert len(texts(stream(truth_server.urls[0], prompt="stays"))) == 3
    left, stayed = sorted(logged(truth_server, 2), key=lambda request: request.prompt)
    assert (left.outcome, stayed.outcome) == ("cancelled", "done")
    assert left.ended_ns <= stayed.granted_ns


def test_a_client_that_leaves_the_queue_is_forgotten(truth_server: TruthServer) -> None:
    """It never was granted anything."""
    truth_server.configure(TruthConfig(ENDLESS, device=DeviceSpec(slots=1)))
    with connected(truth_server.urls[0]) as works:
        works.sendall(generate())
        works.recv(1)
        with connected(truth_server.urls[0]) as waits:
            waits.sendall(generate(prompt="waits"))
            wait_until(lambda: ask(truth_server.urls[0], "/api/version")[0] == 200, "it has been read")
        (left,) = logged(truth_server)
    assert (left.prompt, left.outcome, left.granted_ns) == ("waits", "cancelled", 0)


def test_a_client_that_does_not_read_holds_up_nobody(truth_server: TruthServer) -> None:
    """Its tokens wait for it, whole and in order, while others get theirs."""
    long = Behaviour(Timing(ms=1), Timing(ms=0), 20_000)
    truth_server.configure(TruthConfig(QUICK, script=(long,)))
    with connected(truth_server.urls[0]) as slow:
        slow.sendall(generate(prompt="slow"))
        wait_until(lambda: ask(truth_server.urls[0], "/api/ps")[1]["models"] != [], "it has begun")
        for _ in range(3):
            assert len(texts(stream(truth_server.urls[0]))) == 3
        assert {request.prompt for request in truth_server.log()} == {"hello"}
        seen = texts(chunks(b"".join(read_pieces(slow))))
    assert seen == [f" w{n}" for n in range(20_000)]
    request = next(each for each in logged(truth_server, 4) if each.prompt == "slow")
    assert (len(request.token_ns), request.outcome) == (20_000, "done")
    assert sorted(request.token_ns) == list(request.token_ns)


def test_a_client_that_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before what waits for it fills the memory; whoever answers it is told that it has left."""
    monkeypatch.setattr(connection, "_QUEUED_BYTES", 1_000_000)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    timers = Timers()
    server = connection.Connection(ours, Loop(timers), timers, lambda _, __: None)
    server.answer = answer = Leaving()
    with theirs:
        for _ in range(100):
            server.send(b"x" * 100_000)
        assert server.closed
        assert answer.told == ["left"]


def test_a_load_that_its_client_does_not_wait_for_is_given_up(truth_server: TruthServer) -> None:
    """Nothing is loaded, and the log says cancelled."""
    truth_server.configure(TruthConfig(QUICK, device=DeviceSpec(load_ms=60_000)))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate(prompt=""))
        ask(truth_server.urls[0], "/api/version")
    (left,) = logged(truth_server)
    assert (left.prompt, left.outcome, left.granted_ns) == ("", "cancelled", 0)
    truth_server.configure(TruthConfig(QUICK))
    assert len(texts(stream(truth_server.urls[0]))) == 3


def test_tokens_without_a_gap_hold_up_nobody(truth_server: TruthServer) -> None:
    """An answer that is always due still lets others through."""
    truth_server.configure(TruthConfig(QUICK, script=(Behaviour(Timing(ms=0), Timing(ms=0), 10**9),)))
    with connected(truth_server.urls[0]) as greedy:
        greedy.sendall(generate())
        greedy.recv(1)
        assert len(texts(stream(truth_server.urls[1]))) == 3


NONSENSE = st.binary(max_size=300)
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["model", "prompt", "messages", "stream", "options", "keep_alive", "system", "stream_options", "max_tokens"]
)
BODIES = st.dictionaries(FIELDS, JSONISH, max_size=5)
PATHS = st.sampled_from(
    ["/api/generate", "/api/chat", "/api/show", "/v1/completions", "/v1/chat/completions", "/truth/config", "/"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=NONSENSE)
@example(data=b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nmore")
@example(data=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
@example(data=b"CONNECT x:1 HTTP/1.1\r\n\r\n")
@example(data=b"GET / HTTP/1.1\r\n\r\n" * 200)
@example(data=b"POST /api/generate HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
@example(data=b"POST /api/generate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
def test_bytes_that_are_no_http_harm_nobody(truth_server: TruthServer, data: bytes) -> None:
    """The connection may end, the server does not."""
    with connected(truth_server.urls[0]) as sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            read_pieces(sock)
        except OSError:
            pass
    assert ask(truth_server.urls[1], "/api/version")[0] == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, body=BODIES, stray=st.booleans())
@example(path="/api/generate", body={"model": "truth", "prompt": "x", "keep_alive": 10**400}, stray=False)
@example(path="/api/generate", body={"model": "truth", "prompt": "x", "options": {"num_ctx": 1e308}}, stray=False)
@example(path="/api/generate", body={"model": "truth", "prompt": "", "keep_alive": 1e300}, stray=False)
@example(path="/v1/completions", body={"model": "\0", "prompt": "x"}, stray=False)
def test_json_of_any_shape_is_answered(truth_server: TruthServer, path: str, body: object, stray: bool) -> None:
    """With a status, or a stream."""
    truth_server.configure(TruthConfig(QUICK))
    data = json.dumps(body).encode()[: -1 if stray else None]
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message(path, data, headers="Connection: close\r\n"))
        answer = b"".join(read_pieces(sock))
    assert answer.startswith(b"HTTP/1.1 ")
    assert ask(truth_server.urls[1], "/api/version")[0] == 200


@pytest.mark.parametrize("status", [400, 413])
def test_what_cannot_be_read_is_told_before_the_connection_goes(truth_server: TruthServer, status: int) -> None:
    """The client gets the answer, not a reset."""
    data = b"nonsense\r\n\r\n" if status == 400 else message("/", method="GET") * 5000
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(data)
        answers = b"".join(read_pieces(sock))
    assert b"HTTP/1.1 %d " % status in answers
