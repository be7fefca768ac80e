"""Rounds of light probes: each server alone and all together, in shuffled order, at an interval.

A probe asks only what is loaded already, as it was loaded, and leaves its keep-alive as it is. What that takes:

* the context length that ``/api/ps`` tells is sent along, and any other runner option that the caller knows of;
* a model that only our own probes still keep loaded is not probed any more (:class:`harness.measure.keepalive.Lease`);
* a server that had to load a model for a probe is not probed any more: its model was loaded otherwise than told.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import httpx

from harness.measure.clock import Clock, monotonic_ns
from harness.measure.keepalive import Lease
from harness.measure.looking import ANSWER_S, Looker, still_held
from harness.measure.requests import measure_request, nonces, open_connection
from harness.measure.targets import Targets
from harness.protocol import generate_body
from harness.records import RequestRecord
from harness.records.errors import ServerError
from harness.records.watch import HeldModel, Probe, Probed, ServerLook, TreeLook, WatchRound
from harness.scenarios.watching import ProbeSettings
from harness.servers.fleet import Server

_PROMPT = "Count from one to one hundred in words."
_SEED = 1
_NS = 1e9
_LOADED_NS = 150_000_000
"""A load duration from which something may have been loaded, ns: Ollama takes 300 ms for the smallest model.

A busy host can make a warm server as slow: where its processes are seen, they decide.
"""


class Prober:
    """Makes rounds over the same servers."""

    def __init__(
        self,
        servers: Sequence[Server],
        clients: Mapping[str, httpx.AsyncClient],
        looker: Looker,
        settings: ProbeSettings | None,
        *,
        seed: int = 0,
        clock: Clock = monotonic_ns,
    ) -> None:
        """Nothing is asked yet.

        Args:
            servers: The servers.
            clients: A measuring client by URL.
            looker: Looks at the same servers.
            settings: The probes; None: none are made.
            seed: Of the order of probes.
            clock: The clock.
        """
        self._servers = {server.url: server for server in servers}
        self._clients = clients
        self._looker = looker
        self._settings = settings
        self._seed = seed
        self._clock = clock
        self._nonce = nonces()
        self._rounds = 0
        self._leases: dict[tuple[str, str], Lease] = {}
        self._choice = Targets(self._servers, settings) if settings is not None else None

    async def round(self) -> WatchRound:
        """Looks, probes, and looks again."""
        self._rounds += 1
        started_ns, unix_ns = self._clock(), time.time_ns()
        gpus, host = await asyncio.to_thread(self._looker.gpus), self._looker.host()
        before = await self._looker.look()
        used = tuple(look.url for look in before if self._others_used(look))
        targets: dict[str, HeldModel] = {}
        unprobed = {look.url: "probes are off" for look in before}
        if self._choice is not None:
            over = {key for key, lease in self._leases.items() if lease.is_over(time.time_ns())}
            targets, unprobed = await self._choice.choose(before, over)
        probes, probing_ns = await self._probe(targets, unprobed)
        after = await self._looker.look() if probes else ()
        self._give_up(before, after, probes, unprobed)
        for look in after:
            if look.url in targets and look.trouble is None:
                name = targets[look.url].name
                self._leases[look.url, name].probed(look.held(name))
        return WatchRound(
            index=self._rounds,
            started_ns=started_ns,
            ended_ns=self._clock(),
            unix_ns=unix_ns,
            before=before,
            after=after,
            probes=probes,
            probing_ns=probing_ns,
            unprobed=unprobed,
            used=used,
            gpus=gpus,
            host=host,
        )

    def _others_used(self, look: ServerLook) -> bool:
        """Whether somebody else has used any of a server's models since the round before; brings the leases up."""
        if look.trouble is not None:
            return False
        here = {(look.url, model.name): model for model in look.models}
        for key in [key for key in self._leases if key[0] == look.url and key not in here]:
            del self._leases[key]
        moved = [key in self._leases and self._leases[key].seen(model) for key, model in here.items()]
        for key, model in here.items():
            self._leases.setdefault(key, Lease(model))
        return any(moved)

    def _give_up(
        self,
        before: Sequence[ServerLook],
        after: Sequence[ServerLook],
        probes: Sequence[Probe],
        unprobed: dict[str, str],
    ) -> None:
        """Ends the probes of servers that have loaded a model for one of them."""
        waited_ns: dict[str, int] = {}
        for probe in probes:
            waited_ns[probe.target.url] = max(waited_ns.get(probe.target.url, 0), _load_ns(probe))
        for was, now in zip(before, after, strict=bool(after)):
            load_ns = waited_ns.get(was.url, 0)
            if self._choice is not None and load_ns >= _LOADED_NS and not same_runner(was.tree, now.tree):
                unprobed[was.url] = self._choice.give_up(
                    was.url,
                    f"probes have ended: one had to wait {load_ns / _NS:.2f} s for a model to load; others had loaded "
                    "it with options that are not told (write them, for example --option num_thread=1), or let it go",
                )

    async def _probe(self, targets: Mapping[str, HeldModel], unprobed: dict[str, str]) -> tuple[tuple[Probe, ...], int]:
        """Each target alone and all together, and the time it took, ns."""
        arms = [(url,) for url in targets] + ([tuple(targets)] if len(targets) > 1 else [])
        random.Random(f"{self._seed}:{self._rounds}").shuffle(arms)  # noqa: S311 - an order, not a secret
        for url in targets:
            with suppress(ServerError, TimeoutError):  # its probe tells
                async with asyncio.timeout(ANSWER_S):
                    await open_connection(self._clients[url])
        probes: list[Probe] = []
        probing_ns = 0
        for arm in arms:
            held = await asyncio.gather(*(still_held(self._servers[url], targets[url]) for url in arm))
            for url, there in zip(arm, held, strict=True):
                if not there:
                    unprobed[url] = f"{targets[url].name} went meanwhile"
            if any(url in unprobed for url in arm):
                continue
            started_ns = self._clock()
            found = await asyncio.gather(*(self._ask(url, targets[url], alone=len(arm) == 1) for url in arm))
            probing_ns += self._clock() - started_ns
            probes += found
            if any(_load_ns(probe) >= _LOADED_NS for probe in found):
                break  # whatever it was, it is looked at before anything else is asked
        return tuple(probes), probing_ns

    async def _ask(self, url: str, model: HeldModel, *, alone: bool) -> Probe:
        settings = self._settings or ProbeSettings()
        context = {"num_ctx": model.context_length} if model.context_length else {}  # old servers do not tell
        options = {**context, **settings.options, "num_predict": settings.tokens, "seed": _SEED}
        nonce = self._nonce()
        body = generate_body(model.name, f"{nonce} {_PROMPT}", options, keep_alive=None)
        target = Probed(url, model.name, model.digest, model.context_length, model.size_vram)
        sink: list[RequestRecord] = []
        try:
            async with asyncio.timeout(settings.deadline_s):
                await measure_request(
                    self._clients[url], name="probe", nonce=nonce, body=body, sink=sink, clock=self._clock
                )
        except TimeoutError:
            record = replace(sink[-1], error=f"no end within {settings.deadline_s:g} s")
            return Probe(target, alone, record, late=True)
        return Probe(target, alone, sink[-1])


def _load_ns(probe: Probe) -> int:
    return probe.record.server.load_ns if probe.record.server is not None else 0


def same_runner(was: TreeLook | None, now: TreeLook | None) -> bool:
    """True if a server is seen to run its models in the same processes as before; one without any says nothing."""
    if was is None or now is None or len(was.pids) < 2:  # noqa: PLR2004 - the server, and a runner
        return False
    return set(was.pids) <= set(now.pids)


def pause_s(interval_s: float, share: float, round_s: float, probing_s: float) -> float:
    """Pause after a round, s: to the next interval, and long enough that probes take at most ``share`` of the time."""
    return max(interval_s - round_s, probing_s / share - round_s, 0.0)


async def watch_rounds(
    make: Callable[[], Awaitable[WatchRound]],
    *,
    interval_s: float,
    share: float,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> AsyncGenerator[WatchRound, None]:
    """Rounds without an end, each begun an interval after the one before it.

    Args:
        make: Makes one, as :meth:`Prober.round`.
        interval_s: From start to start, s; more where a round or ``share`` asks for it.
        share: The largest share of the time in which a probe may be under way, above 0 and at most 1.
        sleep: Waits so many seconds.
    """
    while True:
        made = await make()
        yield made
        await sleep(pause_s(interval_s, share, (made.ended_ns - made.started_ns) / _NS, made.probing_ns / _NS))
