"""Which connections have something to read: an epoll of our own, behind one reader of the event loop.

A loop takes 2 us and more to call one reader; ours calls all that are ready at once. And uvloop stops watching a
socket on which bytes and a reset come together, with the bytes still to be read; an epoll goes on telling.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable


class Readiness:
    """Calls back for each socket that has something to read, for as long as it has."""

    def __init__(self) -> None:
        """Belongs to the running loop."""
        self._loop = asyncio.get_running_loop()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        if self._epoll is not None:
            self._loop.add_reader(self._epoll.fileno(), self._tell)

    def watch(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        """Calls ``callback`` from now on."""
        if self._epoll is None:
            self._loop.add_reader(sock.fileno(), callback)
        else:
            self._callbacks[sock.fileno()] = callback
            self._epoll.register(sock.fileno(), select.EPOLLIN)

    def forget(self, sock: socket.socket) -> None:
        """No longer watches a socket; call it before closing it."""
        if self._epoll is None:
            self._loop.remove_reader(sock.fileno())
        else:
            del self._callbacks[sock.fileno()]
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        """Watches nothing any more."""
        if self._epoll is not None and not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _tell(self) -> None:
        if self._epoll is None:
            return
        for number, _events in self._epoll.poll(0):
            callback = self._callbacks.get(number)
            if callback is not None:  # one that was called before may have closed it
                callback()
