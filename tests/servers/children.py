"""Real processes for these tests. Each ends by itself after a minute, should a test lose it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from harness.servers.registry import TOKEN_VARIABLE, Entry, birth

TOKEN = "0123456789abcdef"  # noqa: S105 - a mark, not a secret
PYTHON = (sys.executable, "-S", "-E")
IDLE = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", {IDLE!r}])
print("child", child.pid, flush=True)
time.sleep(60)
"""
ORPHANING = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", {IDLE!r}])
print("child", child.pid, flush=True)
"""
OLLAMA = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"version": "9.9.9"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
host, port = os.environ["OLLAMA_HOST"].split(":")
print("arguments", sys.argv[1:], "parallel", os.environ["OLLAMA_NUM_PARALLEL"], flush=True)
HTTPServer((host, int(port)), Handler).serve_forever()
"""


def command(code: str) -> tuple[str, ...]:
    """A command that runs Python code with the standard library alone."""
    return (*PYTHON, "-c", code)


def program(folder: Path, code: str) -> str:
    """A file that can be run as a program and is replaced by Python code."""
    script, file = folder / "script.py", folder / "program"
    script.write_text(code, "utf-8")
    file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{script}" "$@"\n', "utf-8")
    file.chmod(0o755)
    return str(file)


def lives(pid: int) -> bool:
    """True if a process runs; a dead one that nobody waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Polls a state until it holds; fails after a generous time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.01)


def child_of(log: Path) -> int:
    """The child that a family's log names."""
    eventually(lambda: log.read_text("utf-8").endswith("\n"))
    return int(log.read_text("utf-8").split()[1])


@contextmanager
def running(code: str = IDLE, *, token: str | None = None, own_group: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is not one of the harness's; killed at the end."""
    environment: Mapping[str, str] = os.environ | ({} if token is None else {TOKEN_VARIABLE: token})
    process = subprocess.Popen(command(code), env=environment, start_new_session=own_group, stdout=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def dead_owner() -> tuple[int, float]:
    """Number and birth of a process that has ended and was waited for."""
    with running() as process:
        return process.pid, birth(process.pid)


def entry(group: int, owner: tuple[int, float] | None = None) -> Entry:
    """A registry's entry of this boot on this host; its owner (number and birth) is dead unless given."""
    pid, created = owner or dead_owner()
    return Entry(group, TOKEN, pid, created, platform.node(), psutil.boot_time())
