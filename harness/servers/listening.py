"""A listening socket for a server of ours, or a clear reason why there is none."""

from __future__ import annotations

import errno
import socket

from harness.records.errors import ConfigurationError, PortInUseError


def listen(host: str, port: int, backlog: int = 128) -> socket.socket:
    """A socket that listens on an address of this machine; port 0 takes a free one.

    Raises:
        PortInUseError: somebody else listens there.
        ConfigurationError: the address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigurationError(f"unknown host {host!r}: {error.strerror}; use an address of this machine") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(
                f"port {port} on {host} is in use; choose another with --port, or end what listens there"
            ) from error
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
