"""Ollama's API, and OpenAI's, as the ground-truth server speaks them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.servers.truth import Behaviour, DeviceSpec, ModelSpec, Timing, TruthConfig, TruthServer
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
    wait_until,
)

QUICK = Behaviour(Timing(ms=1), Timing(ms=1), 3)
CHAT = {"model": "truth", "messages": [{"role": "system", "content": "be"}, {"role": "user", "content": "n0nce a b"}]}
Answer = dict[str, Any]


def _generate(server: TruthServer, port: int = 0, **fields: object) -> Answer:
    status, answer = ask(
        server.urls[port], "/api/generate", {"model": "truth", "prompt": "x", "stream": False} | fields
    )
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def _loaded(server: TruthServer, port: int = 0) -> dict[str, Answer]:
    _, answer = ask(server.urls[port], "/api/ps")
    return {model["name"]: model for model in answer["models"]}


def test_it_says_that_it_runs(truth_server: TruthServer) -> None:
    """In Ollama's words, on every port."""
    for url in truth_server.urls:
        with connected(url) as sock:
            sock.sendall(message("/?x=1", method="GET"))
            assert read_whole(sock) == (200, b"Ollama is running")


def test_it_lists_and_shows_its_models(truth_server: TruthServer) -> None:
    """With size and digest, and what a client looks for in a model's details."""
    truth_server.configure(TruthConfig(models=(ModelSpec("a:1b", 7), ModelSpec("b:latest", 8))))
    _, tags = ask(truth_server.urls[0], "/api/tags")
    assert [(model["name"], model["size"]) for model in tags["models"]] == [("a:1b", 7), ("b:latest", 8)]
    assert len({model["digest"] for model in tags["models"]}) == 2
    _, shown = ask(truth_server.urls[0], "/api/show", {"model": "b"})
    architecture = shown["model_info"]["general.architecture"]
    assert shown["model_info"][f"{architecture}.block_count"] > 0
    assert shown["details"]["quantization_level"]


def test_a_chat_is_streamed_in_messages(truth_server: TruthServer) -> None:
    """The log has the last message, which begins with the client's nonce; all messages count as prompt."""
    truth_server.configure(TruthConfig(QUICK))
    with connected(truth_server.urls[1]) as sock:
        sock.sendall(message("/api/chat", CHAT))
        lines = [json.loads(line) for line in chunks(b"".join(read_pieces(sock)))]
    assert [line["message"] for line in lines] == [
        {"role": "assistant", "content": text} for text in (" w0", " w1", " w2", "")
    ]
    assert lines[-1]["prompt_eval_count"] == 4
    (request,) = logged(truth_server)
    assert (request.path, request.prompt, request.port) == ("/api/chat", "n0nce a b", int(truth_server.urls[1][17:]))


def test_an_answer_may_come_whole(truth_server: TruthServer) -> None:
    """One write for all tokens; the durations are those of their making."""
    truth_server.configure(TruthConfig(QUICK))
    answer = _generate(truth_server)
    assert (answer["response"], answer["eval_count"], answer["done_reason"]) == (" w0 w1 w2", 3, "length")
    assert answer["eval_duration"] > 0
    (request,) = logged(truth_server)
    assert (len(set(request.token_ns)), request.token_write) == (1, (0, 0, 0))
    status, chat = ask(truth_server.urls[0], "/api/chat", CHAT | {"stream": False})
    assert (status, chat["message"]["content"]) == (200, " w0 w1 w2")


def test_an_empty_prompt_loads_and_with_keep_alive_0_unloads(truth_server: TruthServer) -> None:
    """As generate and as chat; what is asked is what /api/ps tells."""
    loaded = _generate(truth_server, prompt="", keep_alive=-1, options={"num_ctx": 1234})
    assert (loaded["done"], loaded["done_reason"], loaded["response"]) == (True, "load", "")
    (model,) = _loaded(truth_server).values()
    assert (model["context_length"], model["size"], model["size_vram"]) == (1234, 2**30, 2**30)
    assert model["expires_at"] > "2300"
    assert _loaded(truth_server, 1) == {}
    _, unloaded = ask(truth_server.urls[0], "/api/chat", {"model": "truth", "messages": [], "keep_alive": 0})
    assert (unloaded["done_reason"], unloaded["message"]["content"]) == ("unload", "")
    assert _loaded(truth_server) == {}
    assert [(request.prompt, request.token_ns) for request in truth_server.log()] == [("", ())]


@pytest.mark.parametrize("keep_alive", ["1ms", 0.001])
def test_an_idle_model_is_unloaded_when_its_time_is_over(truth_server: TruthServer, keep_alive: object) -> None:
    """A Go duration or seconds."""
    _generate(truth_server, prompt="", keep_alive=keep_alive)
    wait_until(lambda: _loaded(truth_server) == {}, "the model is gone")


def test_a_load_uses_up_nothing_of_the_script(truth_server: TruthServer) -> None:
    """It is for the requests that get tokens."""
    truth_server.configure(TruthConfig(QUICK, script=(Behaviour(Timing(ms=1), Timing(ms=1), 2),)))
    assert _generate(truth_server, prompt="")["done_reason"] == "load"
    assert [_generate(truth_server)["eval_count"] for _ in range(2)] == [2, 3]


def test_with_keep_alive_0_a_model_goes_after_the_answer(truth_server: TruthServer) -> None:
    """Not before: it is loaded while it works."""
    truth_server.configure(TruthConfig(QUICK))
    assert _generate(truth_server, keep_alive=0)["response"]
    assert _loaded(truth_server) == {}


def test_other_runner_options_are_a_reload_in_the_load_duration(truth_server: TruthServer) -> None:
    """A warm request pays none; one that changes num_ctx pays the load again."""
    truth_server.configure(TruthConfig(QUICK, device=DeviceSpec(load_ms=50)))
    loads = [
        _generate(truth_server, options={"num_ctx": num_ctx})["load_duration"] for num_ctx in (512, 512, 1024, 1024)
    ]
    assert min(loads[0], loads[2]) >= 50_000_000
    assert max(loads[1], loads[3]) < min(loads[0], loads[2])
    assert min(loads) > 0


def test_two_models_that_do_not_fit_together_evict_each_other(truth_server: TruthServer) -> None:
    """On one port; a third of them that is too large spills, and its work takes longer by the server's own times."""
    models = (ModelSpec("a:latest", 600), ModelSpec("b:latest", 600), ModelSpec("big:latest", 2000))
    device = DeviceSpec(memory_bytes=1000, spill_slowdown=5.0)
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=10), Timing(ms=4), 5), device=device, models=models))
    answers = {}
    for name in ("a", "b", "big"):
        answers[name] = _generate(truth_server, model=name)
        (model,) = _loaded(truth_server).values()
        assert (model["name"], model["size_vram"]) == (f"{name}:latest", 600 if name != "big" else 1000)
    for duration in ("prompt_eval_duration", "eval_duration"):
        slower = answers["big"][duration] / answers["a"][duration]
        assert slower == pytest.approx(3, rel=0.3)  # half of it is outside


def test_two_ports_spill_where_one_would_have_evicted(truth_server: TruthServer) -> None:
    """They share the memory and know nothing of each other."""
    size = TruthConfig().models[0].size_bytes
    truth_server.configure(TruthConfig(QUICK, device=DeviceSpec(memory_bytes=size + size // 4)))
    for port in (0, 1):
        _generate(truth_server, port)
    shares = [model["size_vram"] / model["size"] for port in (0, 1) for model in _loaded(truth_server, port).values()]
    assert shares == [1.0, 0.25]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("usage", [False, True])
def test_openai_streams_are_events(truth_server: TruthServer, chat: bool, usage: bool) -> None:
    """The tokens, why it ended, the counts if they were asked for, and [DONE]."""
    asked = {"model": "truth", "prompt": "a b", "messages": [{"role": "user", "content": [{"text": "a b"}]}]}
    options = {"stream": True, "max_tokens": 2, "stream_options": {"include_usage": usage}}
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), Timing(ms=1))))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message("/v1/chat/completions" if chat else "/v1/completions", asked | options))
        answer = b"".join(read_pieces(sock))
    assert b"Content-Type: text/event-stream" in answer
    *events, last = b"".join(chunks(answer)).decode().removesuffix("\n\n").split("\n\n")
    assert last == "data: [DONE]"
    decoded = [json.loads(event.removeprefix("data: ")) for event in events]
    if usage:
        counts = decoded.pop()
        assert counts["usage"] == {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}
        assert counts["choices"] == []
    choices = [event["choices"][0] for event in decoded]
    assert [choice["delta"]["content"] if chat else choice["text"] for choice in choices] == [" w0", " w1", ""]
    assert [choice["finish_reason"] for choice in choices] == [None, None, "length"]
    assert len(logged(truth_server)[0].token_ns) == 2


def test_openai_answers_are_whole_by_default(truth_server: TruthServer) -> None:
    """With their counts; max_completion_tokens is the newer name."""
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), Timing(ms=1))))
    asked = {"model": "truth", "messages": [{"content": "a"}], "max_completion_tokens": 2, "prompt": [[1, 2]]}
    _, chat = ask(truth_server.urls[0], "/v1/chat/completions", asked)
    assert chat["choices"][0]["message"] == {"role": "assistant", "content": " w0 w1"}
    assert chat["usage"]["completion_tokens"] == 2
    _, text = ask(truth_server.urls[0], "/v1/completions", asked)
    assert text["choices"][0]["text"] == " w0 w1"


def test_openai_clients_can_list_the_models(truth_server: TruthServer) -> None:
    """All of them, or one by name."""
    _, listed = ask(truth_server.urls[0], "/v1/models")
    _, one = ask(truth_server.urls[0], "/v1/models/truth")
    assert listed["data"] == [one]
    assert (one["id"], one["object"]) == ("truth:latest", "model")
    assert ask(truth_server.urls[0], "/v1/models/none")[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/generate", {"model": "none", "prompt": "x"}, 404, "model 'none' not found"),
        ("/api/generate", {"prompt": "x"}, 404, "model '' not found"),
        ("/api/generate", {"model": "///", "prompt": "x"}, 400, "invalid model name"),
        ("/api/generate", b"", 400, "missing request body"),
        ("/api/generate", b"{", 400, "Input data was truncated"),
        ("/api/generate", {"model": 5}, 400, "Expected `str | null`, got `int` - at `$.model`"),
        ("/api/generate", {"model": "truth", "keep_alive": "5"}, 400, 'time: missing unit in duration "5"'),
        (
            "/api/generate",
            {"model": "truth", "prompt": "x", "options": {"num_ctx": "big"}},
            500,
            'option "num_ctx" must be of type integer',
        ),
        ("/api/chat", {"messages": []}, 400, "model is required"),
        ("/api/show", {}, 400, "model is required"),
        ("/api/show", {"name": "none"}, 404, "model 'none' not found"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_as_ollama_does(
    truth_server: TruthServer, path: str, body: object, status: int, error: str
) -> None:
    """A status and an error; such a request is not in the log."""
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message(path, body))
        got, data = read_whole(sock)
    assert (got, json.loads(data)) == (status, {"error": error})
    assert truth_server.log() == ()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("GET", "/api/generate", 405)])
def test_a_path_or_method_that_is_none_is_refused(
    truth_server: TruthServer, method: str, path: str, status: int
) -> None:
    """In the router's words."""
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(message(path, method=method))
        got, body = read_whole(sock)
    assert (got, body[:3]) == (status, str(status).encode())


def test_the_configuration_can_be_read_and_replaced_over_http(truth_server: TruthServer) -> None:
    """By tools that are not Python; a bad one changes nothing."""
    url = truth_server.urls[1]
    assert ask(url, "/truth/config", {"seed": 5}, method="PUT")[0] == 200
    assert ask(url, "/truth/config")[1]["seed"] == 5
    for bad, named in (({"sed": 1}, "sed"), ({"by_port": {"2": {}}}, "by_port names port 2: write positions below 2")):
        status, answer = ask(url, "/truth/config", bad, method="PUT")
        assert status == 400
        assert named in answer["error"]
    assert ask(url, "/truth/config")[1]["seed"] == 5


def test_the_log_is_by_arrival_and_can_be_emptied_over_http(truth_server: TruthServer) -> None:
    """Though the first to come was the last to end."""
    slow = Behaviour(Timing(ms=60), Timing(ms=1), 2)
    truth_server.configure(TruthConfig(QUICK, script=(slow,)))
    with connected(truth_server.urls[0]) as sock:
        sock.sendall(generate(prompt="slow"))
        wait_until(lambda: _loaded(truth_server) != {}, "it has begun")
        stream(truth_server.urls[0], prompt="quick")
        read_pieces(sock)
    _, entries = ask(truth_server.urls[1], "/truth/log")
    assert [entry["prompt"] for entry in entries] == ["slow", "quick"]
    assert ask(truth_server.urls[1], "/truth/log", method="DELETE")[0] == 200
    assert ask(truth_server.urls[0], "/truth/log")[1] == []


def test_a_configuration_keeps_loaded_models_and_the_log(truth_server: TruthServer) -> None:
    """Only a reset lets go of both."""
    truth_server.configure(TruthConfig(QUICK))
    _generate(truth_server, keep_alive=-1)
    truth_server.configure(TruthConfig(QUICK, models=(ModelSpec("other:latest"),)))
    assert list(_loaded(truth_server)) == ["truth:latest"]
    assert len(truth_server.log()) == 1
    truth_server.reset(TruthConfig(QUICK, seed=3))
    assert _loaded(truth_server) == {}
    assert truth_server.log() == ()
