"""The checklist against real servers: each item made to fail once, and none of them when all is well."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest

from harness.records.checklist import CheckItem, Checklist
from harness.servers.api import OllamaApi
from harness.servers.checklist import ALONE, ANSWERS, ITEMS, PORTS, check_servers
from harness.servers.findings import Asked
from harness.servers.fleet import Server
from harness.servers.nvml import Gpu, GpuProcess
from harness.servers.process import ProcessSpec, ServerProcess
from harness.servers.registry import Registry
from harness.servers.survey import Machine, look_around
from harness.servers.trees import ProcessTree
from harness.servers.truth import DeviceSpec, ModelSpec, TruthConfig, TruthServer
from tests.servers.children import IDLE, command, eventually

MODEL = "truth:latest"
GIB = 2**30
LAYERS = 17  # the ground-truth server's model: 16 blocks and the output
ELSEWHERE = "http://192.0.2.1:11434"
NOWHERE = "http://127.0.0.1:1"
KV_2048 = 2048 * 16 * 8 * (64 + 64) * 2


def _machine(truth: TruthServer, free: int = 8 * GIB, *, others: Sequence[int] = ()) -> Machine:
    """A host with a GPU on which the ground-truth server is seen."""
    processes = tuple(GpuProcess(pid, GIB) for pid in (truth.pid, *others))
    return Machine(8 * GIB, (Gpu("GPU-1", "a GPU", 16 * GIB, free, 16 * GIB - free, processes=processes),))


@asynccontextmanager
async def _servers(*urls: str, kind: str = "connect") -> AsyncIterator[tuple[Server, ...]]:
    async with contextlib.AsyncExitStack() as stack:
        servers = []
        for url in urls:
            api = OllamaApi(url)
            stack.push_async_callback(api.close)
            servers.append(Server(url, kind, api))
        yield tuple(servers)


async def _check(
    urls: Sequence[str],
    asked: Asked,
    machine: Machine | None,
    load: Mapping[str, float] | None = None,
    *,
    keep_alive: int = -1,
) -> Checklist:
    """The checklist of servers, the model loaded on them first if ``load`` are options."""
    async with _servers(*urls) as servers:
        if load is not None:
            for server in servers:
                await server.api.load(asked.model, load, keep_alive=keep_alive)
        return await check_servers(servers, asked, machine)


def _asked(urls: Sequence[str], *options: Mapping[str, float], gpu: bool = False) -> Asked:
    return Asked(MODEL, {url: tuple(options) for url in urls}, gpu=gpu)


def _mocked(
    url: str,
    *,
    listed: Mapping[str, object] | None = None,
    loaded: Mapping[str, object] | None = None,
    version: str = "0.24.0",
    info: Mapping[str, object] | None = None,
) -> Server:
    """A server that answers with these, for what no server of ours can be made to say."""
    bodies: dict[str, object] = {
        "/api/version": {"version": version},
        "/api/tags": {"models": [{"name": MODEL, "digest": "d" * 64, "size": GIB, **(listed or {})}]},
        "/api/ps": {"models": [] if loaded is None else [{"name": MODEL, "size": GIB, **loaded}]},
        "/api/show": {"model_info": info or {}},
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=bodies[request.url.path]))
    return Server(url, "connect", OllamaApi(url, transport))


async def _check_mocked(*servers: Server, machine: Machine | None = None, gpu: bool = False) -> Checklist:
    try:
        asked = Asked(MODEL, {server.url: ({"num_ctx": 2048.0},) for server in servers}, gpu=gpu)
        return await check_servers(servers, asked, machine or Machine(8 * GIB))
    finally:
        for server in servers:
            await server.api.close()


@pytest.mark.asyncio
async def test_nothing_is_wrong_with_two_good_servers(truth_server: TruthServer) -> None:
    """Every item is there, in order, and ok; only what Ollama does not tell is not checked."""
    urls = truth_server.urls
    asked = replace(_asked(urls, {"num_ctx": 2048, "num_gpu": 80}, gpu=True), ports=tuple(map(_port, urls)))
    found = await _check(urls, asked, _machine(truth_server), {"num_ctx": 2048, "num_gpu": 80})
    assert tuple(item.name for item in found.items) == ITEMS
    assert {item.name: item.status for item in found.items if item.status != "ok"} == {"parallel requests": "unchecked"}
    assert not [item.advice for item in found.items if item.status == "ok" and item.advice]


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


@pytest.mark.asyncio
async def test_a_server_that_is_dead_fails_its_item_and_hides_no_other(truth_server: TruthServer) -> None:
    """What it would have been asked is not checked, in words; what the other one says is still there."""
    urls = (truth_server.urls[0], NOWHERE)
    found = await _check(urls, _asked(urls), Machine(8 * GIB))
    assert [item.name for item in found.failed] == [ANSWERS]
    dead = found.item(ANSWERS)
    assert f"{NOWHERE}: does not answer (ConnectError" in dead.found
    assert dead.advice == "start it (`ollama serve`), or correct its URL"
    for name in ("same version", "context as asked", "memory for the next load", "monitoring"):
        item = found.item(name)
        assert f"{NOWHERE}: does not answer" in item.found
        assert f"{urls[0]}: " in item.found or "RAM: " in item.found


@pytest.mark.asyncio
async def test_no_server_at_all_is_a_checklist_all_the_same() -> None:
    """Two dead ones: one item failed, nothing raised, and of a GPU nothing is claimed."""
    found = await _check((NOWHERE, "http://127.0.0.1:2"), Asked(MODEL), Machine(8 * GIB))
    assert tuple(item.name for item in found.items) == ITEMS
    assert [item.name for item in found.failed] == [ANSWERS]
    assert {found.item(name).status for name in ITEMS if name not in (ANSWERS, PORTS)} == {"unchecked"}


@pytest.mark.asyncio
async def test_what_is_no_ollama_does_not_answer(truth_server: TruthServer) -> None:
    """A web server on that port."""
    server = Server(ELSEWHERE, "connect", OllamaApi(ELSEWHERE, httpx.MockTransport(lambda _: httpx.Response(200))))
    found = await _check_mocked(server)
    assert found.item(ANSWERS).status == "failed"
    assert "is it an Ollama server?" in found.item(ANSWERS).found


@pytest.mark.asyncio
async def test_a_server_of_ours_that_has_ended_fails_with_how_it_ended(tmp_path: Path) -> None:
    """It is not asked over HTTP, where somebody else may have its port by now."""
    spec = ProcessSpec("ours", NOWHERE, command("raise SystemExit(7)"), dict(os.environ), tmp_path / "log")
    process = ServerProcess.start(spec, Registry(tmp_path / "registry"))
    try:
        eventually(lambda: process.exit_code is not None)
        found = await _check_mocked(replace(_mocked(NOWHERE), process=process))
    finally:
        process.stop()
    assert "ended with exit code 7" in found.item(ANSWERS).found


@pytest.mark.parametrize("second", ["{url}", "http://localhost:{port}"])
@pytest.mark.asyncio
async def test_two_agents_on_one_server_by_mistake(truth_server: TruthServer, second: str) -> None:
    """The same URL, or another name of the same server; its second port is another server."""
    first, other = truth_server.urls
    urls = (first, second.format(url=first, port=_port(first)), other)
    item = (await _check(urls, _asked(urls), Machine(GIB))).item(PORTS)
    assert item.status == "failed"
    assert f"is the same server as {first}" in item.found
    assert f"{other}: port {_port(other)}" in item.found
    assert "a URL of its own" in item.advice


@pytest.mark.asyncio
async def test_two_servers_on_one_port_of_two_addresses_are_two() -> None:
    """127.0.0.1 and 127.0.0.2, each with a process that listens there (here the same port, one of them unknown)."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        servers = (_mocked(f"http://127.0.0.1:{port}"), _mocked(f"http://127.0.0.2:{port}"))
        assert (await _check_mocked(*servers)).item(PORTS).status == "ok"


@pytest.mark.asyncio
async def test_a_port_that_is_not_the_one_asked_for(truth_server: TruthServer) -> None:
    """Said with both numbers; 0 asks for none."""
    urls = truth_server.urls
    asked = replace(_asked(urls), ports=(0, 11435))
    item = (await _check(urls, asked, Machine(GIB))).item(PORTS)
    assert item.status == "failed"
    assert f"{urls[1]}: port {_port(urls[1])}, asked 11435" in item.found
    assert f"{urls[0]}: port {_port(urls[0])};" in item.found


@pytest.mark.asyncio
async def test_two_versions_are_warned_of() -> None:
    """They are two programs."""
    found = await _check_mocked(_mocked(ELSEWHERE), _mocked("http://192.0.2.2:1", version="0.23.0"))
    assert found.item("same version") == CheckItem(
        "same version",
        "warning",
        f"{ELSEWHERE}: 0.24.0; http://192.0.2.2:1: 0.23.0",
        "two versions are two programs: upgrade the older one",
    )


@pytest.mark.asyncio
async def test_a_model_that_differs_by_its_digest() -> None:
    """The same name on both, and other weights: nothing that they do can be compared."""
    other = _mocked("http://192.0.2.2:1", listed={"digest": "sha256:" + "e" * 64})
    item = (await _check_mocked(_mocked(ELSEWHERE), other)).item("same model")
    assert item.status == "failed"
    assert item.found == f"{ELSEWHERE}: {'d' * 12}; http://192.0.2.2:1: {'e' * 12}"
    assert "`OLLAMA_HOST=192.0.2.2:1 ollama pull truth:latest`" in item.advice


@pytest.mark.asyncio
async def test_a_model_that_one_server_lacks(truth_server: TruthServer) -> None:
    """With the command that brings it; nothing is said of its memory."""
    other = ModelSpec("other:latest")
    with TruthServer.start(TruthConfig(models=(other,)), ports=(0,)) as lacking:
        urls = (truth_server.urls[0], lacking.urls[0])
        found = await _check(urls, _asked(urls), Machine(8 * GIB))
    item = found.item("same model")
    assert item.status == "failed"
    assert f"{urls[1]}: has no model truth:latest" in item.found
    assert f"`OLLAMA_HOST=127.0.0.1:{_port(urls[1])} ollama pull truth:latest`" in item.advice
    assert f"{urls[1]}: truth:latest is not there" in found.item("model is loaded").found


@pytest.mark.asyncio
async def test_a_model_that_is_not_loaded_is_warned_of_and_stays_so(truth_server: TruthServer) -> None:
    """A check loads nothing; what only a loaded model tells is not checked."""
    urls = truth_server.urls
    found = await _check(urls, _asked(urls, {"num_ctx": 512}, gpu=True), Machine(8 * GIB))
    item = found.item("model is loaded")
    assert (item.status, item.found) == ("warning", "not loaded")
    assert "--load" in item.advice
    for name in ("layers on the GPU as asked", "context as asked", "keep-alive"):
        assert (found.item(name).status, found.item(name).found) == ("unchecked", "not loaded")
    assert not found.failed
    async with _servers(*urls) as servers:
        assert [await server.api.loaded() for server in servers] == [(), ()]


def _with_memory(truth: TruthServer, size: float) -> None:
    truth.configure(TruthConfig(device=DeviceSpec(memory_bytes=int(size))))


@pytest.mark.parametrize(
    ("memory", "options", "gpu", "status", "words"),
    [
        (GIB, {}, False, "ok", "all 1.0 GiB in GPU memory"),
        (GIB, {"num_gpu": 80}, True, "ok", "all 1.0 GiB in GPU memory"),
        (GIB, {"num_gpu": 0}, False, "failed", "1.0 GiB of 1.0 GiB in GPU memory, though num_gpu is 0"),
        (GIB / 2, {}, False, "failed", "only 512 MiB of 1.0 GiB in GPU memory"),
        (GIB / 2, {"num_gpu": LAYERS}, False, "failed", "only 512 MiB of 1.0 GiB in GPU memory"),
        (GIB / 2, {"num_gpu": 8}, False, "ok", "512 MiB of 1.0 GiB in GPU memory, num_gpu asks for 8 of 17 layers"),
        (GIB / 2, {"num_gpu": 8}, True, "failed", "only 512 MiB of 1.0 GiB in GPU memory"),
        (0, {}, False, "ok", "no GPU asked, none used"),
        (0, {"num_gpu": 0}, False, "ok", "no GPU asked, none used"),
        (0, {"num_gpu": -1}, False, "ok", "no GPU asked, none used"),
        (0, {}, True, "failed", "nothing of it in GPU memory, which was asked for"),
        (0, {"num_gpu": 80}, False, "failed", "nothing of it in GPU memory, which was asked for"),
    ],
)
@pytest.mark.asyncio
async def test_layers_are_where_they_were_asked_to_be(
    truth_server: TruthServer, memory: float, options: dict[str, float], gpu: bool, status: str, words: str
) -> None:
    """Half a model on the GPU is a failure unless its number of layers was asked for."""
    _with_memory(truth_server, memory)
    urls = truth_server.urls[:1]
    found = await _check(urls, _asked(urls, options, gpu=gpu), _machine(truth_server), options)
    item = found.item("layers on the GPU as asked")
    assert (item.status, item.found) == (status, words)
    assert bool(item.advice) is (status == "failed")


@pytest.mark.asyncio
async def test_the_second_server_that_spills_is_named(truth_server: TruthServer) -> None:
    """Two models, and memory for one and a half."""
    _with_memory(truth_server, 1.5 * GIB)
    urls = truth_server.urls
    item = (await _check(urls, _asked(urls, gpu=True), _machine(truth_server), {})).item("layers on the GPU as asked")
    assert item.found == f"{urls[0]}: all 1.0 GiB in GPU memory; {urls[1]}: only 512 MiB of 1.0 GiB in GPU memory"


@pytest.mark.parametrize(
    ("loaded", "asked", "status", "words"),
    [
        (512, [{"num_ctx": 512}], "ok", "512 tokens, as asked"),
        (512, [{"num_ctx": 1024}, {"num_ctx": 512}], "ok", "512 tokens, as asked"),
        (512, [{"num_ctx": 1024}, {}], "ok", "512 tokens, no number asked"),
        (512, [], "ok", "512 tokens, no number asked"),
        (512, [{"num_ctx": 1024}], "failed", "512 tokens, asked 1024"),
        (512, [{"num_ctx": 1024}, {"num_ctx": 2048}], "failed", "512 tokens, asked 1024 or 2048"),
        (200_000, [{"num_ctx": 200_000}], "failed", "131072 tokens, asked 200000: the model has no more"),
    ],
)
@pytest.mark.asyncio
async def test_the_context_is_as_one_of_the_agents_asks(
    truth_server: TruthServer, loaded: int, asked: list[dict[str, float]], status: str, words: str
) -> None:
    """A server holds the model with one agent's options at a time; anything else was somebody else."""
    truth_server.configure(TruthConfig())
    urls = truth_server.urls[:1]
    found = await _check(urls, _asked(urls, *asked), _machine(truth_server), {"num_ctx": loaded})
    item = found.item("context as asked")
    assert (item.status, item.found) == (status, words)


@pytest.mark.asyncio
async def test_an_old_server_does_not_tell_its_context() -> None:
    """Not checked is not the same as wrong."""
    item = (await _check_mocked(_mocked(ELSEWHERE, loaded={}))).item("context as asked")
    assert (item.status, item.advice) == ("unchecked", "upgrade Ollama")


@pytest.mark.parametrize(
    ("keep_alive", "now", "status", "words"),
    [
        (-1, False, "ok", "stays loaded for ever"),
        (60, False, "warning", "stays loaded less than 10 minutes more"),
        (86400, False, "ok", "stays loaded "),
        (60, True, "unchecked", "loaded by this check"),
    ],
)
@pytest.mark.asyncio
async def test_a_short_keep_alive_is_warned_of(
    truth_server: TruthServer, keep_alive: int, now: bool, status: str, words: str
) -> None:
    """The next request after a pause would pay for a load."""
    urls = truth_server.urls[:1]
    asked = replace(_asked(urls), loaded_now=frozenset(urls) if now else frozenset())
    found = await _check(urls, asked, _machine(truth_server), {}, keep_alive=keep_alive)
    item = found.item("keep-alive")
    assert item.status == status
    assert item.found.startswith(words)


@pytest.mark.parametrize(
    ("kind", "environment", "status", "words"),
    [
        ("embedded", {}, "ok", "1 at once"),
        ("ollama", {"OLLAMA_NUM_PARALLEL": "4"}, "ok", "4 at once"),
        ("ollama", {"OLLAMA_NUM_PARALLEL": "0"}, "unchecked", "OLLAMA_NUM_PARALLEL cannot be asked; taken for 1"),
        ("ollama", {}, "unchecked", "OLLAMA_NUM_PARALLEL cannot be asked; taken for 1"),
    ],
)
@pytest.mark.asyncio
async def test_parallel_requests_are_known_of_servers_that_we_started(
    tmp_path: Path, kind: str, environment: dict[str, str], status: str, words: str
) -> None:
    """Of others they cannot be asked, which is said."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")} | environment
    spec = ProcessSpec("ours", NOWHERE, command(f"print('up', flush=True); {IDLE}"), told, tmp_path / "log")
    process = ServerProcess.start(spec, Registry(tmp_path / "registry"))
    try:
        eventually(lambda: process.log_tail().endswith("up"))
        item = (await _check_mocked(replace(_mocked(NOWHERE), kind=kind, process=process))).item("parallel requests")
    finally:
        process.stop()
    assert (item.status, item.found) == (status, words)


@pytest.mark.asyncio
async def test_the_server_that_agents_share_in_parallel_says_its_slots() -> None:
    """As many as the session asked for, and each with a cache of its own."""
    shared = replace(_mocked(NOWHERE), parallel=3)
    found = await _check_mocked(shared)
    assert found.item("parallel requests").found == "3 at once"
    assert "2048 tokens x 3 slots" in found.item("memory for the next load").found


@pytest.mark.parametrize(
    ("free", "status"),
    [
        (2 * (GIB + KV_2048) + 457 * 2**20, "ok"),
        (2 * (GIB + KV_2048) + 457 * 2**20 - 1, "warning"),
        (2 * (GIB + KV_2048), "warning"),
        (2 * (GIB + KV_2048) - 1, "failed"),
    ],
)
@pytest.mark.asyncio
async def test_both_models_must_fit_into_what_is_free_on_the_gpu(
    truth_server: TruthServer, free: int, status: str
) -> None:
    """Weights and KV cache of both, to the byte, and something for buffers."""
    urls = truth_server.urls
    asked = _asked(urls, {"num_ctx": 2048}, {"num_ctx": 512})
    item = (await _check(urls, asked, _machine(truth_server, free))).item("memory for the next load")
    assert item.status == status
    assert "weights 1.0 GiB, KV cache 64 MiB for 2048 tokens x 1 slot" in item.found
    assert bool(item.advice) is (status != "ok")


@pytest.mark.asyncio
async def test_what_is_loaded_needs_only_what_a_longer_context_takes(truth_server: TruthServer) -> None:
    """Nothing more for what is asked, and for a longer context the growth alone; a full GPU is warned of."""
    urls = truth_server.urls[:1]
    name = "memory for the next load"
    as_asked = (await _check(urls, _asked(urls, {"num_ctx": 512}), _machine(truth_server, GIB), {"num_ctx": 512})).item(
        name
    )
    assert (as_asked.status, as_asked.found) == (
        "ok",
        "0 MiB more to load on 1 server (1.0 GiB are loaded), 1.0 GiB free",
    )
    longer = (await _check(urls, _asked(urls, {"num_ctx": 2048}), _machine(truth_server, KV_2048 - 1))).item(name)
    assert longer.status == "failed"  # this server's size has no KV cache in it
    full = (await _check(urls, _asked(urls, {"num_ctx": 512}), _machine(truth_server, 1))).item(name)
    assert full.status == "warning"


@pytest.mark.asyncio
async def test_each_slot_has_a_cache_of_its_own(truth_server: TruthServer) -> None:
    """Four slots of a server take four caches."""
    urls = truth_server.urls[:1]
    asked = replace(_asked(urls, {"num_ctx": 2048}), slots=4)
    machine = _machine(truth_server, GIB + 4 * KV_2048 - 1)
    assert (await _check(urls, asked, machine)).item("memory for the next load").status == "failed"


@pytest.mark.asyncio
async def test_without_a_gpu_the_models_must_fit_into_ram(truth_server: TruthServer) -> None:
    """The same sum against the memory that is available."""
    urls = truth_server.urls
    for available, status in ((3 * GIB, "ok"), (GIB, "failed")):
        item = (await _check(urls, _asked(urls, {"num_ctx": 512}), Machine(available))).item("memory for the next load")
        assert item.status == status


@pytest.mark.asyncio
async def test_memory_that_cannot_be_seen_is_not_checked() -> None:
    """On another host, on a GPU that NVML does not tell of, or a KV cache whose size is not told."""
    name = "memory for the next load"
    assert "another host" in (await _check_mocked(_mocked(ELSEWHERE))).item(name).found
    on_gpu = _mocked(NOWHERE, loaded={"size_vram": GIB})
    assert "NVML does not tell" in (await _check_mocked(on_gpu)).item(name).found
    untold = (await _check_mocked(_mocked(NOWHERE))).item(name)
    assert "KV cache of a size that is not told" in untold.found
    lacking = (await _check_mocked(_mocked(NOWHERE, listed={"name": "other"}))).item(name)
    assert {untold.status, lacking.status} == {"unchecked"}


@pytest.mark.asyncio
async def test_monitoring_reads_what_the_servers_processes_use(truth_server: TruthServer) -> None:
    """A real sample of a real process."""
    item = (await _check(truth_server.urls, _asked(truth_server.urls), None)).item("monitoring")
    assert item.status == "ok"
    assert item.found.startswith("1 process, ")


@pytest.mark.asyncio
async def test_a_server_whose_processes_do_not_tell_fails_monitoring(
    truth_server: TruthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's, whose process is known and nothing of it."""
    monkeypatch.setattr(ProcessTree, "use", lambda _tree: None)
    item = (await _check(truth_server.urls, _asked(truth_server.urls), Machine(GIB))).item("monitoring")
    assert (item.status, item.found) == ("failed", f"process {truth_server.pid} does not tell what it uses")


@pytest.mark.asyncio
async def test_monitoring_says_what_it_cannot_see(truth_server: TruthServer) -> None:
    """A process that is not known, another host, a GPU without NVML, a GPU that shows other process ids."""
    assert (await _check_mocked(_mocked(NOWHERE))).item("monitoring").status == "warning"
    assert (await _check_mocked(_mocked(ELSEWHERE))).item("monitoring").status == "unchecked"
    urls = truth_server.urls[:1]
    machine = _machine(truth_server)
    foreign = replace(machine, gpus=(replace(machine.gpus[0], processes=(GpuProcess(1, GIB),)),))
    for host, words in ((Machine(GIB), "NVML does not tell of its GPU"), (foreign, "does not show its processes")):
        item = (await _check(urls, _asked(urls), host, {})).item("monitoring")
        assert item.status == "warning"
        assert words in item.found


@pytest.mark.asyncio
async def test_strangers_on_the_gpu_fail(truth_server: TruthServer) -> None:
    """By name, as a block would be disturbed by them."""
    urls = truth_server.urls
    machine = replace(_machine(truth_server), strangers=("game (pid 7, 2048 MiB)",))
    item = (await _check(urls, _asked(urls), machine, {})).item(ALONE)
    assert (item.status, item.found) == ("failed", "besides the servers: game (pid 7, 2048 MiB)")


@pytest.mark.asyncio
async def test_whether_somebody_is_on_the_gpu_depends_on_seeing_ours_there(truth_server: TruthServer) -> None:
    """Ours seen: nobody else. Ours not seen: cannot be told. Nothing loaded yet: whoever is there is warned of."""
    urls = truth_server.urls[:1]
    unloaded = (await _check(urls, _asked(urls), _machine(truth_server))).item(ALONE)
    assert (unloaded.status, unloaded.found.endswith(f"pid {truth_server.pid}")) == ("warning", True)
    seen = (await _check(urls, _asked(urls), _machine(truth_server), {})).item(ALONE)
    assert (seen.status, seen.found) == ("ok", "nobody")
    machine = _machine(truth_server)
    foreign = replace(machine, gpus=(replace(machine.gpus[0], processes=(GpuProcess(1, GIB),)),))
    assert (await _check(urls, _asked(urls), foreign)).item(ALONE).status == "unchecked"
    idle = replace(machine, gpus=(replace(machine.gpus[0], processes=()),))
    truth_server.reset()
    assert (await _check(urls, _asked(urls), idle)).item(ALONE).found == "no server is on a GPU"


@pytest.mark.parametrize(("gpu", "status"), [(True, "unchecked"), (False, "ok")])
@pytest.mark.asyncio
async def test_a_gpu_that_was_asked_for_and_is_not_seen_is_not_called_empty(
    truth_server: TruthServer, gpu: bool, status: str
) -> None:
    """Where none was asked for, none is used."""
    urls = truth_server.urls
    assert (await _check(urls, _asked(urls, gpu=gpu), Machine(8 * GIB))).item(ALONE).status == status


def test_this_machine_tells_its_memory() -> None:
    """Something is free; what GPUs there are is NVML's to say, and strangers are only looked for where there is one."""
    machine = look_around({os.getpid()})
    assert 0 < machine.available_bytes <= psutil.virtual_memory().total
    assert machine.gpus or not machine.strangers
