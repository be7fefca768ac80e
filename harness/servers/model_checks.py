"""Questions about one server and the model on it, answered from what it told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from harness.servers.findings import Asked, Finding, mib
from harness.servers.model import FOREVER, time_to_live_s
from harness.servers.survey import SeenServer

Check = Callable[[SeenServer, Asked], Finding]
SHORT_LIFE_S = 600
"""Below this an idle model goes, and the next request pays for a load. Ollama's default is 300 s."""
_LOAD_IT = "load it, with --load or by a first request"


def answers(seen: SeenServer, asked: Asked) -> Finding:
    """The server answers as Ollama does."""
    if seen.trouble is not None:
        return Finding(
            seen.url,
            "failed",
            seen.trouble.removeprefix(f"{seen.url} "),
            "start it (`ollama serve`), or correct its URL",
        )
    return Finding(seen.url, "ok", "it answers")


def loaded(seen: SeenServer, asked: Asked) -> Finding:
    """The model is in the server's memory."""
    if seen.listed is None:
        return Finding(seen.url, "unchecked", f"{asked.model} is not there")
    if seen.loaded is None:
        return Finding(seen.url, "warning", "not loaded", f"{_LOAD_IT}: what follows from its memory is not checked")
    return Finding(seen.url, "ok", f"loaded, {mib(seen.loaded.size)}")


def layers_on_gpu(seen: SeenServer, asked: Asked) -> Finding:  # noqa: PLR0911 - an answer a line: a decision table
    """As many layers are in GPU memory as were asked for; half a model there is asked by nobody but by its number.

    Source: ``/api/ps``: ``size_vram == size`` if all of it is there. A ``num_gpu`` of all layers is the blocks and one
    for the output.
    """
    if seen.loaded is None:
        return Finding(seen.url, "unchecked", "not loaded")
    numbers = [number for number in asked.values(seen.url, "num_gpu") if number is not None]
    size, inside = seen.loaded.size, seen.loaded.size_vram
    share = f"{mib(inside)} of {mib(size)} in GPU memory"
    wanted = asked.gpu or any(number > 0 for number in numbers)
    if size > 0 and inside >= size:
        if numbers and not any(numbers):
            advice = "somebody loaded it with other options: unload it (`ollama stop`), and load it again"
            return Finding(seen.url, "failed", f"{share}, though num_gpu is 0", advice)
        return Finding(seen.url, "ok", f"all {mib(size)} in GPU memory")
    if inside > 0:
        layers = _layers(seen)
        partly = [number for number in numbers if layers is not None and 0 < number < layers]
        if partly and not asked.gpu:
            return Finding(seen.url, "ok", f"{share}, num_gpu asks for {max(partly)} of {layers} layers")
        advice = "free GPU memory, lower num_ctx or take a smaller model: layers on the CPU hold up all others"
        return Finding(seen.url, "failed", f"only {share}", advice)
    if wanted:
        advice = "check the GPU and its driver (`nvidia-smi`, CUDA_VISIBLE_DEVICES, the server's log), and num_gpu"
        return Finding(seen.url, "failed", "nothing of it in GPU memory, which was asked for", advice)
    return Finding(seen.url, "ok", "no GPU asked, none used")


def _layers(seen: SeenServer) -> int | None:
    blocks = _number(seen, "block_count")
    return None if blocks is None else blocks + 1


def _number(seen: SeenServer, key: str) -> int | None:
    info = seen.info or {}
    value = info.get(f"{info.get('general.architecture')}.{key}")
    return value if isinstance(value, int) else None


def context(seen: SeenServer, asked: Asked) -> Finding:
    """The model is loaded with the context length that was asked for."""
    if seen.loaded is None:
        return Finding(seen.url, "unchecked", "not loaded")
    now, wanted = seen.loaded.context_length, asked.values(seen.url, "num_ctx")
    if not now:
        return Finding(seen.url, "unchecked", "this version does not tell its context length", "upgrade Ollama")
    if not wanted or None in wanted:
        return Finding(seen.url, "ok", f"{now} tokens, no number asked")
    if now in wanted:
        return Finding(seen.url, "ok", f"{now} tokens, as asked")
    words = f"{now} tokens, asked {' or '.join(map(str, dict.fromkeys(wanted)))}"
    most = _number(seen, "context_length")
    if now == most:
        return Finding(seen.url, "failed", f"{words}: the model has no more", f"ask for {most} or less")
    advice = "another client loaded it with other options: keep it away, and load it again with these"
    return Finding(seen.url, "failed", words, advice)


def keep_alive(seen: SeenServer, asked: Asked) -> Finding:
    """The model stays loaded while nobody asks."""
    if seen.loaded is None:
        return Finding(seen.url, "unchecked", "not loaded")
    if seen.url in asked.loaded_now:
        return Finding(seen.url, "unchecked", "loaded by this check, with a time to live of its own")
    left_s = time_to_live_s(seen.loaded.expires_at, datetime.now(UTC))
    if left_s == FOREVER:
        return Finding(seen.url, "ok", "stays loaded for ever")
    if left_s < SHORT_LIFE_S:
        advice = (
            "an idle model goes, and the next request pays for a load: set OLLAMA_KEEP_ALIVE=-1, or send keep_alive"
        )
        return Finding(seen.url, "warning", "stays loaded less than 10 minutes more", advice)
    return Finding(seen.url, "ok", f"stays loaded {left_s // 60} minutes more")


def slots(seen: SeenServer, asked: Asked) -> Finding:
    """Whether the server works on one request at a time; Ollama does not tell how it was started."""
    if seen.slots is not None:
        return Finding(seen.url, "ok", f"{seen.slots} at once")
    return Finding(
        seen.url,
        "unchecked",
        f"OLLAMA_NUM_PARALLEL cannot be asked; taken for {asked.slots}",
        "look at how the server was started: each slot has a KV cache of its own, and they share its tokens a second",
    )
