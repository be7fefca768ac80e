"""The embedded server answers as Ollama does; real process, real sockets, real tokens."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.servers.embedded.conftest import MODEL, Server, wait_until


def _take(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    return [json.loads(next(lines)) for _ in range(count)]


def _queue_wait_ns(answer: dict[str, Any]) -> int:
    used = ("load_duration", "prompt_eval_duration", "eval_duration")
    return int(answer["total_duration"]) - sum(int(answer.get(name, 0)) for name in used)


def test_it_says_who_it_is(server: Server) -> None:
    """The three ways in which clients look whether a server is there."""
    assert server.client.head("/").status_code == 200
    assert server.client.get("/api/version").json() == {"version": "0.24.0"}


def test_it_lists_its_one_model(server: Server, cache: Path) -> None:
    """Name, size and digest are those of the file."""
    (model,) = server.client.get("/api/tags").json()["models"]
    (file,) = cache.glob("*.gguf")
    assert (model["name"], model["size"]) == ("embedded:latest", file.stat().st_size)
    assert model["digest"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert model["details"]["quantization_level"] == "Q4_0"


def test_show_tells_what_a_cache_size_follows_from(server: Server) -> None:
    """Layers, heads and lengths, under the architecture's name."""
    body = server.client.post("/api/show", json={"model": MODEL}).json()
    info = body["model_info"]
    assert info["general.architecture"] == "llama"
    assert (info["llama.block_count"], info["llama.attention.head_count_kv"]) == (2, 2)
    assert body["capabilities"] == ["completion"]
    assert "tensors" in body


def test_an_empty_prompt_loads_and_keep_alive_zero_unloads(server: Server) -> None:
    """Load and unload have their own reasons, and /api/ps follows."""
    server.unload()
    loaded = server.generate(prompt="", options={"num_ctx": 1024}, keep_alive=-1)
    assert (loaded["done"], loaded["done_reason"], loaded["response"]) == (True, "load", "")
    (entry,) = server.running()
    assert (entry["context_length"], entry["size_vram"]) == (1024, 0)
    assert datetime.fromisoformat(entry["expires_at"][:19]).year > 2300
    assert server.generate(prompt="", keep_alive=0)["done_reason"] == "unload"
    wait_until(lambda: not server.running(), "the model is unloaded")


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"temperature": 0.8},
        {"temperature": 1.0},
        {"temperature": 2.0},
        {"temperature": 2.0, "top_k": 0, "top_p": 1.0},
    ],
)
def test_it_makes_exactly_as_many_tokens_as_asked(server: Server, sampling: dict[str, float]) -> None:
    """Never early, never broken text, never the 30 equal tokens that end a stream of Ollama's."""
    with server.stream(options={"num_predict": 150, "seed": 3} | sampling) as lines:
        chunks = [json.loads(line) for line in lines]
    *parts, last = chunks
    words = [part["response"].strip() for part in parts]
    assert len(parts) == last["eval_count"] == 150
    assert last["done_reason"] == "length"
    assert all(words)
    assert all(word.isascii() for word in words)
    assert all(one != next_one for one, next_one in pairwise(words))


def test_a_streamed_token_is_one_chunk_of_the_transfer(server: Server) -> None:
    """One write a token: an observer may time each one."""
    url = server.client.base_url
    body = json.dumps(server.body(stream=True, options={"num_predict": 5})).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 80), timeout=8) as connection:
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    headers, _, rest = answer.partition(b"\r\n\r\n")
    assert b"application/x-ndjson" in headers
    chunks = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        chunks.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    assert [chunk.count(b"\n") for chunk in chunks] == [1] * 6 + [0]


def test_whole_and_streamed_answers_say_the_same(server: Server) -> None:
    """The same seed, prompt and options give the same text, another seed another text."""
    options = {"num_predict": 12, "seed": 5}
    whole = server.generate(options=options)
    with server.stream(options=options) as lines:
        streamed = "".join(json.loads(line)["response"] for line in lines)
    assert whole["response"] == streamed
    assert server.generate(options=options | {"seed": 6})["response"] != streamed


def test_chat_answers_in_messages(server: Server) -> None:
    """The roles of a chat reach the prompt, and the answer is the assistant's."""
    messages = [{"role": "system", "content": "record"}, {"role": "user", "content": "the token"}]
    body = {"model": MODEL, "messages": messages, "options": {"num_predict": 2}}
    chunks = [json.loads(line) for line in server.client.post("/api/chat", json=body).text.splitlines()]
    assert [chunk["message"]["role"] for chunk in chunks] == ["assistant"] * 3
    assert "response" not in chunks[0]
    assert chunks[-1]["message"]["content"] == ""
    assert chunks[-1]["prompt_eval_count"] == 4  # the beginning, and a word a token


def test_durations_add_up_and_load_is_not_zero_when_warm(server: Server) -> None:
    """The four durations are integers whose parts fit into the whole."""
    server.generate()
    warm = server.generate(options={"num_predict": 10})
    assert warm["load_duration"] > 0
    assert 0 <= _queue_wait_ns(warm) < warm["total_duration"]
    assert warm["prompt_eval_count"] == 4  # the beginning, " he", "ll", "o"


def test_zero_counts_are_left_out(server: Server) -> None:
    """As Ollama's ``omitempty``: one token has no decode time of its own."""
    assert "eval_duration" not in server.generate(options={"num_predict": 1})
    assert "eval_count" not in server.generate(prompt="")


def test_a_stop_word_ends_the_answer(server: Server) -> None:
    """The text ends before the stop word, for the reason stop."""
    options = {"num_predict": 20, "temperature": 0}
    words = server.generate(options=options)["response"].split()
    stopped = server.generate(options=options | {"stop": [words[4]]})
    assert stopped["done_reason"] == "stop"
    assert stopped["response"].split() == words[: words.index(words[4])]


def test_a_change_of_num_ctx_reloads_and_the_same_does_not(server: Server) -> None:
    """Runner options decide; sampling options and num_gpu -1 do not."""
    server.generate(options={"num_predict": 1, "num_ctx": 512})
    before = server.loads()
    server.generate(options={"num_predict": 1, "num_ctx": 512, "temperature": 0.1, "num_gpu": -1})
    assert server.loads() == before
    server.generate(options={"num_predict": 1, "num_ctx": 768})
    assert server.loads() == before + 1
    assert server.running()[0]["context_length"] == 768


def test_a_prompt_longer_than_the_context_is_cut_or_refused(server: Server) -> None:
    """Cut to num_ctx by default, Ollama's words when the client forbids it."""
    long = server.body(prompt="token " * 200, options={"num_ctx": 64, "num_predict": 2})
    assert server.client.post("/api/generate", json=long).json()["prompt_eval_count"] == 64
    refused = server.client.post("/api/generate", json=long | {"truncate": False})
    assert refused.status_code == 400
    assert refused.json() == {"error": "the input length exceeds the context length"}


def test_a_client_that_leaves_frees_the_engine(server: Server) -> None:
    """The abandoned generation would go on for 40960 tokens; the next one need not wait for it."""
    with server.stream() as lines:
        _take(lines, 2)
    assert server.generate()["eval_count"] == 3


def test_requests_wait_in_line_for_the_slot_and_not_for_the_load(server: Server) -> None:
    """The wait shows as what is left of the total, and a queued client may leave too."""
    server.generate()
    url = server.client.base_url
    long = json.dumps(server.body(options={"num_predict": -1})).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: {len(long)}\r\n\r\n".encode()
    short = json.dumps(server.body()).encode()
    short_head = f"POST /api/generate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(short)}\r\n\r\n"
    address = (url.host, url.port or 80)
    with (
        socket.create_connection(address, timeout=8) as first,
        socket.create_connection(address, timeout=8) as second,
    ):
        with server.stream() as lines:
            _take(lines, 1)
            with socket.create_connection(address, timeout=8) as quitter:
                quitter.sendall(head + long)
                _take(lines, 20)
            first.sendall(short_head.encode() + short)
            _take(lines, 20)
            second.sendall(short_head.encode() + short)
            _take(lines, 20)
            waited_from = time.monotonic_ns()
            _take(lines, 100)
            waited_ns = time.monotonic_ns() - waited_from
        answers = []
        for connection in (first, second):
            data = b"".join(iter(lambda c=connection: c.recv(65536), b""))  # type: ignore[misc]
            answers.append(json.loads(data.partition(b"\r\n\r\n")[2]))
    assert answers[0]["created_at"] < answers[1]["created_at"]
    assert all(_queue_wait_ns(answer) > waited_ns / 2 for answer in answers)
    assert all(answer["load_duration"] < waited_ns for answer in answers)


def test_a_reload_waits_for_everybody_who_was_let_in(server: Server) -> None:
    """The one who runs and the one in line both end on the old model; then the new one is loaded."""
    server.generate(options={"num_predict": 1, "num_ctx": 512})
    loads = server.loads()
    options = {"num_predict": 300, "num_ctx": 512}
    with ThreadPoolExecutor(2) as pool, ExitStack() as first:
        lines = first.enter_context(server.stream(options=options | {"num_predict": -1}))
        _take(lines, 1)
        queued = pool.submit(server.generate, options=options)
        _take(lines, 50)
        reloading = pool.submit(server.generate, options=options | {"num_ctx": 768})
        _take(lines, 50)
        assert server.loads() == loads
        first.close()
        assert queued.result()["eval_count"] == reloading.result()["eval_count"] == 300
    assert server.loads() == loads + 1


def test_unloading_waits_for_the_running_request(server: Server) -> None:
    """The stream goes on to its end; then the model goes."""
    with server.stream(options={"num_predict": 300}) as lines:
        _take(lines, 1)
        assert server.generate(prompt="", keep_alive=0)["done_reason"] == "unload"
        assert server.running()
        assert json.loads(list(lines)[-1])["eval_count"] == 300
    wait_until(lambda: not server.running(), "the model is unloaded")


@pytest.mark.parametrize("keep_alive", ["50ms", 0.05, 0])
def test_a_model_expires(server: Server, keep_alive: str | float) -> None:
    """After its time to live the model is gone by itself, and the next request loads it again."""
    before = server.loads()
    server.generate(keep_alive=keep_alive)
    wait_until(lambda: not server.running(), "the model has expired")
    server.generate(keep_alive="5m")
    assert server.loads() > before


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("generate", b"", 400, "missing request body"),
        ("generate", b"{", 400, "unexpected EOF"),
        ("generate", b"<", 400, "invalid character '<' looking for beginning of value"),
        ("generate", b'{"model": "other"}', 404, "model 'other' not found"),
        ("generate", b'{"model": "a b"}', 400, "invalid model name"),
        ("chat", b"{}", 400, "model is required"),
        ("show", b"{}", 400, "model is required"),
        ("show", b'{"model": "other"}', 404, "model 'other' not found"),
        (
            "generate",
            b'{"model": 1}',
            400,
            "json: cannot unmarshal number into Go struct field GenerateRequest.model of type string",
        ),
        (
            "generate",
            b'{"model": "embedded", "options": {"seed": "x"}}',
            500,
            'option "seed" must be of type integer',
        ),
        ("generate", b'{"model": "embedded", "keep_alive": "5"}', 400, 'time: missing unit in duration "5"'),
        ("chat", b'{"model": "embedded", "think": true}', 400, '"embedded" does not support thinking'),
        (
            "chat",
            b'{"model": "embedded", "tools": [{}]}',
            400,
            "registry.ollama.ai/library/embedded:latest does not support tools",
        ),
    ],
)
def test_errors_have_ollamas_words(server: Server, path: str, body: bytes, status: int, message: str) -> None:
    """Seen on a real Ollama v0.24.0, status and text."""
    response = server.client.post(f"/api/{path}", content=body)
    assert (response.status_code, response.json()) == (status, {"error": message})


@pytest.mark.parametrize("name", ["embedded:latest", "EMBEDDED", "library/embedded"])
def test_names_are_read_as_ollama_reads_them(server: Server, name: str) -> None:
    """The answer repeats the name as it was asked."""
    assert server.generate(model=name)["model"] == name


def test_what_it_does_not_do_it_says(server: Server) -> None:
    """Unknown paths, wrong methods, and Ollama's other endpoints."""
    assert server.client.get("/nope").text == "404 page not found"
    wrong = server.client.get("/api/generate")
    assert (wrong.status_code, wrong.headers["allow"], wrong.text) == (405, "POST", "405 method not allowed")
    for path in ("/api/pull", "/api/create", "/api/embed", "/v1/chat/completions"):
        response = server.client.post(path, json={})
        assert response.status_code == 501
        assert path in response.json()["error"]
    for unsupported in ({"format": "json"}, {"images": ["aGk="]}, {"context": [1]}, {"logprobs": True}):
        response = server.client.post("/api/generate", json=server.body(**unsupported))
        assert response.status_code == 400
        assert "embedded server" in response.json()["error"]


def test_an_unknown_option_is_ignored_with_a_line_in_the_log(server: Server) -> None:
    """As in Ollama."""
    server.generate(options={"num_predict": 1, "nonsense": 1})
    assert "invalid option provided option=nonsense" in server.log.read_text()
