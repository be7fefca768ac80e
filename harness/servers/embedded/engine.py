"""The engine: a thin typed wrapper over ``xllamacpp`` (llama.cpp in a wheel).

Its foreign habits end here: settings by attribute, JSON in and out, errors as dicts, callbacks whose
exceptions vanish, and a loopback port of its own (here a Unix socket in a private directory, with a key).
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import psutil

from harness.records.errors import ServerError
from harness.servers.embedded.options import SamplingOptions

# Prompts are read in steps of so many tokens, at most: between two steps a generation can be cancelled.
MAX_BATCH = 64
MIN_BATCH = 8  # below two the engine aborts the process
TOKENIZE_TIMEOUT_S = 30.0
_INT32_MAX = 2**31 - 1
_MAX_SOCKET_PATH = 100  # the system allows 103 bytes on macOS, 107 on Linux


class EngineError(Exception):
    """The engine refused a request or could not load; the message is its own."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the engine is loaded with: tokens of context (of each slot), threads, tokens a batch, slots."""

    num_ctx: int
    num_thread: int
    num_batch: int
    parallel: int = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended: the reason, and the engine's own counts and times (ns).

    The first token's decode is billed to the prompt, as in Ollama. So is, with more slots than one, what a prompt
    waits for other slots' prompts (the engine reads them slot by slot): the request has its slot already.
    """

    reason: str
    prompt_count: int
    prompt_ns: int
    eval_count: int
    eval_ns: int


class _Choice(msgspec.Struct):
    text: str = ""
    finish_reason: str | None = None


class _Timings(msgspec.Struct):
    prompt_n: int
    prompt_ms: float
    predicted_n: int
    predicted_ms: float


class _Failure(msgspec.Struct):
    message: str = "unknown error"


class _Event(msgspec.Struct):
    choices: list[_Choice] = msgspec.field(default_factory=list)
    timings: _Timings | None = None
    error: _Failure | None = None


class _Server(Protocol):
    """The part of ``xllamacpp.Server`` that is used here."""

    def handle_completions(self, body: bytes, callback: Callable[[bytes], bool], /) -> None: ...


_decode = msgspec.json.Decoder(_Event).decode


def prepare() -> None:
    """Import the engine, once, before anything is timed.

    Idle OpenMP workers must not spin for long: with as many threads as cores, two servers would starve each
    other fifty-fold. The runtime reads that setting only when the library is loaded.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # or an abort would start a debugger
    try:
        import xllamacpp  # noqa: F401, PLC0415 - after the environment is set
    except ImportError as error:
        raise ServerError(
            f"the embedded engine cannot be imported ({error}); install it with 'pip install xllamacpp', "
            "on Linux together with the system package libgomp1"
        ) from error


class Engine:
    """One loaded model; as many generations at a time as it has slots.

    Every method blocks: call them from a worker thread, each generation from one of its own.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        """Load the model at ``path``.

        Raises:
            EngineError: it cannot be loaded.
        """
        prepare()
        self.settings = settings
        self._key = secrets.token_hex(16)
        self._private = _private_directory()
        self._socket = self._private / "engine.sock"
        try:
            self._server: _Server | None = _start(path, settings, self._socket, self._key)
        except (RuntimeError, ValueError) as error:
            shutil.rmtree(self._private, ignore_errors=True)
            raise EngineError(f"failed to load model: {error}") from error

    def close(self) -> None:
        """Free the model and its memory; the engine is not usable afterwards."""
        self._server = None
        self.forget()

    def forget(self) -> None:
        """Remove what the engine has on the disk; it can only generate from then on."""
        shutil.rmtree(self._private, ignore_errors=True)

    def generate(
        self, prompt: str | list[int], options: SamplingOptions, on_text: Callable[[str], bool]
    ) -> Outcome | None:
        """Generate until the model or a limit stops; ``on_text`` gets each token's text as it is made.

        ``on_text`` runs on this thread. It is also called with an empty text while a long prompt is read.
        When it returns True the generation is cancelled, and None is returned.

        Raises:
            EngineError: the engine refused the request, or ``on_text`` raised.
        """
        sent_ns, shared = time.monotonic_ns(), self.settings.parallel > 1
        outcome: Outcome | None = None
        failure: Exception | None = None
        reason = "stop"

        def receive(data: bytes) -> bool:
            nonlocal outcome, failure, reason
            try:
                event = _decode(data)
                if event.error is not None:
                    failure = EngineError(event.error.message)
                    return True
                choice = event.choices[0] if event.choices else _Choice()
                reason = choice.finish_reason or reason
                if event.timings is not None:
                    outcome = _outcome(reason, event.timings, time.monotonic_ns() - sent_ns if shared else 0)
                    return bool(choice.text) and on_text(choice.text)
                return on_text(choice.text)
            except Exception as error:  # the engine would swallow it
                failure = error
                return True

        if self._server is None:
            raise EngineError("the model has been unloaded")
        self._server.handle_completions(_request(prompt, options, self.settings.num_ctx), receive)
        if failure is not None:
            raise failure if isinstance(failure, EngineError) else EngineError(str(failure)) from failure
        return outcome

    def tokenize(self, text: str) -> list[int]:
        """The tokens that ``text`` is as a prompt, with the beginning-of-sequence token."""
        body = json.dumps({"content": text, "add_special": True, "parse_special": True})
        connection = _UnixConnection(self._socket)
        try:
            connection.request("POST", "/tokenize", body, {"Authorization": f"Bearer {self._key}"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise EngineError(f"failed to tokenize: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise EngineError(f"failed to tokenize: {answer}")
        tokens: list[int] = answer["tokens"]
        return tokens


def _private_directory() -> Path:
    """A new directory for the engine's socket; those of processes that were killed are removed."""
    base = tempfile.gettempdir()
    if len(base) > _MAX_SOCKET_PATH - len("/harness-engine-4194304-12345678/engine.sock"):
        base = "/tmp"  # noqa: S108 - the name of a socket must be short, and mkdtemp makes it private
    for stale in Path(base).glob("harness-engine-*-*"):
        process = stale.name.split("-")[2]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            shutil.rmtree(stale, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"harness-engine-{os.getpid()}-", dir=base))


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TOKENIZE_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TOKENIZE_TIMEOUT_S)
        self.sock.connect(str(self._path))


def _start(path: Path, settings: Settings, address: Path, key: str) -> _Server:
    import xllamacpp  # noqa: PLC0415 - see prepare()

    batch = max(MIN_BATCH, min(settings.num_batch, MAX_BATCH))
    batch += settings.parallel - 1  # the others' next tokens beside a step of a prompt; fewer than slots would abort
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = settings.parallel * (settings.num_ctx + 1)  # rounded up; a prompt must leave one cell free
    params.n_batch = params.n_ubatch = batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.num_thread
    params.n_parallel = settings.parallel  # more requests than these are not sent here: they queue before it
    params.kv_unified = False  # each slot has its own share of the context, and nobody else's
    params.n_gpu_layers = 0
    params.fit_params = False  # take the settings as they are
    params.cache_prompt = False  # or a repeated prompt would be read faster than a new one
    params.cache_ram_mib = 0
    params.ctx_shift = True  # a full context moves on, as in Ollama
    params.warmup = True
    params.verbosity = 0
    params.hostnames = [str(address)]
    params.api_keys = [key]
    params.n_threads_http = 1
    server: _Server = xllamacpp.Server(params)
    return server


def _request(prompt: str | list[int], options: SamplingOptions, num_ctx: int) -> bytes:
    """One completion in the engine's own names; a limit of tokens there always is."""
    limit = 10 * num_ctx
    wanted = options.num_predict
    return msgspec.json.encode(
        {
            "prompt": prompt,
            "stream": True,
            "return_progress": True,
            "max_tokens": wanted if 0 < wanted < limit else limit,
            "n_keep": max(-1, min(options.num_keep, _INT32_MAX)),
            "seed": options.seed & 0xFFFFFFFF,  # -1 becomes the engine's own "any"
            "temperature": options.temperature,
            "top_k": max(0, min(options.top_k, _INT32_MAX)),
            "top_p": options.top_p,
            "min_p": options.min_p,
            "typical_p": options.typical_p,
            "repeat_last_n": num_ctx if options.repeat_last_n < 0 else min(options.repeat_last_n, num_ctx),
            "repeat_penalty": options.repeat_penalty,
            "presence_penalty": options.presence_penalty,
            "frequency_penalty": options.frequency_penalty,
            "stop": list(options.stop),
        }
    )


def _outcome(reason: str, timings: _Timings, elapsed_ns: int) -> Outcome:
    eval_ns = round(timings.predicted_ms * 1e6) if timings.predicted_n > 1 else 0
    return Outcome(
        reason="length" if reason == "length" else "stop",
        prompt_count=timings.prompt_n,
        prompt_ns=max(round(timings.prompt_ms * 1e6), elapsed_ns - eval_ns),
        eval_count=timings.predicted_n,
        eval_ns=eval_ns,
    )
