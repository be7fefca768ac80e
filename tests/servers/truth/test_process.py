"""The command ``python -m harness truth``, and the process that it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from harness.__main__ import main
from harness.servers.truth import Behaviour, DeviceSpec, Fault, ModelSpec, Timing, TruthConfig
from harness.servers.truth.spec import READY, decode_config
from tests.servers.truth.client import DEADLINE_S, ask, connected, generate, read_pieces, wait_until
from tests.servers.truth.simulation import everywhere

TRUTH = [sys.executable, "-m", "harness", "truth"]


@contextmanager
def _started(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A server with these options, and its URLs; it is killed at the end if it still runs."""
    with subprocess.Popen([*TRUTH, *options], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith(READY), line + process.stderr.read()
            yield process, line.removeprefix(READY).split()
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_middle_of_a_stream(number: signal.Signals) -> None:
    """With status 0, and nothing more on standard error."""
    with _started("--port", "0", "--tokens", "1000000", "--ttft-ms", "1") as (process, (url,)), connected(url) as sock:
        sock.sendall(generate())
        sock.recv(1)
        process.send_signal(number)
        read_pieces(sock)
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """The parent is killed without a chance to clean up; the server follows by itself."""
    log = tmp_path / "log"
    starter = (
        "import subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[2:], stderr=open(sys.argv[1], 'wb'))\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    command = [sys.executable, "-c", starter, str(log), *TRUTH, "--port", "0", "--with-parent"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        server = psutil.Process(int(parent.stdout.readline()))
        try:
            wait_until(lambda: log.exists() and READY in log.read_text(), "the server is ready")
            parent.kill()
            parent.wait(DEADLINE_S)
            wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE, "the server ends")
        finally:
            if server.is_running():
                server.kill()


def test_it_serves_what_its_options_say() -> None:
    """Each option stands in the configuration that it tells."""
    with _started("--port", "0", "--port", "0", "--tokens", "3", "--gap-ms", "1.5") as (_, urls):
        assert len(urls) == 2
        status, told = ask(urls[1], "/truth/config")
    assert (status, told["behaviour"]["tokens"], told["behaviour"]["gaps"]["ms"]) == (200, 3, 1.5)


def test_starting_it_imports_no_heavy_package() -> None:
    """A start takes a sixth of a second, because these stay away."""
    heavy = {"asyncio", "httpx", "numpy", "pytest", "scipy", "starlette", "uvicorn", "xllamacpp"}
    code = (
        "import sys, harness.__main__, harness.servers.truth\n"
        "from harness.servers.truth import command, serve\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "httptools" in loaded
    assert heavy & set(loaded) == set()


def _config(monkeypatch: pytest.MonkeyPatch, *options: str) -> TruthConfig:
    """The configuration that would be served."""
    seen: list[TruthConfig] = []

    def serve(ports: Sequence[int], config: TruthConfig, *, parent: int | None = None) -> None:
        assert list(ports) == [0]
        seen.append(config)

    monkeypatch.setattr("harness.servers.truth.serve.serve", serve)
    assert main(["truth", "--port", "0", *options]) == 0
    return seen[0]


def _device(**fields: object) -> TruthConfig:
    return TruthConfig(device=DeviceSpec(**fields))  # type: ignore[arg-type]


def _gaps(*arguments: object) -> TruthConfig:
    return TruthConfig(Behaviour(gaps=Timing(*arguments)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ("", TruthConfig()),
        ("--ttft-ms 7 --tokens 4", TruthConfig(Behaviour(ttft=Timing(ms=7), tokens=4))),
        ("--gap-ms 7.5", _gaps("fixed", 7.5)),
        ("--gaps exponential --gap-ms 3", _gaps("exponential", 3)),
        ("--stall-ms 40 --stall-every 8", _gaps("stalls", 10, 40, 8)),
        ("--gaps stalls --stall-ms 40", _gaps("stalls", 10, 40, 32)),
        ("--slowdown 2", _device(interference=everywhere(2))),
        ("--pool-tok-s 50 --load-ms 9", _device(pool_tok_s=50, load_ms=9)),
        ("--memory-mib 2 --spill-slowdown 3", _device(memory_bytes=2**21, spill_slowdown=3)),
        ("--slots 1 --no-nodelay", _device(slots=1, nodelay=False)),
        ("--model a:1b=2 --model b", TruthConfig(models=(ModelSpec("a:1b", 2**21), ModelSpec("b")))),
        ("--fault reset", TruthConfig(Behaviour(fault=Fault("reset")))),
        ("--fault reset --fault-after 9", TruthConfig(Behaviour(fault=Fault("reset", 9)))),
        ("--seed 5", TruthConfig(seed=5)),
    ],
)
def test_an_option_is_a_field(monkeypatch: pytest.MonkeyPatch, options: str, config: TruthConfig) -> None:
    """And what is not said is the default."""
    assert _config(monkeypatch, *options.split()) == config


def test_options_go_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the file says beside them stays."""
    file, trace = tmp_path / "config.json", tmp_path / "trace.json"
    file.write_text(json.dumps({"seed": 3, "behaviour": {"tokens": 5, "fault": {"kind": "stall"}}}))
    trace.write_text("[1, 2.5]")
    options = ("--config", str(file), "--trace", str(trace), "--fault-after", "1")
    assert _config(monkeypatch, *options) == TruthConfig(
        Behaviour(gaps=Timing("trace", trace_ms=(1.0, 2.5)), tokens=5, fault=Fault("stall", 1)), seed=3
    )
    assert decode_config(file.read_bytes()).seed == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--gap-ms -1", "ms is -1.0: write a duration of 0 ms or more"),
        ("--slowdown 0.5", "interference prefill/prefill is 0.5: write 1 or more"),
        ("--fault fire", "fault kind 'fire' is unknown: write one of packed_lines, "),
        ("--fault-after 2", "--fault-after has no fault: write --fault KIND too"),
        ("--stall-every 0", "every is 0: write 1 or more"),
        ("--model a=big", "--model a=big: write NAME or NAME=MIB, such as truth:latest=1024"),
        ("--model a=1e999", "--model a=1e999: write NAME or NAME=MIB"),
        ("--model =4", "'' is no model name: write one such as truth:latest"),
        ("--model //", "'//' is no model name: write one such as truth:latest"),
        ("--config /no/such", "cannot read /no/such: No such file or directory; write the path of a JSON file"),
        ("--trace /dev/null", "/dev/null: Input data was truncated; write a JSON list of gaps in ms, such as [10"),
        ("--config /dev/null", "this is no truth configuration: Input data was truncated"),
    ],
)  # fmt: skip
def test_a_bad_option_is_one_clear_line(options: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 1, and what to write."""
    assert main(["truth", "--port", "0", *options.split()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"harness truth: {message}")


@pytest.mark.parametrize("options", [[], ["--port", "x"], ["--port", "0", "--gaps", "poisson"]])
def test_an_option_that_argparse_refuses_is_status_2(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """As for every command."""
    with pytest.raises(SystemExit) as ended:
        main(["truth", *options])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_every_option_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """The help has no bare names."""
    with pytest.raises(SystemExit):
        main(["truth", "--help"])
    options = capsys.readouterr().out.partition("options:")[2].split("\n  -")[1:]
    assert len(options) > 20
    assert [option for option in options if not option.partition("  ")[2].strip()] == []
