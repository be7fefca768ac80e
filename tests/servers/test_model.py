"""The model on the servers of a session: there when it is needed, and foreign servers as they were found."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import respx

from harness.records import ServerInfo
from harness.records.errors import ModelError
from harness.servers import model as model_module
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.model import FOREVER, describe, model_in_place, time_to_live_s
from harness.servers.selection import Selection

FOREIGN = "http://foreign.test:11434"


def _silent(_line: str) -> None:
    """Says nothing."""


def _models(*names: str) -> dict[str, object]:
    return {
        "models": [
            {"name": name, "digest": "sha256:7", "size": 10, "size_vram": 4, "expires_at": "2319-01-01T00:00:00Z"}
            for name in names
        ]
    }


async def _placed(kind: str, has: tuple[str, ...], loaded: tuple[str, ...], *, pull: bool = False) -> list[str]:
    """What one server is asked while the model `m` is put in place and let go again."""
    selection = Selection(kind, "test", "m", pull=pull)
    api = OllamaApi(FOREIGN)
    try:
        with respx.mock(base_url=FOREIGN, assert_all_called=False) as router:
            router.get("/api/tags").respond(json=_models(*has))
            router.get("/api/ps").respond(json=_models(*loaded))
            router.post("/api/pull").respond(content=b'{"status": "success"}\n')
            router.post("/api/generate").respond(json={})
            async with model_in_place((Server(FOREIGN, kind, api),), selection, _silent):
                pass
            return [
                call.request.url.path + call.request.content.decode().replace(" ", "")
                for call in router.calls
                if call.request.method == "POST"
            ]
    finally:
        await api.close()


UNLOAD = "/api/generate" + json.dumps({"model": "m", "stream": False, "keep_alive": 0}).replace(" ", "")
KEEP = "/api/generate" + json.dumps({"model": "m", "stream": False, "keep_alive": -1, "options": {}}).replace(" ", "")
PULL = '/api/pull{"model":"m"}'


@pytest.mark.parametrize(
    ("kind", "has", "loaded", "pull", "asked"),
    [
        ("connect", ("m:latest",), (), False, [UNLOAD]),
        ("connect", ("m:latest",), ("m:latest",), False, [KEEP]),
        ("connect", ("m:latest",), ("other:latest",), False, [UNLOAD]),
        ("connect", (), (), True, [PULL, UNLOAD]),
        ("ollama", ("m:latest",), (), True, []),
    ],
    ids=["not loaded", "loaded before", "another loaded", "pulled", "ours"],
)
@pytest.mark.asyncio
async def test_a_foreign_server_is_left_as_it_was_found(
    kind: str, has: tuple[str, ...], loaded: tuple[str, ...], pull: bool, asked: list[str]
) -> None:
    """A model that it did not hold before is let go again; one that it held gets its keep-alive back."""
    assert await _placed(kind, has, loaded, pull=pull) == asked


@pytest.mark.asyncio
async def test_a_missing_model_says_the_command_that_brings_it() -> None:
    """Nothing is downloaded unasked."""
    words = (
        r"'m' is not on http://foreign.test:11434: run `OLLAMA_HOST=foreign.test:11434 ollama pull m`, or pass --pull"
    )
    with pytest.raises(ModelError, match=words):
        await _placed("connect", (), ())


@pytest.mark.asyncio
async def test_the_embedded_model_is_created_on_a_server_that_lacks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a real Ollama, from the file that is made on the spot."""
    gguf = tmp_path / "embedded.gguf"
    gguf.write_bytes(b"weights")
    monkeypatch.setattr(model_module, "ensure_model", lambda _folder: gguf)
    api, said = OllamaApi(FOREIGN), list[str]()
    try:
        with respx.mock(base_url=FOREIGN) as router:
            router.get("/api/tags").respond(json=_models())
            router.get("/api/ps").respond(json=_models("embedded:latest"))
            router.post("/api/generate").respond(json={})
            router.route(method="HEAD").respond(200)
            create = router.post("/api/create").respond(content=b'{"status": "success"}\n')
            selection = Selection("connect", "test", "embedded")
            async with model_in_place((Server(FOREIGN, "connect", api),), selection, said.append):
                pass
    finally:
        await api.close()
    assert create.called
    assert said == [f"{FOREIGN}: creating the model `embedded` there"]


@pytest.mark.asyncio
async def test_a_server_that_died_meanwhile_does_not_spoil_the_ending() -> None:
    """The error that ended the session is the one that is seen, not that of tidying up."""
    api = OllamaApi(FOREIGN)
    try:
        with respx.mock(base_url=FOREIGN) as router:
            router.get("/api/tags").respond(json=_models("m:latest"))
            router.get("/api/ps").respond(json=_models())
            router.post("/api/generate").mock(side_effect=httpx.ConnectError("gone"))
            async with model_in_place((Server(FOREIGN, "connect", api),), Selection("connect", "t", "m"), _silent):
                pass
    finally:
        await api.close()


@pytest.mark.parametrize(
    ("has", "loaded", "info"),
    [
        (("m:latest",), ("m:latest",), ServerInfo(FOREIGN, "connect", "1", "sha256:7", 10, 4)),
        (("m:latest",), (), ServerInfo(FOREIGN, "connect", "1", "sha256:7", 0, 0)),
        ((), (), ServerInfo(FOREIGN, "connect", "1", "", 0, 0)),
    ],
)
@pytest.mark.asyncio
async def test_a_server_is_described_with_where_the_models_memory_is(
    has: tuple[str, ...], loaded: tuple[str, ...], info: ServerInfo
) -> None:
    """Version, digest, size and the part in GPU memory; empty where the model is not."""
    api = OllamaApi(FOREIGN)
    try:
        with respx.mock(base_url=FOREIGN) as router:
            router.get("/api/version").respond(json={"version": "1"})
            router.get("/api/tags").respond(json=_models(*has))
            router.get("/api/ps").respond(json=_models(*loaded))
            assert await describe(Server(FOREIGN, "connect", api), "m") == info
    finally:
        await api.close()


NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expires_at", "seconds"),
    [
        ("2026-11-22T12:04:00.123456789Z", 240),
        ("2026-11-22T13:00:30+01:00", 30),
        ("2026-11-22T11:00:00Z", 1),
        ("2319-03-05T10:00:00.5-07:00", FOREVER),
        ("", 300),
        ("soon", 300),
        ("2026-11-22T12:04:00", 300),
    ],
)
def test_the_time_to_live_is_read_from_what_ps_says(expires_at: str, seconds: int) -> None:
    """Nanoseconds, time zones, the past, for ever; and Ollama's default for what cannot be read."""
    assert time_to_live_s(expires_at, NOW) == seconds
