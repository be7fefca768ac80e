"""Each fault, on the bytes that a client gets."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from harness.servers.truth import Behaviour, DeviceSpec, Fault, Timing, TrueRequest, TruthConfig, TruthServer
from tests.servers.truth.client import (
    END,
    ask,
    chunks,
    connected,
    generate,
    logged,
    message,
    read_pieces,
    read_whole,
    texts,
)

ALL = [f" w{n}" for n in range(6)]
GAP_MS = 15.0
UNREADABLE = r"delimiter|Unterminated|decode|Expecting|control character"


def _config(kind: str, after: int = 3, tokens: int = 6, gap_ms: float = 1.0) -> TruthConfig:
    return TruthConfig(Behaviour(Timing(ms=5), Timing(ms=gap_ms), tokens, Fault(kind, after)))


def _answer(server: TruthServer) -> tuple[list[bytes], TrueRequest]:
    """What each read of the client gave, and what the server logged."""
    with connected(server.urls[0]) as sock:
        sock.sendall(generate())
        pieces = read_pieces(sock)
    (request,) = logged(server)
    server.clear()
    return pieces, request


@pytest.mark.parametrize("kind", ["packed_lines", "merged_chunks"])
@pytest.mark.parametrize("tokens", [5, 6])
def test_two_lines_in_one_write(truth_server: TruthServer, kind: str, tokens: int) -> None:
    """In one chunk or in two; an odd one goes alone; the log tells which tokens went together."""
    truth_server.configure(_config(kind, tokens=tokens))
    pieces, request = _answer(truth_server)
    parts = chunks(b"".join(pieces))
    assert texts(parts) == ALL[:tokens]
    lines = [part.count(b"\n") for part in parts]
    packed = [2, 2, 2 - tokens % 2, 1] if kind == "packed_lines" else [1] * (tokens + 1)
    assert lines == packed
    assert request.token_write == (0, 0, 1, 1, 2, 2)[:tokens]
    assert len(set(request.token_ns)) == 3
    assert request.outcome == kind


def test_a_line_in_two_writes(truth_server: TruthServer) -> None:
    """Cut in its middle; a token's instant is that of the write that completes its line."""
    truth_server.configure(_config("split_lines", gap_ms=GAP_MS))
    pieces, request = _answer(truth_server)
    parts = chunks(b"".join(pieces))
    assert texts(parts) == ALL
    assert [part.endswith(b"\n") for part in parts] == [False, True] * 6 + [True]
    assert request.token_write == (1, 3, 5, 7, 9, 11)
    late = [at - request.granted_ns - (5 + n * GAP_MS) * 1e6 for n, at in enumerate(request.token_ns)]
    assert min(late) >= 300_000


def test_halves_of_lines_never_mix(truth_server: TruthServer) -> None:
    """Though the next token is due before the second half of this one."""
    truth_server.configure(_config("split_lines", gap_ms=0.0))
    pieces, request = _answer(truth_server)
    assert texts(chunks(b"".join(pieces))) == ALL
    assert request.outcome == "split_lines"


def test_an_empty_first_line(truth_server: TruthServer) -> None:
    """It comes when the prefill begins, long before the first token, and is no token."""
    truth_server.configure(_config("empty_first"))
    pieces, request = _answer(truth_server)
    assert texts(chunks(b"".join(pieces))) == ["", *ALL]
    assert b'"response":""' in pieces[0]
    assert len(request.token_ns) == 6
    assert request.token_write[0] == 1
    assert request.head_ns < request.token_ns[0]


def test_early_headers(truth_server: TruthServer) -> None:
    """The head comes alone, before the model is even there."""
    config = _config("early_headers")
    truth_server.configure(TruthConfig(config.behaviour, device=DeviceSpec(load_ms=30)))
    pieces, request = _answer(truth_server)
    assert pieces[0].endswith(b"\r\n\r\n")
    assert texts(chunks(b"".join(pieces))) == ALL
    assert request.head_ns < request.granted_ns
    assert request.token_write[0] == 1


def test_the_last_token_with_the_done_line(truth_server: TruthServer) -> None:
    """In one write, so usually in one read."""
    truth_server.configure(_config("last_with_done"))
    pieces, request = _answer(truth_server)
    parts = chunks(b"".join(pieces))
    assert texts(parts) == ALL
    assert json.loads(parts[-1])["eval_count"] == 6
    assert request.ended_ns == request.token_ns[-1]
    assert request.token_write == (0, 1, 2, 3, 4, 5)
    assert any(b" w5" in piece and b'"done":true' in piece for piece in pieces)


@pytest.mark.parametrize(("after", "seen"), [(3, 3), (0, 0), (9, 6)])
def test_an_error_line(truth_server: TruthServer, after: int, seen: int) -> None:
    """Bare, under status 200, after so many tokens or at the end of a shorter answer; then a proper end."""
    truth_server.configure(_config("error_line", after))
    pieces, request = _answer(truth_server)
    *lines, error = chunks(b"".join(pieces))
    assert texts(lines) == ALL[:seen]
    assert list(json.loads(error)) == ["error"]
    assert b"".join(pieces).endswith(END)
    assert (len(request.token_ns), request.outcome) == (seen, "error_line")


def test_no_done_line(truth_server: TruthServer) -> None:
    """All tokens and a proper end, but nobody says done."""
    truth_server.configure(_config("no_done"))
    pieces, request = _answer(truth_server)
    assert texts(chunks(b"".join(pieces))) == ALL
    assert b"".join(pieces).endswith(END)
    assert request.outcome == "no_done"


@pytest.mark.parametrize(("after", "place"), [(3, 3), (0, 0), (9, 6)])
@pytest.mark.parametrize("kind", ["broken_json", "broken_utf8"])
def test_a_bad_line_between_good_ones(truth_server: TruthServer, kind: str, after: int, place: int) -> None:
    """It cannot be decoded, and is no token; everything else is as ever."""
    truth_server.configure(_config(kind, after))
    pieces, request = _answer(truth_server)
    lines = b"".join(chunks(b"".join(pieces))).splitlines(keepends=True)
    bad = lines.pop(place)
    with pytest.raises(ValueError, match=UNREADABLE):
        json.loads(bad)
    assert texts(lines) == ALL
    assert (len(request.token_ns), request.outcome) == (6, kind)


@pytest.mark.parametrize(("after", "place"), [(3, 3), (9, 5)])
def test_a_long_line(truth_server: TruthServer, after: int, place: int) -> None:
    """Ten megabytes in one token; its instant is that of the send() that completed it."""
    truth_server.configure(_config("long_line", after))
    pieces, request = _answer(truth_server)
    seen = texts(chunks(b"".join(pieces)))
    assert [len(text) > 10**7 for text in seen] == [number == place for number in range(6)]
    assert len(request.token_ns) == 6
    assert request.token_ns[place] - request.token_ns[place - 1] > 1_000_000
    assert all(later >= earlier for earlier, later in pairwise(request.token_ns))
    assert request.outcome == "long_line"


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("status_400", 400, "invalid request"),
        ("status_404", 404, "model 'truth' not found"),
        ("status_500", 500, "llama runner process has terminated"),
        ("status_503", 503, "server busy, please try again.  maximum pending requests exceeded"),
    ],
)
def test_an_error_status(truth_server: TruthServer, kind: str, status: int, text: str) -> None:
    """With Ollama's own text, also in OpenAI's form; the connection stays."""
    truth_server.configure(_config(kind))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate())
        got, body = read_whole(sock)
        assert (got, text in json.loads(body)["error"]) == (status, True)
        sock.sendall(message("/v1/completions", {"model": "truth", "prompt": "x"}))
        got, body = read_whole(sock)
        assert (got, text in json.loads(body)["error"]["message"]) == (status, True)
    for request in logged(truth_server, 2):
        assert (request.outcome, request.token_ns, request.granted_ns) == (kind, (), 0)
        assert request.head_ns > 0


def test_a_stall_lasts_until_the_client_leaves(truth_server: TruthServer) -> None:
    """It keeps the slot, and is in the log only then; the next one gets the slot at once."""
    stall = _config("stall").behaviour
    plain = Behaviour(Timing(ms=1), Timing(ms=1), 2)
    truth_server.configure(TruthConfig(plain, script=(stall,), device=DeviceSpec(slots=1)))
    with connected(truth_server.urls[0]) as first, connected(truth_server.urls[0]) as second:
        first.sendall(generate(prompt="first"))
        data = b""
        while data.count(b'"response"') < 3:
            data += first.recv(1 << 16)
        second.sendall(generate(prompt="second"))
        first.settimeout(0.05)
        with pytest.raises(TimeoutError):
            first.recv(1)
        assert truth_server.log() == ()
        first.close()
        assert len(texts(chunks(b"".join(read_pieces(second))))) == 2
    stalled, following = sorted(logged(truth_server, 2), key=lambda request: request.prompt)
    assert (stalled.outcome, len(stalled.token_ns)) == ("stall", 3)
    assert following.granted_ns >= stalled.ended_ns


def test_a_reset(truth_server: TruthServer) -> None:
    """The client's read fails in mid-stream."""
    truth_server.configure(_config("reset"))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate())
        with pytest.raises(ConnectionResetError):
            read_pieces(sock)
    (request,) = logged(truth_server)
    assert (request.outcome, len(request.token_ns)) == ("reset", 3)


def test_a_silent_death(truth_server: TruthServer) -> None:
    """The connection ends without the last chunk, and without an error that a socket would tell."""
    truth_server.configure(_config("silent_death"))
    pieces, request = _answer(truth_server)
    assert texts(chunks(b"".join(pieces))) == ALL[:3]
    assert not b"".join(pieces).endswith(END)
    assert (request.outcome, len(request.token_ns)) == ("silent_death", 3)


def test_a_slow_load(truth_server: TruthServer) -> None:
    """At least a second, for the request that loads; the next one finds the model warm."""
    truth_server.configure(_config("slow_load"))
    for outcome in ("slow_load", "done"):
        pieces, request = _answer(truth_server)
        assert texts(chunks(b"".join(pieces))) == ALL
        slow = request.granted_ns - request.read_ns >= 1_000_000_000
        assert (request.outcome, slow) == (outcome, outcome == "slow_load")


def test_a_fault_of_the_stream_leaves_a_whole_answer_as_it_is(truth_server: TruthServer) -> None:
    """There is one write, and nothing to pack."""
    truth_server.configure(_config("packed_lines"))
    _, answer = ask(truth_server.urls[0], "/api/generate", {"model": "truth", "prompt": "x", "stream": False})
    assert answer["response"] == "".join(ALL)
    assert logged(truth_server)[0].outcome == "done"


def test_an_error_in_a_whole_answer_is_a_status(truth_server: TruthServer) -> None:
    """As Ollama does when it has not begun to write."""
    truth_server.configure(_config("error_line"))
    status, answer = ask(truth_server.urls[0], "/api/generate", {"model": "truth", "prompt": "x", "stream": False})
    assert (status, list(answer)) == (500, ["error"])


def test_faults_hold_for_server_sent_events_too(truth_server: TruthServer) -> None:
    """OpenAI's streams break in the same ways."""
    truth_server.configure(_config("broken_json"))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message("/v1/completions", {"model": "truth", "prompt": "x", "stream": True}))
        events = b"".join(chunks(b"".join(read_pieces(sock)))).split(b"data: ")[1:]
    with pytest.raises(ValueError, match=UNREADABLE):
        json.loads(events[3])
    assert events[-1] == b"[DONE]\n\n"
    assert len(events) == 6 + 1 + 1 + 1
