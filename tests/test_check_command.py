"""``python -m harness check`` as a process of its own, against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.__main__ import main
from harness.servers.checklist import ITEMS
from harness.servers.fleet import free_port
from harness.servers.truth import DeviceSpec, TruthConfig, TruthServer
from tests.running import create, load, loaded, started


def _process(*arguments: str) -> tuple[int, str]:
    """Exit status and output of the command as a process of its own."""
    command = [sys.executable, "-m", "harness", "check", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert not ended.stderr
    return ended.returncode, ended.stdout


def _here(*arguments: str) -> tuple[int, str]:
    """The same in this process, which starts faster."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        status = main(("check", *arguments))
    return status, output.getvalue()


def _check(
    urls: Sequence[str], *arguments: str, run: Callable[..., tuple[int, str]] = _here
) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit status, and status and finding of each item."""
    status, output = run(*(part for url in urls for part in ("--url", url)), "--json", *arguments)
    return status, {item["name"]: (item["status"], item["found"]) for item in json.loads(output)["items"]}


def _embedded(port: int) -> tuple[str, ...]:
    return (sys.executable, "-m", "harness", "serve", "--shape", "light", "--port", str(port))


def test_two_real_servers_one_of_which_is_killed(tmp_path: Path) -> None:
    """All is well with the model loaded as asked; after a SIGKILL the same command fails and names the dead one."""
    with (
        started(tmp_path, *_embedded(free_port())) as one,
        started(tmp_path, *_embedded(free_port())) as two,
    ):
        urls = (one.spec.url, two.spec.url)
        for url in urls:
            asyncio.run(load(url, "embedded", {"num_ctx": 512}))
        status, items = _check(urls, "--model", "embedded", "--num-ctx", "512", run=_process)
        assert status == 0
        assert tuple(items)[: len(ITEMS)] == ITEMS
        not_ok = {name: found[0] for name, found in items.items() if found[0] != "ok"}
        assert not_ok == {"parallel requests": "unchecked"}
        os.kill(two.pid, 9)
        status, items = _check(urls, "--model", "embedded", "--num-ctx", "512", run=_process)
        assert status == 1
        assert [name for name, found in items.items() if found[0] == "failed"] == ["servers answer"]
        assert f"{urls[1]}: does not answer" in items["servers answer"][1]


def test_a_model_with_other_options_fails_by_its_item(truth_server: TruthServer) -> None:
    """Context, GPU and layers as they were asked for; the exit status is 1."""
    truth_server.configure(TruthConfig(device=DeviceSpec(memory_bytes=0)))
    urls = (truth_server.urls[0], truth_server.urls[1])
    for url in urls:
        asyncio.run(load(url, "truth", {"num_ctx": 512}))
    status, items = _check(urls, "--model", "truth", "--num-ctx", "1024", "--gpu")
    assert status == 1
    failed = [name for name, found in items.items() if found[0] == "failed"]
    assert failed == ["layers on the GPU as asked", "context as asked"]
    layers = _check(urls, "--model", "truth", "--num-gpu", "80")[1]["layers on the GPU as asked"]
    assert layers[0] == "failed"


def test_a_check_loads_only_if_it_is_told_to_and_unloads_again(truth_server: TruthServer) -> None:
    """Read-only without --load; with it what was loaded before stays, and what was not goes again."""
    urls = (truth_server.urls[0], truth_server.urls[1])
    status, items = _check(urls, "--model", "truth")
    assert (status, items["model is loaded"]) == (0, ("warning", "not loaded"))
    assert [asyncio.run(loaded(url)) for url in urls] == [(), ()]
    asyncio.run(load(urls[0], "truth", {"num_ctx": 640}))
    status, items = _check(urls, "--model", "truth", "--load", "--num-ctx", "640")
    assert (status, items["model can be loaded"][0]) == (0, "ok")
    assert items["context as asked"] == ("ok", "640 tokens, as asked")
    kept, gone = (asyncio.run(loaded(url)) for url in urls)
    assert [each.context_length for each in kept] == [640]
    assert gone == ()


def test_what_cannot_be_loaded_is_an_item_and_no_crash(tmp_path: Path) -> None:
    """A model that is not there cannot be loaded, which its own item says; nothing is created or pulled."""
    with started(tmp_path, *_embedded(free_port())) as server:
        status, items = _check((server.spec.url, "http://127.0.0.1:1"), "--model", "nothing", "--load")
    assert status == 1
    assert "has no model nothing" in items["same model"][1]
    assert "model can be loaded" not in items


def test_for_people_it_is_lines_with_what_to_do() -> None:
    """What fails says what to do below it; the last line counts."""
    status, output = _here("--url", "http://127.0.0.1:1")
    lines = output.splitlines()
    assert status == 1
    assert lines[0].startswith("FAILED       servers answer  ")
    assert lines[1].endswith("-> start it (`ollama serve`), or correct its URL")
    assert lines[-1].startswith("checklist: 1 FAILED, ")


@pytest.mark.parametrize(
    "arguments", [("--url", "nonsense"), ("--num-ctx", "0"), ("--num-gpu", "-1"), ("--nonsense",), ("--url",)]
)
def test_misuse_ends_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """With a line that says what is wrong, and nothing checked."""
    try:
        status: object = main(("check", *arguments))
    except SystemExit as ended:
        status = ended.code
    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert output.err.splitlines()[-1].startswith(("harness check: ", "harness: error: "))


@pytest.mark.ollama
def test_a_real_ollama_is_checked(tmp_path: Path) -> None:
    """Its own metadata, digest and context; the model made on the spot is loaded for the check and let go."""
    program = shutil.which("ollama")
    assert program is not None
    host = f"127.0.0.1:{free_port()}"
    own = {"OLLAMA_HOST": host, "OLLAMA_MODELS": str(tmp_path / "models"), "OLLAMA_NO_CLOUD": "1"}
    with started(tmp_path, program, "serve", **own) as server:
        asyncio.run(create(server.spec.url))
        urls, wanted = (server.spec.url,), ("--model", "embedded", "--num-ctx", "640")
        _, before = _check(urls, *wanted)
        status, items = _check(urls, *wanted, "--load")
    assert status == 0
    assert "KV cache 1 MiB for 640 tokens x 1 slot" in before["memory for the next load"][1]
    assert items["context as asked"] == ("ok", "640 tokens, as asked")
    assert items["monitoring"][1].startswith("2 processes, ")
