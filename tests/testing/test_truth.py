"""The ground-truth server in a user's own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.servers.truth import TrueRequest
from harness.testing import find_true_request

CONFTEST = "from harness.testing.truth import truth_server\n"
TESTS = """
import os, signal, urllib.request
from harness.servers.truth import Behaviour, Timing, TruthConfig

PIDS = []

def ask(server):
    body = b'{"model": "truth", "prompt": "x", "keep_alive": -1}'
    return urllib.request.urlopen(server.urls[0] + "/api/generate", body).read()

def test_the_one(truth_server):
    truth_server.configure(TruthConfig(Behaviour(Timing(ms=1), Timing(ms=1), tokens=7), seed=4))
    assert ask(truth_server).count(b"response") == 8
    assert len(truth_server.log()[0].token_ns) == 7
    PIDS.append(truth_server.pid)

def test_the_next_begins_anew_in_the_same_process(truth_server):
    assert truth_server.pid == PIDS[0]
    assert truth_server.log() == ()
    assert urllib.request.urlopen(truth_server.urls[0] + "/api/ps").read() == b'{"models":[]}'
    assert b'"seed":0' in urllib.request.urlopen(truth_server.urls[0] + "/truth/config").read()
    os.kill(truth_server.pid, signal.SIGKILL)

def test_a_dead_one_is_replaced(truth_server):
    assert truth_server.pid != PIDS[0]
    assert len(truth_server.urls) == 2
    print("last", truth_server.pid)
"""


def test_the_fixture_serves_a_users_tests(tmp_path: Path) -> None:
    """One process for the session, as new for each test, replaced when a test has killed it, gone at the end."""
    tmp_path.joinpath("conftest.py").write_text(CONFTEST)
    tmp_path.joinpath("test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=."]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(
        [*command, "."], cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=60, check=False
    )
    assert "3 passed" in ended.stdout, ended.stdout + ended.stderr
    pid = next(line.split()[-1] for line in ended.stdout.splitlines() if line.lstrip(".").startswith("last"))
    assert not Path("/proc", pid).exists()


def _true(prompt: str) -> TrueRequest:
    return TrueRequest(1, "/api/generate", prompt, 0, 0, 0, 0, (), (), 0, "done")


def test_a_true_request_is_found_by_its_nonce() -> None:
    """None, or two of them, is an error: the nonce was to be unique."""
    log = [_true("aa x"), _true("bb x"), _true("bb y")]
    assert find_true_request(log, "aa") is log[0]
    for nonce in ("bb", "cc"):
        with pytest.raises(LookupError, match=f"begin with '{nonce}': there must be one"):
            find_true_request(log, nonce)
