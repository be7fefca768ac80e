"""A server with several slots; what is asserted is the order of what happened, told by the stamps of its answers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers.embedded.conftest import DEADLINE_S, Server, started, wait_until

Chunks = list[dict[str, Any]]


@pytest.fixture(scope="module")
def pair(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two slots."""
    with started(cache, tmp_path_factory.mktemp("log") / "pair.log", "--parallel", "2") as running:
        yield running


def take(lines: Iterator[str], count: int) -> Chunks:
    """The next chunks of a stream that must not have ended."""
    chunks = [json.loads(next(lines)) for _ in range(count)]
    assert not any(chunk["done"] for chunk in chunks)
    return chunks


def collected(server: Server, **changes: object) -> Chunks:
    """All chunks of a streamed answer."""
    with server.stream(**changes) as lines:
        return [json.loads(line) for line in lines]


def made_at(chunk: dict[str, Any]) -> int:
    """When the server made a chunk, ns since the epoch."""
    whole, _, fraction = str(chunk["created_at"]).removesuffix("Z").partition(".")
    return int(datetime.fromisoformat(f"{whole}+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0"))


def take_past(lines: Iterator[str], instant: int) -> dict[str, Any]:
    """The next chunk of a stream that was made after ``instant``; the stream must not have ended by then."""
    while made_at(chunk := take(lines, 1)[0]) <= instant:
        pass
    return chunk


def queue_wait_ns(answer: dict[str, Any]) -> int:
    """What the server's own durations leave of the total."""
    used = ("load_duration", "prompt_eval_duration", "eval_duration")
    return int(answer["total_duration"]) - sum(int(answer[name]) for name in used)


def test_two_requests_stream_at_once_on_two_slots(pair: Server) -> None:
    """Each sends tokens while the other is not done."""
    with pair.stream() as one, pair.stream() as other:
        for _ in range(20):
            chunk = take_past(one, made_at(take(other, 1)[0]))
            take_past(other, made_at(chunk))


def test_on_one_slot_the_second_begins_when_the_first_has_ended(server: Server) -> None:
    """The default is one slot, whatever comes at the same time."""
    with ThreadPoolExecutor(1) as pool, server.stream(options={"num_predict": 1500}) as lines:
        take(lines, 1)
        second = pool.submit(collected, server, options={"num_predict": 3})
        ended = json.loads(list(lines)[-1])
        assert ended["done"]
        assert made_at(second.result()[0]) > made_at(ended)


def test_the_third_waits_for_a_slot_and_not_for_the_load(pair: Server) -> None:
    """It begins when one of the two leaves; the wait shows as what is left of its total."""
    pair.generate()
    with ThreadPoolExecutor(1) as pool, ExitStack() as second, pair.stream() as lines:
        other = second.enter_context(pair.stream())
        third = pool.submit(collected, pair, options={"num_predict": 3})
        last_of_other = take(other, 500)[-1]
        second.close()
        *parts, last = third.result()
        take_past(lines, made_at(last))
    assert made_at(parts[0]) > made_at(last_of_other)
    assert queue_wait_ns(last) > last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]


def test_counts_and_durations_are_those_of_each_request(pair: Server) -> None:
    """One decodes from before the other's prompt until after its end, and its own figures say so."""
    pair.generate()
    with pair.stream(options={"num_predict": 1000}) as lines:
        first = take(lines, 1)[0]
        short = pair.generate(prompt="token " * 100, options={"num_predict": 100})
        *parts, long = (json.loads(line) for line in lines)
    assert made_at(long) > made_at(short)
    assert (long["prompt_eval_count"], long["eval_count"], len(parts) + 1) == (4, 1000, 1000)
    assert (short["prompt_eval_count"], short["eval_count"]) == (102, 100)
    assert long["eval_duration"] > short["prompt_eval_duration"] + short["eval_duration"]
    assert long["prompt_eval_duration"] < long["eval_duration"]
    for answer in (long, short):
        assert 0 <= queue_wait_ns(answer) < answer["total_duration"] / 2
    assert long["eval_duration"] == pytest.approx(made_at(parts[-1]) - made_at(first), rel=0.5)


def test_a_prompt_that_waits_for_another_prompt_is_not_in_the_queue(pair: Server) -> None:
    """Both have a slot, so both are reading until their first token, as in Ollama."""
    body = {"prompt": "token " * 800, "options": {"num_predict": 2}}
    pair.generate()
    with ThreadPoolExecutor(2) as pool:
        answers = [answer.result() for answer in [pool.submit(pair.generate, **body) for _ in range(2)]]
    assert [answer["prompt_eval_count"] for answer in answers] == [802, 802]
    assert all(0 <= queue_wait_ns(answer) < answer["prompt_eval_duration"] / 4 for answer in answers)


@pytest.mark.parametrize("temperature", [0, 0.8])
def test_each_moves_on_in_a_context_of_its_own(pair: Server, temperature: float) -> None:
    """Both outgrow num_ctx by far, neither has cells of the other, and both make all of their tokens."""
    options = {"num_ctx": 256, "temperature": temperature, "seed": 3}
    with pair.stream(options=options | {"num_predict": 1000}) as lines:
        take(lines, 1)
        other = collected(pair, options=options | {"num_predict": 800})
        chunks = [json.loads(line) for line in lines]
    assert (len(chunks), chunks[-1]["eval_count"], chunks[-1]["done_reason"]) == (1000, 1000, "length")
    assert (len(other), other[-1]["eval_count"], other[-1]["done_reason"]) == (801, 800, "length")


def test_a_prompt_is_cut_to_the_context_of_one_request(pair: Server) -> None:
    """All of it and no more: the slots' contexts together are twice as long."""
    body = {"prompt": "token " * 1500, "options": {"num_ctx": 1024, "num_predict": 2}}
    assert pair.generate(**body)["prompt_eval_count"] == 1024


def test_a_reload_waits_for_both_and_nobody_overtakes_it(pair: Server) -> None:
    """Two run, one needs another context, one behind it does not: they are served in that order, with two loads."""
    pair.generate(options={"num_predict": 1, "num_ctx": 512})
    loads = pair.loads()
    endless = {"num_predict": -1, "num_ctx": 512}
    with ThreadPoolExecutor(2) as pool, ExitStack() as first, ExitStack() as second:
        one = first.enter_context(pair.stream(options=endless))
        other = second.enter_context(pair.stream(options=endless))
        take(one, 1)
        reloading = pool.submit(collected, pair, options={"num_predict": 30, "num_ctx": 768})
        take(other, 300)
        first.close()
        behind = pool.submit(collected, pair, options={"num_predict": 3, "num_ctx": 512})
        last_of_other = take(other, 300)[-1]
        assert pair.loads() == loads
        assert pair.running()[0]["context_length"] == 512
        second.close()
        reloaded, followed = reloading.result(), behind.result()
    assert made_at(last_of_other) < made_at(reloaded[0])
    assert made_at(reloaded[-1]) < made_at(followed[0])
    assert pair.loads() == loads + 2
    assert reloaded[-1]["load_duration"] > queue_wait_ns(reloaded[-1])


def test_one_that_leaves_or_is_refused_takes_nothing_from_the_other(pair: Server) -> None:
    """The other makes every token, and the slot that was left is used again meanwhile."""
    small = {"num_ctx": 512}
    with pair.stream(options=small | {"num_predict": 1500}) as lines:
        take(lines, 1)
        with pair.stream(options=small | {"num_predict": -1}) as leaving:
            take(leaving, 20)
        refused = pair.body(prompt="token " * 600, truncate=False, options=small)
        assert pair.client.post("/api/generate", json=refused).status_code == 400
        next_one = pair.generate(options=small | {"num_predict": 3})
        chunks = [json.loads(line) for line in lines]
    assert next_one["eval_count"] == 3
    assert made_at(next_one) < made_at(chunks[-1])
    assert (len(chunks), chunks[-1]["eval_count"], chunks[-1]["done_reason"]) == (1500, 1500, "length")


def test_unloading_waits_for_both(pair: Server) -> None:
    """Asked for while both run, it comes when the second has ended; until then both go on."""
    with pair.stream(options={"num_predict": 600}) as one, pair.stream(options={"num_predict": 900}) as other:
        take(one, 1)
        take(other, 1)
        assert pair.generate(prompt="", keep_alive=0)["done_reason"] == "unload"
        assert json.loads(list(one)[-1])["eval_count"] == 600
        assert json.loads(list(other)[-1])["eval_count"] == 900
    wait_until(lambda: not pair.running(), "the model is unloaded")


def test_ps_tells_one_requests_context_and_the_memory_of_all(server: Server, pair: Server, cache: Path) -> None:
    """As seen on a real Ollama with OLLAMA_NUM_PARALLEL=2: the second slot costs one more cache."""
    (file,) = cache.glob("*.gguf")
    entries = []
    for one in (server, pair):
        one.generate(prompt="", options={"num_ctx": 1024})
        entries += one.running()
    assert [entry["context_length"] for entry in entries] == [1024, 1024]
    alone, two = (entry["size"] - file.stat().st_size for entry in entries)
    assert two == 2 * alone > 0


def test_a_signal_ends_it_in_the_middle_of_two_streams(cache: Path, tmp_path: Path) -> None:
    """Status 0, and neither stream has a last chunk."""
    with (
        started(cache, tmp_path / "log", "--parallel", "2") as server,
        server.stream() as one,
        server.stream() as other,
    ):
        take(one, 1)
        take(other, 1)
        server.process.send_signal(signal.SIGTERM)
        for lines in (one, other):
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
        assert server.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(("arguments", "num_parallel", "slots"), [((), '"3"', 3), (("--parallel", "2"), "3", 2)])
def test_the_environment_says_how_many_and_the_flag_wins(
    cache: Path, tmp_path: Path, arguments: tuple[str, ...], num_parallel: str, slots: int
) -> None:
    """Ollama's variable, with the quotes that Ollama takes off; so many caches are in the memory."""
    with started(cache, tmp_path / "log", *arguments, num_parallel=num_parallel) as server:
        server.generate(prompt="", options={"num_ctx": 512})
        assert f"parallel={slots})" in server.log.read_text()
        with ExitStack() as streams:
            for _ in range(slots):
                take(streams.enter_context(server.stream(options={"num_predict": -1, "num_ctx": 512})), 1)


def test_as_many_slots_as_the_engine_has_can_be_used(cache: Path, tmp_path: Path) -> None:
    """More than a step of a prompt has tokens, which would abort the engine."""
    with started(cache, tmp_path / "log", "--parallel", "256") as server:
        assert server.generate(options={"num_ctx": 16, "num_predict": 3})["eval_count"] == 3


def test_more_slots_than_the_engine_has_are_refused() -> None:
    """Status 2, and one line that says what to do."""
    command = [sys.executable, "-m", "harness", "serve", "--port", "0", "--parallel", "257"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == [
        "harness serve: 257 requests at once are more than the engine's 256; "
        "ask for fewer with --parallel or OLLAMA_NUM_PARALLEL"
    ]
