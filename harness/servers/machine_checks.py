"""Questions about the machine under the servers: memory for the next load, monitoring, strangers on the GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.servers.findings import Asked, Finding, counted, mib
from harness.servers.kv_cache import kv_cache_bytes
from harness.servers.survey import Machine, SeenServer

SPARE_BYTES = 457 * 2**20
"""What should be left beside weights and KV cache, for buffers and the driver's context.

Source: the memory below which Ollama leaves a GPU alone (``cudaMinimumMemory`` in its ``discover/gpu.go``).
"""
DEFAULT_NUM_CTX = 4096
_HOST = "this host"
_ELSEWHERE = "runs on another host: it cannot be seen from here"


def memory(seen: Sequence[SeenServer], asked: Asked, machine: Machine) -> list[Finding]:
    """What the largest options asked would take beyond what is loaded now, against what is free."""
    found = [Finding(each.url, "unchecked", _ELSEWHERE) for each in seen if each.local is None]
    here = [each for each in seen if each.local is not None and each.listed is not None]
    on_gpu = [each for each in here if _goes_to_gpu(each, asked, machine)]
    free = [gpu.free for gpu in machine.gpus if gpu.free is not None]
    if on_gpu and not free:
        words = "it is in GPU memory, and NVML does not tell what is free there"
        found += [Finding(each.url, "unchecked", words) for each in on_gpu]
    elif on_gpu:
        found.append(_headroom(f"memory of {len(free)} GPU", on_gpu, asked, sum(free)))
    if in_ram := [each for each in here if each not in on_gpu]:
        found.append(_headroom("RAM", in_ram, asked, machine.available_bytes))
    return found or [Finding(_HOST, "unchecked", f"no server has {asked.model}")]


def _goes_to_gpu(seen: SeenServer, asked: Asked, machine: Machine) -> bool:
    if seen.loaded is not None:
        return seen.loaded.size_vram > 0
    numbers = asked.values(seen.url, "num_gpu")
    return bool(machine.gpus) and seen.server.kind != "embedded" and (not numbers or set(numbers) != {0})


def _headroom(where: str, seen: Sequence[SeenServer], asked: Asked, free: int) -> Finding:
    loads = [_load(each, asked) for each in seen]
    more = sum(load.more for load in loads)
    what = "; ".join(dict.fromkeys(load.words for load in loads))
    found = f"{mib(more)} more to load on {counted(len(seen), 'server')} ({what}), {mib(free)} free"
    advice = "end what else takes memory, lower num_ctx, or take a smaller model"
    if more > free:
        return Finding(where, "failed", found, advice)
    if free - more < SPARE_BYTES:
        return Finding(where, "warning", f"{found}: less than {mib(SPARE_BYTES)} would be left for buffers", advice)
    return Finding(where, "ok" if all(load.told for load in loads) else "unchecked", found)


@dataclass(frozen=True, slots=True)
class _Load:
    """What a server's next load takes beyond what it holds (bytes), in words, and whether all of that is told."""

    more: int
    words: str
    told: bool


def _load(seen: SeenServer, asked: Asked) -> _Load:
    num_ctx, slots = _num_ctx(seen, asked), seen.slots or asked.slots
    if seen.loaded is not None and seen.loaded.context_length >= num_ctx:
        return _Load(0, f"{mib(seen.loaded.size)} are loaded", True)
    weights = seen.listed.size if seen.listed is not None else 0
    cache = kv_cache_bytes(seen.info or {}, num_ctx, slots)
    held = seen.loaded.size if seen.loaded is not None else 0
    size = "of a size that is not told" if cache is None else mib(cache)
    words = f"weights {mib(weights)}, KV cache {size} for {num_ctx} tokens x {counted(slots, 'slot')}"
    return _Load(max(0, weights + (cache or 0) - held), words, cache is not None)


def _num_ctx(seen: SeenServer, asked: Asked) -> int:
    """The longest context that an agent asks for; what is loaded, or Ollama's least default, if none does."""
    now = seen.loaded.context_length if seen.loaded is not None else 0
    wanted = asked.values(seen.url, "num_ctx") or (None,)
    return max((now or DEFAULT_NUM_CTX) if number is None else number for number in wanted)


def monitoring(seen: Sequence[SeenServer], asked: Asked, machine: Machine) -> list[Finding]:
    """CPU time and memory of each server's processes can be read; GPU memory too where it uses one."""
    return [_monitored(each, machine) for each in seen]


def _monitored(seen: SeenServer, machine: Machine) -> Finding:  # noqa: PLR0911 - an answer a line: a decision table
    if seen.local is None:
        return Finding(seen.url, "unchecked", _ELSEWHERE)
    if seen.local.pid is None:
        advice = "run this as the server's user, on its host and not through a forwarder (docker-proxy, ssh)"
        return Finding(seen.url, "warning", "its process is not known, so what it uses cannot be told", advice)
    if seen.sample is None:
        advice = "run this as the server's user"
        return Finding(seen.url, "failed", f"process {seen.local.pid} does not tell what it uses", advice)
    words = (
        f"{counted(len(seen.sample.pids), 'process', 'processes')}, {mib(seen.sample.rss_bytes)}, "
        f"{seen.sample.cpu_s:.1f} s of CPU time so far"
    )
    if seen.loaded is None or not seen.loaded.size_vram:
        return Finding(seen.url, "ok", words)
    if not machine.gpus:
        advice = "install or repair the NVIDIA driver's NVML (`nvidia-smi`); other GPUs are not watched"
        return Finding(seen.url, "warning", f"{words}; NVML does not tell of its GPU", advice)
    if not _on_gpus(seen, machine):
        advice = "in a container the driver's process ids are the host's: share its pid namespace"
        return Finding(seen.url, "warning", f"{words}; NVML does not show its processes on a GPU", advice)
    return Finding(seen.url, "ok", f"{words}; NVML shows it on a GPU")


def _on_gpus(seen: SeenServer, machine: Machine) -> bool:
    ours = seen.sample.pids if seen.sample is not None else frozenset()
    return any(process.pid in ours for gpu in machine.gpus for process in gpu.processes)


def alone_on_gpu(seen: Sequence[SeenServer], asked: Asked, machine: Machine) -> Finding:
    """Nobody else computes on the servers' GPUs."""
    used = [each for each in seen if each.loaded is not None and each.loaded.size_vram > 0]
    advice = "end them, or keep them off that GPU (CUDA_VISIBLE_DEVICES)"
    if machine.strangers:
        return Finding(_HOST, "failed", f"besides the servers: {', '.join(machine.strangers)}", advice)
    if used and not any(_on_gpus(each, machine) for each in used):
        words = "the model is in GPU memory, but its processes are not seen there: others cannot be told from it"
        return Finding(_HOST, "unchecked", words, "look with `nvidia-smi` on the GPU's own host")
    if used:
        return Finding(_HOST, "ok", "nobody")
    others = [f"pid {process.pid}" for gpu in machine.gpus for process in gpu.processes]
    if others:
        return Finding(_HOST, "warning", f"the servers are not on the GPU now; on it are {', '.join(others)}", advice)
    if not machine.gpus and (asked.gpu or not seen):
        return Finding(_HOST, "unchecked", "NVML does not tell of any GPU here")
    return Finding(_HOST, "ok", "no server is on a GPU" if machine.gpus else "no GPU is seen here, none is used")
