"""The administration API: what it asks, and that every failure names the server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import respx

from harness.records.errors import HarnessError, ModelError, ProtocolError, ServerError
from harness.servers.api import OllamaApi

URL = "http://server.test:11434"


@asynccontextmanager
async def _api(router: respx.MockRouter) -> AsyncIterator[OllamaApi]:
    api = OllamaApi(URL, httpx.MockTransport(router.async_handler))
    try:
        yield api
    finally:
        await api.close()


@pytest.fixture
def router() -> respx.MockRouter:
    """The server's routes."""
    return respx.MockRouter(base_url=URL, assert_all_called=False)


def _lines(*items: object) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


@pytest.mark.asyncio
async def test_version_and_models_are_read(router: respx.MockRouter) -> None:
    """The fields that are used, and no others are needed."""
    listed = {"name": "gemma3:latest", "digest": "d", "size": 7, "details": {"family": "gemma3"}}
    router.get("/api/version").respond(json={"version": "0.12.3"})
    router.get("/api/tags").respond(json={"models": [listed]})
    router.get("/api/ps").respond(json={"models": [{**listed, "size_vram": 5, "context_length": 512}]})
    async with _api(router) as api:
        assert await api.version() == "0.12.3"
        (model,) = await api.models()
        (loaded,) = await api.loaded()
    assert (model.name, model.digest, model.size, model.size_vram) == ("gemma3:latest", "d", 7, 0)
    assert (loaded.size_vram, loaded.context_length) == (5, 512)


@pytest.mark.parametrize("body", [{"models": None}, {"models": []}, {}])
@pytest.mark.asyncio
async def test_a_server_without_models_has_none(router: respx.MockRouter, body: object) -> None:
    """Ollama writes null where there is none."""
    router.get("/api/tags").respond(json=body)
    async with _api(router) as api:
        assert await api.models() == ()
        assert await api.find("x") is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("gemma3", "gemma3:latest"), ("gemma3:latest", "gemma3:latest"), ("gemma3:4b", "gemma3:4b"), ("gemma", None)],
)
@pytest.mark.asyncio
async def test_a_model_is_found_with_or_without_its_tag(
    router: respx.MockRouter, wanted: str, found: str | None
) -> None:
    """In the list and among the loaded ones alike."""
    answer = {"models": [{"name": "gemma3:4b"}, {"name": "gemma3:latest"}]}
    router.get("/api/tags").respond(json=answer)
    router.get("/api/ps").respond(json=answer)
    async with _api(router) as api:
        for model in (await api.find(wanted), await api.find_loaded(wanted)):
            assert (model.name if model else None) == found


@pytest.mark.asyncio
async def test_a_model_is_shown_with_the_metadata_of_its_file(router: respx.MockRouter) -> None:
    """Numbers and words as they are; of a model that is not there the server's reason is told."""
    info = {"general.architecture": "llama", "llama.block_count": 32, "tokenizer.ggml.tokens": None}
    shown = router.post("/api/show").respond(json={"model_info": info, "details": {"family": "llama"}})
    async with _api(router) as api:
        assert (await api.show("m")).model_info == info
        shown.respond(json={})
        assert (await api.show("m")).model_info == {}
        shown.respond(404, json={"error": "model 'm' not found"})
        with pytest.raises(ModelError, match=f"{URL}: m could not be shown: model 'm' not found"):
            await api.show("m")
        shown.respond(text="<html>")
        with pytest.raises(ProtocolError, match=r"is it an Ollama server\?"):
            await api.show("m")
    assert json.loads(shown.calls[0].request.content) == {"model": "m"}


@pytest.mark.asyncio
async def test_loading_and_unloading_send_empty_prompts(router: respx.MockRouter) -> None:
    """The runner options go with the load; unloading is keep_alive 0."""
    route = router.post("/api/generate").respond(json={"done": True})
    async with _api(router) as api:
        await api.load("m", {"num_ctx": 512, "num_gpu": 80})
        await api.load("m", {}, keep_alive=300)
        await api.unload("m")
    bodies = [json.loads(call.request.content) for call in route.calls]
    assert bodies == [
        {"model": "m", "stream": False, "keep_alive": -1, "options": {"num_ctx": 512, "num_gpu": 80}},
        {"model": "m", "stream": False, "keep_alive": 300, "options": {}},
        {"model": "m", "stream": False, "keep_alive": 0},
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b'{"error": "model \'m\' not found"}', "model 'm' not found"),
        (500, b"oops", "HTTP 500"),
        (500, b'{"error": "\xff"}', "HTTP 500"),
        (503, b"", "HTTP 503"),
    ],
)
@pytest.mark.asyncio
async def test_a_refused_load_is_a_model_error_with_the_servers_reason(
    router: respx.MockRouter, status: int, body: bytes, reason: str
) -> None:
    """The message names server, model and reason, whatever the body is."""
    router.post("/api/generate").respond(status, content=body)
    async with _api(router) as api:
        with pytest.raises(ModelError) as raised:
            await api.load("m", {})
    assert str(raised.value) == f"{URL}: m could not be loaded: {reason}"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(404, text="not found"),
        httpx.Response(200, text="<html>hello</html>"),
        httpx.Response(200, json={"hello": 1}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b"\xff"),
        httpx.Response(200, content=b'{"version": "\xff"}'),
        httpx.Response(301, headers={"location": "http://elsewhere/"}),
        httpx.Response(200, content=b'{"x": ' + b"[" * 100_000),
    ],
)
@pytest.mark.asyncio
async def test_what_answers_but_is_not_ollama_is_a_protocol_error(
    router: respx.MockRouter, response: httpx.Response
) -> None:
    """A web server on that port is named as what it is not."""
    router.get("/api/version").mock(return_value=response)
    async with _api(router) as api:
        with pytest.raises(ProtocolError, match=rf"{URL}/api/version .*is it an Ollama server\?"):
            await api.version()


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("bad\nlines")]
)
@pytest.mark.asyncio
async def test_a_server_that_does_not_answer_is_a_server_error(
    router: respx.MockRouter, failure: httpx.HTTPError, tmp_path: Path
) -> None:
    """Each call translates httpx's exceptions into one line that says what to check."""
    router.route().mock(side_effect=failure)
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"x")
    async with _api(router) as api:
        calls = (
            api.version(),
            api.find("m"),
            api.find_loaded("m"),
            api.load("m", {}),
            api.unload("m"),
            api.show("m"),
            api.pull("m", lambda _line: None),
            api.create("m", gguf),
        )
        for call in calls:
            with pytest.raises(ServerError, match=f"{URL} does not answer .{type(failure).__name__}") as raised:
                await call
            assert "\n" not in str(raised.value)
            assert "is the URL right?" in str(raised.value)


@pytest.mark.asyncio
async def test_a_pull_tells_its_progress_once_for_each_per_cent(router: respx.MockRouter) -> None:
    """Repeated lines are told once."""
    body = _lines(
        {"status": "pulling manifest"},
        {"status": "pulling", "total": 1000, "completed": 1},
        {"status": "pulling", "total": 1000, "completed": 2},
        {"status": "pulling", "total": 1000, "completed": 990},
        {"status": "success"},
    )
    router.post("/api/pull").respond(content=body)
    told: list[str] = []
    async with _api(router) as api:
        await api.pull("m", told.append)
    states = ["pulling manifest", "pulling 0 %", "pulling 99 %", "success"]
    assert told == [f"{URL}: {state}" for state in states]


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (200, _lines({"status": "pulling"}, {"error": "no such model"}), ModelError, "m could not be pulled: no such"),
        (200, _lines({"status": "verifying"}), ModelError, "it stopped at 'verifying'"),
        (200, b"", ModelError, "it stopped at ''"),
        (500, b'{"error": "disk full"}', ModelError, "could not be pulled: disk full"),
        (200, b"<html>\n", ProtocolError, "sent a line that is not a status"),
        (200, b'{"status": "\xff"}\n', HarnessError, "m could not be pulled|not a status"),
    ],
)
@pytest.mark.asyncio
async def test_a_pull_that_fails_says_why(
    router: respx.MockRouter, status: int, body: bytes, kind: type[HarnessError], words: str
) -> None:
    """Also by an error line under HTTP 200, and by a stream that just ends."""
    router.post("/api/pull").respond(status, content=body)
    async with _api(router) as api:
        with pytest.raises(kind, match=words):
            await api.pull("m", lambda _line: None)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.asyncio
async def test_creating_uploads_only_what_the_server_lacks(
    router: respx.MockRouter, tmp_path: Path, known: bool
) -> None:
    """The file goes up once, under its digest, and the model is made from it."""
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"weights" * 1000)
    digest = f"sha256:{hashlib.sha256(gguf.read_bytes()).hexdigest()}"
    router.head(f"/api/blobs/{digest}").respond(200 if known else 404)
    upload = router.post(f"/api/blobs/{digest}").respond(201)
    create = router.post("/api/create").respond(content=_lines({"status": "success"}))
    async with _api(router) as api:
        await api.create("m", gguf)
    assert upload.call_count == (0 if known else 1)
    if not known:
        assert upload.calls[0].request.content == gguf.read_bytes()
    assert json.loads(create.calls[0].request.content) == {"model": "m", "files": {"m.gguf": digest}}


@pytest.mark.asyncio
async def test_a_refused_upload_is_a_model_error(router: respx.MockRouter, tmp_path: Path) -> None:
    """With the server's reason."""
    gguf = tmp_path / "m.gguf"
    gguf.write_bytes(b"x")
    router.route(method="HEAD").respond(404)
    router.post(path__startswith="/api/blobs/").respond(500, json={"error": "no space left"})
    async with _api(router) as api:
        with pytest.raises(ModelError, match="m could not be created: no space left"):
            await api.create("m", gguf)
