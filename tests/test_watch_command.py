"""``python -m harness watch`` as a process of its own, against real servers, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.__main__ import main
from harness.scenarios.watching import SYMPTOMS
from harness.servers.fleet import free_port
from harness.servers.model import time_to_live_s
from harness.servers.truth import Behaviour, DeviceSpec, Timing, TruthConfig, TruthServer
from harness.servers.truth.spec import PHASES
from tests.running import create, load, loaded, started

BEHAVIOUR = Behaviour(ttft=Timing(ms=20.0), gaps=Timing(ms=10.0))
CALM = TruthConfig(BEHAVIOUR)
SLOWED = TruthConfig(BEHAVIOUR, device=DeviceSpec(interference={mine: dict.fromkeys(PHASES, 2.0) for mine in PHASES}))
QUICK = ("--interval", "0.05", "--share", "100", "--json", "--foreign-cores", "99")
"""In quick rounds, that live with whatever else this machine does."""
HOSTILE = "\x1b[2J\x1b]0;title\x07<script>[bold red]evil[/]\u202e\n|"
TIMEOUT_S = 120.0


def _urls(urls: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for url in urls for part in ("--url", url))


@contextmanager
def _begun(urls: Sequence[str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "harness", "watch", *_urls(urls), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _here(urls: Sequence[str], *arguments: str) -> tuple[int, list[str], str]:
    """The same in this process, which starts faster: exit status, lines of output, and errors."""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        status = main(("watch", *_urls(urls), *arguments))
    return status, output.getvalue().splitlines(), errors.getvalue()


def _loaded(truth: TruthServer, config: TruthConfig = CALM) -> tuple[str, ...]:
    """Its ports, with the model loaded on each."""
    truth.configure(config)

    for url in truth.urls:
        asyncio.run(load(url, "truth", {"num_ctx": 512}))
    return truth.urls


def test_without_interference_it_ends_with_0_after_its_duration(truth_server: TruthServer) -> None:
    """As a process of its own; each round is a line of JSON, and nothing goes to its errors."""
    with _begun(_loaded(truth_server), *QUICK, "--for", "0.5", "--duration", "3") as process:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    rounds = [json.loads(line) for line in output.splitlines()]
    assert (process.returncode, errors) == (0, "")
    assert len(rounds) > 1
    assert [server["up"] for server in rounds[-1]["servers"]] == [True, True]
    assert all(server["processes"]["rss_bytes"] > 0 for server in rounds[-1]["servers"])


def test_a_slowdown_ends_it_with_1_and_a_line_that_names_it(truth_server: TruthServer) -> None:
    """Each agent twice as slow together: which symptom, where, how much, since when."""
    urls = _loaded(truth_server, SLOWED)
    with _begun(urls, *QUICK, "--for", "0.5") as process:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    last = json.loads(output.splitlines()[-1])
    assert process.returncode == 1
    assert {each["rule"] for each in last["symptoms"]} == {"throughput", "efficiency"}
    assert {each["url"] for each in last["symptoms"] if each["rule"] == "throughput"} == set(urls)
    assert last["symptoms"][0]["held_s"] >= 0.5
    (line,) = errors.splitlines()
    assert line.startswith(f"harness watch: throughput: {last['symptoms'][0]['url']}: throughput together is ")
    assert " % below alone (limit 20 %), since " in line


def test_a_server_that_is_killed_ends_it_with_3() -> None:
    """As soon as it has been down for as long as was asked; the line names it, and the other one goes on."""
    with TruthServer.start(CALM, ports=(0,)) as stays, TruthServer.start(CALM, ports=(0,)) as goes:
        urls = (*stays.urls, *goes.urls)
        with _begun(urls, *QUICK, "--for", "0.3") as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["symptoms"] == []
            os.kill(goes.pid, signal.SIGKILL)
            output, errors = process.communicate(timeout=TIMEOUT_S)
    last = json.loads(output.splitlines()[-1])
    assert process.returncode == 3
    assert [server["up"] for server in last["servers"]] == [True, False]
    assert errors.startswith(f"harness watch: down: {goes.urls[0]}: does not answer, since ")


def test_an_ignored_symptom_is_shown_and_ends_nothing(truth_server: TruthServer) -> None:
    """Nobody listens on port 1: shown as down, and 0 after the rounds that were asked for."""
    ignored = ("--ignore", "down", "--rounds", "3", "--for", "0")
    status, lines, errors = _here((truth_server.urls[0], "http://127.0.0.1:1"), *QUICK, *ignored)
    assert (status, errors) == (0, "")
    assert [[each["rule"] for each in json.loads(line)["symptoms"]] for line in lines] == [["down"]] * 3


def test_for_people_it_is_lines_with_what_it_costs_above(truth_server: TruthServer) -> None:
    """When its output is no terminal: one a round and server; the header says what probes are and do."""
    arguments = ("--interval", "0", "--share", "50", "--rounds", "2", "--tokens", "3")
    status, lines, _ = _here(_loaded(truth_server), *arguments)
    assert status == 0
    assert lines[1].startswith("probes: 3 tokens, alone and together, at most 50 % of the time. They load no model")
    for url in truth_server.urls:
        assert sum(url in line for line in lines[2:]) == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly(truth_server: TruthServer, number: int, status: int) -> None:
    """After Ctrl-C nobody can say that nothing would have come: 130, without a traceback."""
    with _begun(_loaded(truth_server), *QUICK) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, errors) == (status, "")


def test_nobody_who_reads_ends_it_quietly(truth_server: TruthServer) -> None:
    """As at the end of a pipe to ``head``."""
    with _begun(_loaded(truth_server), *QUICK) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(TIMEOUT_S) == 141
    assert errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")
def test_on_a_terminal_it_draws_and_leaves_it_as_it_was(truth_server: TruthServer) -> None:
    """A panel a server, drawn anew each round; the cursor is back at the end."""
    ours, theirs = os.openpty()
    arguments = ("--rounds", "2", "--interval", "0.05", "--share", "100")
    command = [sys.executable, "-m", "harness", "watch", *_urls(_loaded(truth_server)), *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.STDOUT, env=environment) as process:
        os.close(theirs)
        output = b""
        with contextlib.suppress(OSError):  # EIO: the other end has been closed
            while piece := os.read(ours, 1 << 16):
                output += piece
        os.close(ours)
    text = output.decode()
    assert process.returncode == 0
    assert text.count("\u256d") >= 2 * 2
    assert "no symptom" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


@pytest.mark.ollama
def test_a_real_ollama_keeps_what_it_holds_as_it_was(tmp_path: Path) -> None:
    """The same runner, context and keep-alive after probes; what nobody wants any more goes in its own time."""
    program = shutil.which("ollama")
    assert program is not None
    host = f"127.0.0.1:{free_port()}"
    own = {"OLLAMA_HOST": host, "OLLAMA_MODELS": str(tmp_path / "models"), "OLLAMA_NO_CLOUD": "1"}
    with started(tmp_path, program, "serve", **own) as server:
        url = server.spec.url
        asyncio.run(create(url))
        asyncio.run(load(url, "embedded", {"num_ctx": 640, "num_thread": 1}, keep_alive=900))
        runners = {child.pid for child in psutil.Process(server.pid).children()}
        told = ("--option", "num_thread=1", "--rounds", "3", "--interval", "0", "--json")
        status, lines, errors = _here((url,), *told)
        (held,) = asyncio.run(loaded(url))
        assert {child.pid for child in psutil.Process(server.pid).children()} == runners
        assert _here((url,), "--rounds", "1", "--json")[1][0].count("write --option num_thread=N") == 1
    assert (status, errors) == (0, "")
    probed = [json.loads(line)["servers"][0] for line in lines]
    assert all(each["alone"]["tok_s"] > 0 and each["unprobed"] is None and not each["others"] for each in probed)
    assert (held.context_length, 300 < time_to_live_s(held.expires_at, datetime.now(UTC)) <= 901) == (640, True)


class _Hostile(BaseHTTPRequestHandler):
    """Says what it can to steer a terminal, and fails to generate with more of it."""

    def do_GET(self) -> None:
        model = {
            "name": HOSTILE,
            "model": HOSTILE,
            "size": 1,
            "size_vram": 1,
            "context_length": 8,
            "expires_at": HOSTILE,
        }
        self._answer({"version": HOSTILE} if self.path == "/api/version" else {"models": [model]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"model_info": {}} if self.path == "/api/show" else {"error": HOSTILE})

    def _answer(self, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""


@pytest.mark.parametrize("kind", [(), ("--json",)])
def test_a_server_that_means_no_good_is_harmless(kind: tuple[str, ...]) -> None:
    """What it says is shown escaped, in every line, and its failed probes are a symptom."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Hostile) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        status, lines, errors = _here((url,), "--rounds", "2", "--interval", "0", "--for", "0", *kind)
        server.shutdown()
    assert status == 1
    text = "\n".join((*lines, errors))
    assert "failing" in text
    assert "evil" in text
    assert not {"\x1b", "\x07"} & set(text)
    assert kind or "\u202e" not in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--url", "nonsense"), "--url 'nonsense' is not a server's URL"),
        (("--interval", "-1"), "--interval must be a number of at least 0, got -1"),
        (("--interval", "nan"), "--interval must be a number, got 'nan'"),
        (("--share", "0"), "--share 0: write a share of the time"),
        (("--share", "101"), "--share 101: write a share of the time"),
        (("--for", "soon"), "--for must be a number"),
        (("--rounds", "0"), "--rounds must be a whole number of at least 1"),
        (("--tokens", "1"), "--tokens must be a whole number of at least 2"),
        (("--window", "5"), "--window must be a whole number of at least 6"),
        (("--ignore", "nothing"), f"--ignore 'nothing': choose one of {', '.join(SYMPTOMS)}"),
        (("--option", "num_gpu=1"), "--option 'num_gpu=1': write NAME=NUMBER"),
        (("--option", "num_thread=1.5"), "--option 'num_thread=1.5': write NAME=NUMBER"),
        (("--contention-ttft-s", "x"), "--contention-ttft-s must be a number"),
        (("--nonsense",), "unrecognized arguments"),
    ],
)
def test_misuse_ends_with_2(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a line that says what is wrong, and nothing watched."""
    try:
        status: object = main(("watch", *arguments))
    except SystemExit as ended:
        status = ended.code
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert words in output.err
