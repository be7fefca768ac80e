"""The ground-truth server as a process: it listens, serves, and ends when it is told to or its parent dies."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from types import FrameType

from harness.servers import kernel_stamps
from harness.servers.launch import signal_on_parent_death
from harness.servers.listening import listen
from harness.servers.truth.app import App
from harness.servers.truth.clock import monotonic_ns, sharpen_timers
from harness.servers.truth.connection import Connection
from harness.servers.truth.device import Device
from harness.servers.truth.loop import Loop, Timers
from harness.servers.truth.plan import Plan
from harness.servers.truth.spec import READY, TruthConfig

HOST = "127.0.0.1"
_PARENT_POLL_NS = 500_000_000
_PAUSE_NS = 100_000_000
_BACKLOG = 4096
_ACCEPTS = 64
_FILES = 16_384


def serve(ports: Sequence[int], config: TruthConfig, *, parent: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until the process ``parent`` is no longer the parent.

    Prints one line to standard error when it answers: ``READY`` and the URLs, in the order of the ports.

    Raises:
        PortInUseError: somebody else listens there.
        ConfigurationError: a port cannot be used, or the configuration does not fit the ports.
    """
    plan = Plan(config, len(ports))
    timers, device = Timers(), Device(config.device)
    loop = Loop(timers, device)
    listeners = [listen(HOST, port, _BACKLOG) for port in ports]
    for listener in listeners:
        listener.setblocking(False)
        kernel_stamps.enable(listener)  # accepted sockets inherit it: a request may arrive before its accept
    numbers = [listener.getsockname()[1] for listener in listeners]
    app = App(numbers, plan, loop, timers, device)
    _allow_many_files()
    for position, listener in enumerate(listeners):
        _Door(listener, position, app, loop, timers, device).open()
    _Ending(loop, timers, parent).prepare()
    sharpen_timers()
    gc.collect()
    gc.freeze()
    gc.disable()  # a full pass takes longer than a gap; see App for when it runs
    sys.stderr.write(READY + " ".join(f"http://{HOST}:{number}" for number in numbers) + "\n")
    sys.stderr.flush()
    loop.run()


class _Door:
    """Accepts the connections of one port."""

    def __init__(
        self, listener: socket.socket, position: int, app: App, loop: Loop, timers: Timers, device: Device
    ) -> None:
        self._listener = listener
        self._handle = partial(app.handle, position)
        self._loop = loop
        self._timers = timers
        self._device = device

    def open(self) -> None:
        """Begins to accept."""
        self._loop.watch(self._listener, self._accept)

    def _accept(self, _: int) -> None:
        for _attempt in range(_ACCEPTS):
            try:
                sock, _address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:  # it has gone again
                continue
            except OSError:  # out of descriptors: look again a little later, and not all the time
                self._loop.forget(self._listener)
                self._timers.call_at(monotonic_ns() + _PAUSE_NS, lambda _: self.open())
                return
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # it may have gone by now
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self._device.spec.nodelay)
            Connection(sock, self._loop, self._timers, self._handle)


class _Ending:
    """Ends the loop on a signal, or when the parent has gone.

    Signals come as bytes through a socket, because ``select`` goes on after one.
    """

    def __init__(self, loop: Loop, timers: Timers, parent: int | None) -> None:
        self._loop = loop
        self._timers = timers
        self._parent = parent
        self._inside, self._outside = socket.socketpair()

    def prepare(self) -> None:
        """From here on signals end the loop."""
        for end in (self._inside, self._outside):
            end.setblocking(False)
        self._loop.watch(self._inside, self._look)
        signal.set_wakeup_fd(self._outside.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
            signal.signal(number, _ignore)
        if self._parent is not None:
            signal_on_parent_death(signal.SIGUSR2)
            self._watch_parent(monotonic_ns())

    def _look(self, _: int) -> None:
        if {signal.SIGTERM, signal.SIGINT} & set(self._inside.recv(64)) or self._orphaned():
            self._loop.stop()

    def _watch_parent(self, at_ns: int) -> None:
        """The kernel's signal, where there is one, only makes it sooner."""
        if self._orphaned():
            self._loop.stop()
        self._timers.call_at(at_ns + _PARENT_POLL_NS, self._watch_parent)

    def _orphaned(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent


def _ignore(number: int, frame: FrameType | None) -> None:
    pass


def _allow_many_files() -> None:
    """A thousand streams need more descriptors than many systems give at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    with contextlib.suppress(OSError, ValueError):  # then there are as many streams as there are descriptors
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
