"""Everything that is asked of a server outside a measured run, over plain httpx."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from harness.protocol import UNDECODABLE, load_body, normalized_model, unload_body
from harness.records.errors import ModelError, ProtocolError, ServerError

_T = TypeVar("_T")
LOAD_S = 600.0
_UNLOAD_S = 5.0
_GONE_S = 60.0
_POLL_S = 0.05
_SHOW_S = 30.0
_READ_S = 600.0
_CONNECT_S = 5.0
_PIECE = 1 << 20
_FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)
_NO_SILENCE = httpx.Timeout(None, connect=_CONNECT_S)  # the deadline of the whole is the limit


class ListedModel(msgspec.Struct, frozen=True):
    """A model in ``/api/tags`` or ``/api/ps``; sizes in bytes."""

    name: str
    digest: str = ""
    size: int = 0
    size_vram: int = 0
    context_length: int = 0
    expires_at: str = ""


class ShownModel(msgspec.Struct, frozen=True):
    """What ``/api/show`` tells of a model; ``model_info`` are the metadata of its file, lists often left out (None)."""

    model_info: dict[str, object] = {}


class _Models(msgspec.Struct):
    models: list[ListedModel] | None = None


class _Version(msgspec.Struct):
    version: str


class _Status(msgspec.Struct):
    status: str = ""
    total: int = 0
    completed: int = 0
    error: str | None = None


class _Error(msgspec.Struct):
    error: str


class OllamaApi:
    """Ollama's administration API of one server; every failure is a ``HarnessError`` that names the server."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """``transport`` is httpx's seam, for tests."""
        self.url = url
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S),
            transport=transport,
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # one that cannot be sent back would stay
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def version(self, timeout_s: float = 5.0) -> str:
        """The server's version.

        Raises:
            ServerError: If nobody answers there within ``timeout_s``.
            ProtocolError: If what answers is not Ollama.
        """
        return (await self._get("/api/version", _Version, timeout_s)).version

    async def models(self) -> tuple[ListedModel, ...]:
        """The models that the server has."""
        return tuple((await self._get("/api/tags", _Models)).models or ())

    async def loaded(self) -> tuple[ListedModel, ...]:
        """The models that are in its memory."""
        return tuple((await self._get("/api/ps", _Models)).models or ())

    async def find(self, model: str) -> ListedModel | None:
        """The model by name (``x`` is ``x:latest``), or None."""
        return _named(await self.models(), model)

    async def find_loaded(self, model: str) -> ListedModel | None:
        """The loaded model by name, or None."""
        return _named(await self.loaded(), model)

    async def show(self, model: str) -> ShownModel:
        """What the server knows of a model that it has.

        Raises:
            ModelError: If it has no such model.
            ProtocolError: If what it answers is not what Ollama does.
        """
        response = await self._send("POST", "/api/show", json={"model": model}, timeout=_SHOW_S)
        if not response.is_success:
            raise ModelError(f"{self.url}: {model} could not be shown: {_reason(response)}")
        return self._decoded("/api/show", response, ShownModel)

    async def load(
        self, model: str, options: Mapping[str, float], *, keep_alive: int = -1, deadline_s: float = LOAD_S
    ) -> None:
        """Loads a model with these options, or changes its keep-alive (s; negative: for ever).

        Raises:
            ModelError: If the server refuses, or does not answer within ``deadline_s``.
        """
        body = load_body(model, options, keep_alive=keep_alive)
        await self._post_model(body, f"{model} could not be loaded", deadline_s)

    async def unload(self, model: str) -> None:
        """Asks the server to let a model go; it answers at once and does so in its own time.

        Raises:
            ModelError: If the server refuses, or does not answer within 5 s.
        """
        await self._post_model(unload_body(model), f"{model} could not be unloaded", _UNLOAD_S)

    async def unload_wholly(self, model: str, deadline_s: float = _GONE_S) -> None:
        """Asks the server to let a model go, and waits until it has.

        Raises:
            ModelError: If the server refuses, or still holds it after ``deadline_s``.
        """
        await self.unload(model)
        try:
            async with asyncio.timeout(deadline_s):
                while await self.find_loaded(model) is not None:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise ModelError(f"{self.url}: {model} was to be unloaded, and is loaded after {deadline_s:g} s") from error

    async def pull(self, model: str, progress: Callable[[str], None]) -> None:
        """Pulls a model; ``progress`` gets a line whenever the status changes by a per cent or more.

        Raises:
            ModelError: If the pull fails, also by an error line under HTTP 200.
        """
        last = ""
        async for status in self._statuses("/api/pull", {"model": model}, f"{model} could not be pulled"):
            share = f" {100 * status.completed // status.total} %" if status.total else ""
            line = f"{self.url}: {status.status}{share}"
            if line != last:
                progress(line)
            last = line

    async def create(self, model: str, gguf: Path) -> None:
        """Creates a model from a GGUF file on this machine.

        Raises:
            ModelError: If the server refuses the file.
        """
        digest = f"sha256:{_sha256(gguf)}"
        failure = f"{model} could not be created"
        blob = f"/api/blobs/{digest}"
        if (await self._send("HEAD", blob)).status_code != httpx.codes.OK:
            response = await self._send("POST", blob, content=_pieces(gguf))
            if not response.is_success:
                raise ModelError(f"{self.url}: {failure}: {_reason(response)}")
        body = {"model": model, "files": {gguf.name: digest}}
        async for _status in self._statuses("/api/create", body, failure):
            pass

    async def _get(self, path: str, shape: type[_T], timeout_s: float = 30.0) -> _T:
        return self._decoded(path, await self._send("GET", path, timeout=timeout_s), shape)

    def _decoded(self, path: str, response: httpx.Response, shape: type[_T]) -> _T:
        try:
            response.raise_for_status()
            return msgspec.json.decode(response.content, type=shape)
        except (httpx.HTTPStatusError, *UNDECODABLE) as error:
            raise ProtocolError(
                f"{self.url}{path} does not answer as Ollama does ({_first_line(error)}): is it an Ollama server?"
            ) from error

    async def _post_model(self, body: Mapping[str, object], failure: str, deadline_s: float) -> None:
        try:
            async with asyncio.timeout(deadline_s):
                response = await self._send("POST", "/api/generate", json=body, timeout=_NO_SILENCE)
        except TimeoutError as error:
            raise ModelError(
                f"{self.url}: {failure}: no answer within {deadline_s:g} s (a load may take --block-deadline)"
            ) from error
        if not response.is_success:
            raise ModelError(f"{self.url}: {failure}: {_reason(response)}")

    async def _send(self, method: str, path: str, **arguments: object) -> httpx.Response:
        try:
            return await self._client.request(method, path, **arguments)  # type: ignore[arg-type]
        except _FOREIGN as error:
            raise self._unreachable(error) from error

    async def _statuses(self, path: str, body: Mapping[str, object], failure: str) -> AsyncIterator[_Status]:
        """Status lines up to ``success``; anything else at the end, or an error line, is an error."""
        status = _Status()
        try:
            async with self._client.stream("POST", path, json=body) as response:
                if not response.is_success:
                    await response.aread()
                    raise ModelError(f"{self.url}: {failure}: {_reason(response)}")
                async for line in response.aiter_lines():
                    status = msgspec.json.decode(line, type=_Status)
                    if status.error:
                        raise ModelError(f"{self.url}: {failure}: {status.error}")
                    yield status
        except _FOREIGN as error:
            raise self._unreachable(error) from error
        except UNDECODABLE as error:
            raise ProtocolError(f"{self.url}{path} sent a line that is not a status: {error}") from error
        if status.status != "success":
            raise ModelError(f"{self.url}: {failure}: it stopped at {status.status!r}")

    def _unreachable(self, error: Exception) -> ServerError:
        return ServerError(
            f"{self.url} does not answer ({type(error).__name__}: {_first_line(error)}): "
            "is the server running there, and is the URL right?"
        )


def _named(models: tuple[ListedModel, ...], name: str) -> ListedModel | None:
    wanted = normalized_model(name)
    return next((model for model in models if normalized_model(model.name) == wanted), None)


def _reason(response: httpx.Response) -> str:
    try:
        return msgspec.json.decode(response.content, type=_Error).error
    except UNDECODABLE:
        return f"HTTP {response.status_code}"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
