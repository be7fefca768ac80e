"""One embedded server in a process of its own, with the light model, for the tests of a module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

DEADLINE_S = 20.0
MODEL = "embedded"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until ``condition`` holds; fails at the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_S} s in vain until {what}")
        time.sleep(0.005)


@dataclass(frozen=True)
class Server:
    """A running server: its process, its client and its log."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path

    def body(self, **changes: object) -> dict[str, Any]:
        """A request to generate three tokens, with changes."""
        return (
            {"model": MODEL, "prompt": "hello", "raw": True, "stream": False}
            | {"options": {"num_predict": 3}}
            | changes
        )

    def generate(self, **changes: object) -> dict[str, Any]:
        """The answer to such a request."""
        response = self.client.post("/api/generate", json=self.body(**changes))
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    @contextmanager
    def stream(self, **changes: object) -> Iterator[Iterator[str]]:
        """The lines of a stream that would go on for long; leaving the context disconnects."""
        body = self.body(stream=True, options={"num_predict": -1}) | changes
        with self.client.stream("POST", "/api/generate", json=body) as response:
            assert response.status_code == 200
            yield response.iter_lines()

    def running(self) -> list[dict[str, Any]]:
        """What ``/api/ps`` lists."""
        models: list[dict[str, Any]] = self.client.get("/api/ps").json()["models"]
        return models

    def loads(self) -> int:
        """How often the model has been loaded so far."""
        return self.log.read_text().count("loaded in ")

    def unload(self) -> None:
        """Unload and wait until the model is gone."""
        self.generate(prompt="", keep_alive=0)
        wait_until(lambda: not self.running(), "the model is unloaded")


@contextmanager
def started(cache: Path, log: Path, *arguments: str, num_parallel: str | None = None) -> Iterator[Server]:
    """A server on a free port, ready; it is ended with the context. ``num_parallel`` is its OLLAMA_NUM_PARALLEL."""
    environment = {name: value for name, value in os.environ.items() if name != "OLLAMA_NUM_PARALLEL"}
    if num_parallel is not None:
        environment["OLLAMA_NUM_PARALLEL"] = num_parallel
    command = [sys.executable, "-m", "harness", "serve", "--port", "0", "--shape", "light"]
    with log.open("wb") as stream:
        process = subprocess.Popen([*command, "--cache-dir", str(cache), *arguments], env=environment, stderr=stream)
    try:
        ready = "ready on "
        wait_until(lambda: ready in log.read_text() or process.poll() is not None, "the server is ready")
        assert process.poll() is None, log.read_text()
        address = log.read_text().partition(ready)[2].split()[0]
        with httpx.Client(base_url=address, timeout=8.0, trust_env=False) as client:
            assert client.get("/").text == "Ollama is running"
            yield Server(process, client, log)
    finally:
        process.terminate()
        process.wait(DEADLINE_S)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the light model is made, once."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def server(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for the tests of one module."""
    with started(cache, tmp_path_factory.mktemp("log") / "server.log") as running:
        yield running
