"""What servers and GPUs use during a run, sampled by a process of its own, so that the measuring one has nothing to do.

The sampler (:mod:`harness.servers.sampler`) has the lowest priority and sleeps between runs: a run without a span is
not sampled at all. This process writes it a line before a run and one after it, and reads the samples then; nothing
depends on it. Once it has died, or has not answered in time, it is ended, and there are no resources any more.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

import msgspec

from harness.measure.usage import Stretch, resources_of
from harness.records.resources import Resources, ServerUse
from harness.servers.fleet import Server
from harness.servers.occupancy import LocalServer, local_servers
from harness.servers.sampler import END, START, Sample

INTERVAL_S = 0.25
_MODULE = "harness.servers.sampler"
_READY_S = 30.0
_ANSWER_S = 5.0
_ENDING_S = 2.0
_PIECE = 1 << 16


class _Sampler:
    """The process, and what is said between it and this one."""

    def __init__(self, interval_s: float) -> None:
        """Starts it, and waits until it is ready.

        Raises:
            OSError: If no process can be started.
        """
        command = (sys.executable, "-m", _MODULE, "--parent", str(os.getpid()), "--interval", str(interval_s))
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for this process
                )
        except OSError:
            self._line.close()
            raise
        self._line.settimeout(_READY_S)
        self._answer()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, *words: str) -> list[bytes] | None:
        """The lines of the answer to a command; None if there is none, and will be none any more."""
        with suppress(OSError):  # it has gone, and _answer sees it
            self._line.settimeout(_ANSWER_S)
            self._line.sendall((" ".join(words) + "\n").encode())
        return self._answer()

    def _answer(self) -> list[bytes] | None:
        answer = bytearray()
        while answer != b"\n" and not answer.endswith(b"\n\n"):
            try:
                piece = self._line.recv(_PIECE)
            except OSError:  # it has gone, or takes too long
                piece = b""
            if not piece:
                self.end()
                return None
            answer += piece
        return [line for line in bytes(answer).split(b"\n") if line]

    def end(self) -> None:
        """Kills it: it has nothing to bring home. Safe to call twice."""
        self._line.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):  # a driver that hangs keeps it; it ends with the driver's call
            self._process.wait(_ENDING_S)


class ResourceSpan:
    """A run under way; made by :meth:`ResourceWatch.start_span`."""

    def __init__(self, sampler: _Sampler | None, servers: Sequence[LocalServer]) -> None:
        """Takes the first sample, of these servers and all GPUs; nothing without a sampler."""
        self._untold = tuple(ServerUse(server.url, None, None) for server in servers if server.pid is None)
        self._urls: dict[int, str] = {}
        for server in servers:
            if server.pid is not None:
                self._urls.setdefault(server.pid, server.url)
        answer = None if sampler is None else sampler.ask(START, *map(str, self._urls))
        self._sampler = None if answer is None else sampler

    def resources(self, started_ns: int, finished_ns: int) -> Resources | None:
        """Takes the last sample and sums up; to be asked once, after the run. Never fails.

        None if nothing was sampled: no server runs here, the sampler has gone, or another span was started since.

        Args:
            started_ns: Start of the run, not before the span's, ns.
            finished_ns: End of the run, not after now, ns.
        """
        lines = None if self._sampler is None else self._sampler.ask(END)
        self.forget()
        if not lines:
            return None
        samples = [msgspec.json.decode(line, type=Sample) for line in lines]
        found = resources_of(samples, tuple(self._urls.values()), Stretch(started_ns, finished_ns))
        return replace(found, servers=found.servers + self._untold)

    def forget(self) -> None:
        """Nobody will ask any more."""
        self._sampler = None


class ResourceWatch:
    """Tells what the servers on this host and its GPUs use during runs. Use it as a context manager, or close it.

    In a run's coordinator, much as :class:`harness.measure.host.HostWatch`::

        span = watch.start_span()  # blocks for about a ms: nothing is in flight yet
        ...  # the run
        run = replace(run, resources=span.resources(run.started_ns, run.finished_ns))

    A run that is to be unsampled has no span: the sampler sleeps until one is started. What a sample costs stands in
    :mod:`harness.servers.sampler`.
    """

    def __init__(self, servers: Sequence[LocalServer], interval_s: float = INTERVAL_S) -> None:
        """Starts the sampler, unless there is nothing to sample; takes a quarter of a second. Use :meth:`start`.

        Args:
            servers: Those that run on this host.
            interval_s: From sample to sample, s.
        """
        self._servers = tuple(servers)
        self._span: ResourceSpan | None = None
        self._sampler: _Sampler | None = None
        if servers:
            with suppress(OSError):  # no process can be started: then nothing is sampled
                self._sampler = _Sampler(interval_s)

    @classmethod
    def start(cls, servers: Collection[Server], interval_s: float = INTERVAL_S) -> ResourceWatch:
        """The watch over all servers of a session; those on other hosts are left out, and with them only, the GPUs."""
        return cls(local_servers(servers), interval_s)

    @property
    def pid(self) -> int | None:
        """Process of the sampler; None if none was started."""
        return None if self._sampler is None else self._sampler.pid

    def start_span(self, urls: Collection[str] | None = None) -> ResourceSpan:
        """Takes the first sample just before a run, and goes on until the span is asked; it ends a span before it.

        Args:
            urls: Servers that are to be told of; by default all: a model that is loaded has its memory, and its GPU
                draws power, whether it works in this run or not.
        """
        if self._span is not None:
            self._span.forget()
        self._span = ResourceSpan(self._sampler, [each for each in self._servers if urls is None or each.url in urls])
        return self._span

    def close(self) -> None:
        """Ends the sampler. Safe to call twice."""
        if self._sampler is not None:
            self._sampler.end()

    def __enter__(self) -> ResourceWatch:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()
