"""Rounds of probes against the ground-truth server, over real sockets: what they see, and what they leave alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from harness.judge.watch import JudgedRound, RoundJudge
from harness.measure import measuring_client
from harness.measure.looking import Looker, still_held, unix_ns
from harness.measure.probing import Prober, pause_s, same_runner, watch_rounds
from harness.records.watch import TreeLook, WatchRound
from harness.scenarios.watching import PROBE_OPTIONS, ProbeSettings, WatchRules
from harness.servers.api import ListedModel, OllamaApi
from harness.servers.fleet import Server
from harness.servers.model import FOREVER, time_to_live_s
from harness.servers.nvml import open_nvml
from harness.servers.truth import Behaviour, DeviceSpec, Fault, Timing, TrueRequest, TruthConfig, TruthServer
from harness.servers.truth.spec import PHASES, ModelSpec
from tests.servers.driver import FULL, GIB, install

QUICK = Behaviour(ttft=Timing(ms=20.0), gaps=Timing(ms=8.0))
CALM = TruthConfig(QUICK)
SLOWED = TruthConfig(QUICK, device=DeviceSpec(interference={mine: dict.fromkeys(PHASES, 2.0) for mine in PHASES}))
MOST_ROUNDS = 60
NOBODY = 2**22 + 1  # a process id beyond what Linux gives out
RULES = WatchRules(foreign_cores=99.0)
"""They live with whatever else this machine does."""


@dataclass(frozen=True)
class Watched:
    """Two ports of the ground-truth server, under watch."""

    truth: TruthServer
    apis: tuple[OllamaApi, ...]
    prober: Prober

    async def load(self, options: dict[str, float] | None = None, keep_alive: int = FOREVER) -> None:
        """Both load the model as somebody else would."""
        for api in self.apis:
            await api.load("truth", options or {}, keep_alive=keep_alive)

    async def held(self) -> list[tuple[ListedModel, ...]]:
        """What both hold."""
        return [await api.loaded() for api in self.apis]

    async def configure(self, config: TruthConfig) -> None:
        """Dials the server while it runs."""
        await asyncio.to_thread(self.truth.configure, config)

    def asked(self) -> list[TrueRequest]:
        """The requests for tokens so far."""
        return [each for each in self.truth.log() if each.prompt]

    def loads(self) -> int:
        """Those for which the server had to load the model first, which takes it 400 ms."""
        return sum(each.granted_ns - each.arrived_ns > 200_000_000 for each in self.asked())


@asynccontextmanager
async def _watched(truth: TruthServer, settings: ProbeSettings | None = ProbeSettings()) -> AsyncIterator[Watched]:  # noqa: B008 - frozen
    async with contextlib.AsyncExitStack() as stack:
        clients: dict[str, httpx.AsyncClient] = {}
        servers = []
        for url in truth.urls:
            api = OllamaApi(url)
            stack.push_async_callback(api.close)
            clients[url] = await stack.enter_async_context(measuring_client(url))
            servers.append(Server(url, "connect", api))
        prober = Prober(servers, clients, Looker(servers), settings)
        yield Watched(truth, tuple(server.api for server in servers), prober)


async def _until(judge: RoundJudge, prober: Prober, wanted: Callable[[JudgedRound], bool]) -> JudgedRound:
    for _ in range(MOST_ROUNDS):
        judged = judge.judge(await prober.round())
        if wanted(judged):
            return judged
    raise AssertionError("it was never seen")


@pytest.mark.asyncio
async def test_a_round_asks_each_alone_and_all_together(truth_server: TruthServer) -> None:
    """With different texts, of the same few tokens; nobody was asked beside one that was asked alone."""
    truth_server.configure(CALM)
    async with _watched(truth_server) as watched:
        await watched.load()
        orders = set()
        for _ in range(6):
            made = await watched.prober.round()
            assert sorted((each.target.url, each.alone) for each in made.probes) == sorted(
                (url, alone) for url in truth_server.urls for alone in (True, False)
            )
            assert [each.record.error for each in made.probes] == [None] * 4
            assert {len(each.record.token_ns) for each in made.probes} == {8}
            spans = [(each.record.sent_ns, each.record.ended_ns, each.alone) for each in made.probes]
            for sent, ended, alone in spans:
                overlapping = sum(other[0] < ended and sent < other[1] for other in spans)
                assert overlapping == (1 if alone else 2)
            orders.add(tuple((each.target.url, each.alone) for each in made.probes))
        assert len(orders) > 1
        assert len({each.prompt for each in watched.asked()}) == 24


@pytest.mark.asyncio
async def test_a_dialled_slowdown_comes_and_goes(truth_server: TruthServer) -> None:
    """Throughput and efficiency fire on it, end with it, and begin anew: nothing has held over the break."""
    truth_server.configure(CALM)
    async with _watched(truth_server) as watched:
        await watched.load()
        judge = RoundJudge(RULES)
        calm = await _until(judge, watched.prober, lambda judged: len(judged.comparisons) == 5)
        assert not calm.fired
        await watched.configure(SLOWED)
        first = await _until(judge, watched.prober, lambda judged: len(judged.fired) == 3)
        assert {each.rule for each in first.fired} == {"throughput", "efficiency"}
        for each in first.fired:
            assert each.value is not None
            assert 40 < each.value < 60
        await watched.configure(CALM)
        await _until(judge, watched.prober, lambda judged: not judged.fired)
        await watched.configure(SLOWED)
        again = await _until(judge, watched.prober, lambda judged: len(judged.fired) == 3)
        total_s = (again.made.ended_ns - first.made.ended_ns) / 1e9
        assert again.held(0.0) is not None
        assert again.held(total_s) is None


@pytest.mark.asyncio
async def test_what_is_loaded_and_for_how_long_is_left_as_it_was(truth_server: TruthServer) -> None:
    """Nothing is loaded again, and each keeps its own keep-alive: 100 s, and for ever."""
    truth_server.configure(replace(CALM, device=DeviceSpec(load_ms=400)))
    async with _watched(truth_server) as watched:
        for api, keep_alive in zip(watched.apis, (100, FOREVER), strict=True):
            await api.load("truth", {"num_ctx": 640}, keep_alive=keep_alive)
        for _ in range(3):
            made = await watched.prober.round()
            assert made.unprobed == {}
            assert made.used == ()
        now = datetime.now(UTC)
        (short,), (ever,) = await watched.held()
        assert 0 < time_to_live_s(short.expires_at, now) <= 101
        assert time_to_live_s(ever.expires_at, now) == FOREVER
        assert (short.context_length, ever.context_length) == (640, 640)
        assert watched.loads() == 0


@pytest.mark.asyncio
async def test_nothing_is_loaded_to_be_probed(truth_server: TruthServer) -> None:
    """A server without a model is looked at, and not asked for a token; nor is one without the model asked for."""
    async with _watched(truth_server) as watched:
        made = await watched.prober.round()
        assert set(made.unprobed.values()) == {"no model is loaded"}
        assert [look.trouble for look in made.before] == [None, None]
    truth_server.configure(replace(CALM, models=(ModelSpec(), ModelSpec("other:latest"))))
    async with _watched(truth_server, ProbeSettings(model="other")) as watched:
        await watched.load()
        made = await watched.prober.round()
        assert set(made.unprobed.values()) == {"other is not loaded"}
        assert [[each.name for each in held] for held in await watched.held()] == [["truth:latest"]] * 2
        assert watched.asked() == []


@pytest.mark.asyncio
async def test_one_load_for_a_probe_ends_the_probes_there(truth_server: TruthServer) -> None:
    """A model that was loaded with threads that nobody tells of is loaded again once, and never more."""
    truth_server.configure(replace(CALM, device=DeviceSpec(load_ms=400)))
    async with _watched(truth_server) as watched:
        await watched.load({"num_thread": 3})
        made = [await watched.prober.round() for _ in range(4)]
        assert all("probes have ended: one had to wait 0.4" in words for words in made[-1].unprobed.values())
        assert all("--option num_thread=1" in words for words in made[-1].unprobed.values())
        assert [len(each.probes) for each in made[2:]] == [0, 0]
        assert watched.loads() == 2


@pytest.mark.asyncio
async def test_a_model_on_the_cpu_is_probed_only_with_its_threads(truth_server: TruthServer) -> None:
    """Which nobody tells: 0 says that whoever uses it sends none."""
    truth_server.configure(TruthConfig(QUICK, device=DeviceSpec(memory_bytes=0)))
    async with _watched(truth_server) as watched:
        await watched.load()
        words = (await watched.prober.round()).unprobed.values()
        assert all("write --option num_thread=N (0: whoever uses it sends none)" in each for each in words)
        assert watched.asked() == []
    async with _watched(truth_server, ProbeSettings(options={"num_thread": 0})) as watched:
        assert (await watched.prober.round()).unprobed == {}


@pytest.mark.parametrize(
    ("was", "now", "same"),
    [
        ((1, 2), (1, 2), True),
        ((1, 2), (1, 2, 3), True),
        ((1, 2), (1, 3), False),
        ((1,), (1,), False),
        (None, (1, 2), False),
    ],
)
def test_a_server_with_the_same_runner_has_loaded_nothing(
    was: tuple[int, ...] | None, now: tuple[int, ...] | None, same: bool
) -> None:
    """One that is seen to have none, or is not seen at all, may have."""
    one, two = (None if pids is None else TreeLook(0.0, 0, pids) for pids in (was, now))
    assert same_runner(one, two) is same


@pytest.mark.asyncio
async def test_a_probe_told_of_the_options_loads_nothing(truth_server: TruthServer) -> None:
    """It sends those that the model was loaded with."""
    truth_server.configure(replace(CALM, device=DeviceSpec(load_ms=400)))
    options: dict[str, float] = {"num_thread": 3, "num_batch": 64, "main_gpu": 1, "use_mmap": False}
    assert set(options) < set(PROBE_OPTIONS)
    async with _watched(truth_server, ProbeSettings(options=options)) as watched:
        await watched.load({**options, "num_ctx": 640})
        for _ in range(2):
            assert (await watched.prober.round()).unprobed == {}
        assert watched.loads() == 0


@pytest.mark.parametrize(("loaded", "asked"), [(640, 512), (131_072, None), (200_000, 512)])
@pytest.mark.asyncio
async def test_a_context_that_would_load_it_again_is_not_asked_for(
    truth_server: TruthServer, loaded: int, asked: int | None
) -> None:
    """Another than it has; and one that is all that the model can have, which says little of what was asked for."""
    options: dict[str, float] = {} if asked is None else {"num_ctx": asked}
    async with _watched(truth_server, ProbeSettings(options=options)) as watched:
        await watched.load({"num_ctx": loaded})
        words = (await watched.prober.round()).unprobed.values()
        assert all("would load it again" in each or "--option num_ctx=4096" in each for each in words)
        assert len(words) == 2
        assert watched.asked() == []


@pytest.mark.asyncio
async def test_a_full_context_is_probed_as_it_was_asked_for(truth_server: TruthServer) -> None:
    """200 000 tokens were asked for, 131 072 given: the first is what a probe must send."""
    truth_server.configure(replace(CALM, device=DeviceSpec(load_ms=400)))
    async with _watched(truth_server, ProbeSettings(options={"num_ctx": 200_000})) as watched:
        await watched.load({"num_ctx": 200_000})
        assert (await watched.prober.round()).unprobed == {}
        assert watched.loads() == 0


@pytest.mark.asyncio
async def test_a_model_that_only_probes_keep_is_left_to_expire(truth_server: TruthServer) -> None:
    """After its own second it is not asked any more; when somebody uses it, it is again."""
    truth_server.configure(CALM)
    async with _watched(truth_server) as watched:
        await watched.load(keep_alive=1)
        first = await watched.prober.round()
        own_ns = max(look.models[0].expires_ns or 0 for look in first.before if look.models)
        for _ in range(MOST_ROUNDS):
            made = await watched.prober.round()
            if not made.probes:
                break
        assert not made.probes
        assert all("left to expire" in words or "not loaded" in words for words in made.unprobed.values())
        assert time.time_ns() >= own_ns
        await watched.load(keep_alive=60)
        assert len((await watched.prober.round()).probes) == 4


@pytest.mark.asyncio
async def test_a_model_that_is_about_to_go_is_not_asked(truth_server: TruthServer) -> None:
    """One whose time is over, and which is listed as long as another request keeps it, is not held."""
    slow = Behaviour(ttft=Timing(ms=60_000.0))
    truth_server.configure(TruthConfig(QUICK, script=(slow,)))
    async with _watched(truth_server) as watched, httpx.AsyncClient() as client:
        await watched.load()
        body = {"model": "truth", "prompt": "x", "stream": False, "keep_alive": 0}
        theirs = asyncio.create_task(client.post(f"{truth_server.urls[0]}/api/generate", json=body, timeout=60))
        while unix_ns((await watched.held())[0][0].expires_at) > time.time_ns():  # type: ignore[operator]
            pass
        made = await watched.prober.round()
        going, kept = (look.models[0] for look in made.before)
        servers = [Server(url, "connect", api) for url, api in zip(truth_server.urls, watched.apis, strict=True)]
        assert not await still_held(servers[0], going)
        assert await still_held(servers[1], kept)
        theirs.cancel()
        assert {each.target.url for each in made.probes} == {truth_server.urls[1]}


@pytest.mark.asyncio
async def test_a_use_by_somebody_else_is_seen(truth_server: TruthServer) -> None:
    """By the expiry that has moved, on that server only."""
    truth_server.configure(CALM)
    async with _watched(truth_server) as watched:
        await watched.load()
        assert (await watched.prober.round()).used == ()
        await watched.apis[1].load("truth", {})
        assert (await watched.prober.round()).used == (truth_server.urls[1],)
        assert (await watched.prober.round()).used == ()


@pytest.mark.asyncio
async def test_queueing_behind_somebody_is_seen(truth_server: TruthServer) -> None:
    """With one slot that another request holds, a probe waits, and the wait is told."""
    slow = Behaviour(ttft=Timing(ms=1500.0), gaps=Timing(ms=1.0))
    config = TruthConfig(QUICK, script=(slow,), device=DeviceSpec(slots=1))
    truth_server.configure(CALM)
    async with _watched(truth_server) as watched:
        await watched.load()
        await watched.configure(config)
        judge = RoundJudge(replace(RULES, queue_s=0.5))
        async with httpx.AsyncClient() as client:
            body = {"model": "truth", "prompt": "x", "stream": False}
            theirs = asyncio.create_task(client.post(f"{truth_server.urls[0]}/api/generate", json=body, timeout=60))
            judged = await _until(judge, watched.prober, lambda judged: bool(judged.fired))
            await theirs
        assert {(each.rule, each.url) for each in judged.fired} == {("queue", truth_server.urls[0])}


@pytest.mark.asyncio
async def test_a_probe_that_never_ends_is_cut_off(truth_server: TruthServer) -> None:
    """At its deadline, with what had come by then; the slot is free again."""
    truth_server.configure(TruthConfig(replace(QUICK, fault=Fault("stall", 3)), device=DeviceSpec(slots=1)))
    async with _watched(truth_server, ProbeSettings(deadline_s=0.4)) as watched:
        await watched.load()
        made = await watched.prober.round()
        assert [each.late for each in made.probes] == [True] * 4
        assert {each.record.error for each in made.probes} == {"no end within 0.4 s"}
        await watched.configure(CALM)
        assert [each.record.error for each in (await watched.prober.round()).probes] == [None] * 4


@pytest.mark.asyncio
async def test_without_probes_it_only_looks(truth_server: TruthServer) -> None:
    """The expiry of what is loaded does not move."""
    async with _watched(truth_server, None) as watched:
        await watched.load()
        before = await watched.held()
        made = await watched.prober.round()
        assert made.after == ()
        assert set(made.unprobed.values()) == {"probes are off"}
        assert await watched.held() == before
        assert watched.asked() == []


@pytest.mark.asyncio
async def test_a_server_that_runs_here_shows_its_processes(truth_server: TruthServer) -> None:
    """Their memory, and when they were started."""
    async with _watched(truth_server) as watched:
        made = await watched.prober.round()
        trees = [look.tree for look in made.before]
    for tree in trees:
        assert tree is not None
        assert tree.pids
        assert tree.rss_bytes > 2**20
        assert tree.born_unix_ns is not None
        assert tree.born_unix_ns <= made.unix_ns


@pytest.mark.asyncio
async def test_gpus_are_told_with_what_the_servers_hold(
    truth_server: TruthServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a fake driver: memory, load and power of each, and the memory of the server's own processes."""
    install(monkeypatch, tmp_path, [{**FULL, "compute": [[truth_server.pid, 18 * GIB], [NOBODY, GIB]]}])
    api = OllamaApi(truth_server.urls[0])
    with open_nvml() as nvml:
        looker = Looker([Server(api.url, "connect", api)], nvml)
        (gpu,) = looker.gpus()
        (look,) = await looker.look()
    await api.close()
    assert (gpu.used, gpu.total, gpu.utilization_pct, gpu.power_w) == (20 * GIB, 80 * GIB, 93, 310.5)
    assert look.tree is not None
    assert look.tree.gpu_bytes == 18 * GIB


@pytest.mark.parametrize(
    ("interval_s", "share", "round_s", "probing_s", "pause"),
    [(5, 0.2, 1, 0.5, 4), (5, 0.2, 3, 2, 7), (5, 1, 7, 6, 0), (0, 0.5, 1, 1, 1)],
)
def test_a_pause_keeps_the_interval_and_the_share(
    interval_s: float, share: float, round_s: float, probing_s: float, pause: float
) -> None:
    """Whichever asks for more."""
    assert pause_s(interval_s, share, round_s, probing_s) == pytest.approx(pause)


@pytest.mark.asyncio
async def test_rounds_follow_each_other_after_their_pauses() -> None:
    """A round that took 1 s of which 0.5 s in probes waits 4 s for the next."""
    slept: list[float] = []

    async def make() -> WatchRound:
        return WatchRound(1, 0, 10**9, 0, (), probing_ns=5 * 10**8)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    rounds = watch_rounds(make, interval_s=5.0, share=0.2, sleep=sleep)
    for _ in range(3):
        await anext(rounds)
    await rounds.aclose()
    assert slept == [pytest.approx(4.0)] * 2


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000_000),
        ("1970-01-01T01:00:00.123456789+01:00", 123_456_000),
        ("2319-01-01T00:00:00Z", 11_013_321_600 * 10**9),
        ("tomorrow", None),
        ("1970-01-01T00:00:00", None),
    ],
)
def test_dates_of_ollama(text: str, instant: int | None) -> None:
    """Go writes nine digits and an offset; what has no offset, or is no date, is not known."""
    assert unix_ns(text) == instant
