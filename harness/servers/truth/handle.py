"""The handle of a ground-truth server that runs as a process of its own."""

from __future__ import annotations

import http.client
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from harness.records.errors import ConfigurationError, ServerError
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry, default_folder
from harness.servers.truth.log import TrueRequest, decode_log
from harness.servers.truth.spec import READY, TruthConfig, encode_config

_READY_S = 30.0
_POLL_S = 0.005
_ANSWER_S = 60.0
_OK = 200
_PLAIN = TruthConfig()


class TruthServer:
    """A running ground-truth server; a context manager that ends it."""

    def __init__(self, process: ServerProcess, folder: tempfile.TemporaryDirectory[str], urls: tuple[str, ...]) -> None:
        """Use :meth:`start`."""
        self.urls = urls
        self._process = process
        self._folder = folder

    @classmethod
    def start(
        cls, config: TruthConfig = _PLAIN, *, ports: Sequence[int] = (0, 0), cpus: tuple[int, ...] | None = None
    ) -> Self:
        """Starts one and waits until it answers.

        Args:
            config: What it does at first.
            ports: Their numbers; 0 takes a free one.
            cpus: CPUs it may use; None: all.

        Raises:
            ServerError: it did not start; the message ends with its last log lines.
        """
        folder = tempfile.TemporaryDirectory(prefix="harness-truth-")
        path = Path(folder.name)
        path.joinpath("config.json").write_bytes(encode_config(config))
        options = [item for port in ports for item in ("--port", str(port))]
        command = (sys.executable, "-m", "harness", "truth", *options, "--config", str(path / "config.json"))
        spec = ProcessSpec(
            name="the ground-truth server",
            url="",
            command=(*command, "--with-parent"),
            environment=dict(os.environ),
            log=path / "log",
            cpus=cpus,
        )
        try:
            process = ServerProcess.start(spec, Registry(default_folder()))
        except ServerError:
            folder.cleanup()
            raise
        try:
            return cls(process, folder, _wait_ready(process))
        except BaseException:
            process.stop()
            folder.cleanup()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def configure(self, config: TruthConfig) -> None:
        """Replaces the configuration, its script too; loaded models stay loaded, the log is kept.

        Raises:
            ConfigurationError: it does not fit the ports.
            ServerError: the server does not answer.
        """
        self._call("PUT", "/truth/config", encode_config(config))

    def log(self) -> tuple[TrueRequest, ...]:
        """All requests to generate or chat that have ended so far, by arrival.

        Raises:
            ServerError: the server does not answer.
        """
        return decode_log(self._call("GET", "/truth/log"))

    def clear(self) -> None:
        """Empties the log.

        Raises:
            ServerError: the server does not answer.
        """
        self._call("DELETE", "/truth/log")

    def reset(self, config: TruthConfig = _PLAIN) -> None:
        """As newly started: this configuration, an empty log, and no model loaded (but those in use).

        Raises:
            ConfigurationError: it does not fit the ports.
            ServerError: the server does not answer.
        """
        self._call("DELETE", "/truth/models")
        self.configure(config)
        self.clear()

    def stop(self) -> None:
        """Ends it. Safe to call twice."""
        self._process.stop()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        host = self.urls[0].removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=_ANSWER_S)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            if self._process.exit_code is not None:
                raise self._process.died() from error
            raise ServerError(f"the ground-truth server did not answer {method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status != _OK:
            raise ConfigurationError(msgspec.json.decode(data, type=dict[str, str])["error"])
        return data


def _wait_ready(process: ServerProcess) -> tuple[str, ...]:
    """The URLs that it says it answers on."""
    deadline = time.monotonic() + _READY_S
    while True:
        for line in process.spec.log.read_text("utf-8", "replace").splitlines(keepends=True):
            if line.startswith(READY) and line.endswith("\n"):
                return tuple(line.removeprefix(READY).split())
        if process.exit_code is not None:
            raise process.died()
        if time.monotonic() > deadline:
            raise ServerError(f"the ground-truth server was not ready in {_READY_S:g} s\n{process.log_tail()}")
        time.sleep(_POLL_S)
