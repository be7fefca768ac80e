"""The ground-truth server in tests: a pytest fixture, and the true request behind one of yours.

In your ``conftest.py``::

    from harness.testing.truth import truth_server

and in a test::

    from harness.servers.truth import Behaviour, Timing, TruthConfig

    def test_my_client(truth_server):
        truth_server.configure(TruthConfig(Behaviour(ttft=Timing(ms=20), gaps=Timing(ms=5), tokens=10)))
        my_client(truth_server.urls[0])
        (truth,) = truth_server.log()
        assert len(truth.token_ns) == 10
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.records.errors import ServerError
from harness.servers.truth import TrueRequest, TruthServer

_SERVER = pytest.StashKey[TruthServer]()


@pytest.fixture
def truth_server(request: pytest.FixtureRequest) -> TruthServer:
    """A ground-truth server with two ports, as newly started: one process for the session, reset for each test."""
    config = request.config
    server = config.stash.get(_SERVER, None)
    if server is not None:
        try:
            server.reset()
        except ServerError:  # a test before has ended it
            server.stop()
        else:
            return server
    config.stash[_SERVER] = server = TruthServer.start()
    config.add_cleanup(server.stop)
    return server


def find_true_request(log: Iterable[TrueRequest], nonce: str) -> TrueRequest:
    """The request whose prompt begins with ``nonce``.

    Raises:
        LookupError: there is none, or more than one.
    """
    found = [request for request in log if request.prompt.startswith(nonce)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} requests in the log begin with {nonce!r}: there must be one")
    return found[0]
