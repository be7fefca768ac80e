"""Rounds of ``harness watch`` in, symptoms and how long they have held out. A round fires only on its own evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from harness.judge.metrics import queue_ns
from harness.judge.solo_window import Comparison, ProbeFigures, SoloReference, SoloWindow, probe_figures
from harness.records.watch import HeldModel, Probe, Probed, ServerLook, WatchRound
from harness.scenarios.watching import SYMPTOMS, WatchRules

_NS = 1e9
_HUNDRED = 100.0
_EARLY_NS = 2_000_000_000
"""A model that goes so much before its time has not expired, ns; two clocks may differ a little."""
_SHORTEST_S = 0.5
"""CPU time is counted in ticks of 10 ms: a shorter pause tells little, s."""
_GPU_PAUSE_S = 2.0
"""A driver tells of up to the last second: after a shorter pause it may still tell of our own probes, s."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A symptom that fires now.

    Attributes:
        rule: One of ``SYMPTOMS``.
        url: The server; None for all together.
        since_ns: End of the first round of those without a break in which it fired, ns.
        value: The figure, in the unit of ``limit``; None if there is none.
        limit: The rule's limit: s, %, or None.
        subject: The model, or what the server said; empty if there is nothing.
    """

    rule: str
    url: str | None
    since_ns: int
    value: float | None = None
    limit: float | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class JudgedServer:
    """A server in a round.

    Attributes:
        look: As it was before the probes.
        since_ns: Since when it is up, or down, ns: its process was started then, or this watch saw it first then.
        target: What its probes asked; None if there were none.
        alone: Its probe alone; None if there was none that worked.
        together: Its probe together with the others; likewise.
        reference: What it does alone, over the window; None if that is not known.
        clean: Solo probes that the window holds of it.
        queue_s: The longest that a probe of this round waited for a slot, s; None if that is not told.
        cores: Cores that it kept busy since the round before, its probes included; None if that cannot be seen.
        others: What shows that somebody else uses it, in words.
        unprobed: Why it was not probed, or None.
    """

    look: ServerLook
    since_ns: int
    target: Probed | None = None
    alone: ProbeFigures | None = None
    together: ProbeFigures | None = None
    reference: SoloReference | None = None
    clean: int = 0
    queue_s: float | None = None
    cores: float | None = None
    others: tuple[str, ...] = ()
    unprobed: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedRound:
    """A round and what it means.

    Attributes:
        made: The round.
        servers: One each, in the order of the command line.
        fired: The symptoms that fire, the heaviest first.
        comparisons: Together against alone; () if that cannot be said.
        unsaid: Why the contention rules say nothing, or None.
        share: Share of the time so far in which a probe was under way.
        rules: What it was judged by.
    """

    made: WatchRound
    servers: tuple[JudgedServer, ...]
    fired: tuple[Fired, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    unsaid: str | None = None
    share: float = 0.0
    rules: WatchRules = field(default_factory=WatchRules)

    def held(self, hold_s: float, ignored: Collection[str] = ()) -> Fired | None:
        """The heaviest symptom that has held for ``hold_s`` without a break, but for ignored rules; None if none."""
        long = [each for each in self.fired if self.made.ended_ns - each.since_ns >= hold_s * _NS]
        return next((each for each in long if each.rule not in ignored), None)


class RoundJudge:
    """Takes the rounds of one watch in their order."""

    def __init__(self, rules: WatchRules) -> None:
        """Nothing was seen yet."""
        self._rules = rules
        self._window = SoloWindow(rules)
        self._since: dict[tuple[str, str | None, str], int] = {}
        self._state: dict[str, tuple[bool, int]] = {}
        self._owed: dict[tuple[str, str], HeldModel] = {}
        self._most: dict[tuple[str, str, str, int], int] = {}
        self._last: WatchRound | None = None
        self._begun_ns: int | None = None
        self._probing_ns = 0

    def judge(self, made: WatchRound) -> JudgedRound:
        """A round and what it means, after all those before it."""
        self._begun_ns = made.started_ns if self._begun_ns is None else self._begun_ns
        self._probing_ns += made.probing_ns
        others = {look.url: tuple(self._others(look, made)) for look in made.before}
        host = (*self._busy_gpus(made), *_crowded(made, self._rules.foreign_cores))
        self._window.add(made, alone=not host and not any(others.values()))
        comparisons = self._window.comparisons()
        found = [*self._seen(made), *self._compared(comparisons)]
        now = {
            (each.rule, each.url, each.subject if each.rule in ("evicted", "spilled") else ""): each for each in found
        }
        self._since = {key: self._since.get(key, made.ended_ns) for key in now}
        fired = [
            Fired(each.rule, each.url, self._since[key], each.value, each.limit, each.subject)
            for key, each in now.items()
        ]
        servers = tuple(self._server(look, made, (*others[look.url], *host)) for look in made.before)
        self._last = made
        elapsed_ns = made.ended_ns - self._begun_ns
        return JudgedRound(
            made=made,
            servers=servers,
            fired=tuple(sorted(fired, key=lambda each: SYMPTOMS.index(each.rule))),
            comparisons=comparisons,
            unsaid=None if comparisons else self._unsaid(made, servers),
            share=self._probing_ns / elapsed_ns if elapsed_ns > 0 else 0.0,
            rules=self._rules,
        )

    def _seen(self, made: WatchRound) -> Iterator[Fired]:
        """Symptoms that one look, or one probe, shows."""
        for look in made.before:
            if look.trouble is not None:
                yield Fired("down", look.url, made.ended_ns, subject=look.trouble)
                continue
            yield from self._memory(look, made)
            probes = [probe for probe in made.probes if probe.target.url == look.url]
            failed = next((each.record.error for each in probes if each.record.error is not None), None)
            if failed is not None:
                yield Fired("failing", look.url, made.ended_ns, subject=failed)
            waited_s = _waited_s(probes)
            if waited_s is not None and waited_s > self._rules.queue_s:
                yield Fired("queue", look.url, made.ended_ns, waited_s, self._rules.queue_s)

    def _memory(self, look: ServerLook, made: WatchRound) -> Iterator[Fired]:
        """Models that have gone before their time, or have left GPU memory."""
        here = {(look.url, model.name): model for model in look.models}
        for key, model in list(self._owed.items()):
            if key[0] != look.url or key in here:
                continue
            if model.expires_ns is not None and model.expires_ns - made.unix_ns > _EARLY_NS:
                yield Fired("evicted", look.url, made.ended_ns, subject=model.name)
            else:  # its time was over
                del self._owed[key]
        for key, model in here.items():
            self._owed[key] = model
            held = (look.url, model.name, model.digest, model.context_length)
            most = self._most[held] = max(self._most.get(held, 0), model.size_vram)
            lost_pct = _HUNDRED * (1 - model.size_vram / most) if most else 0.0
            if lost_pct > self._rules.vram_loss_pct:
                yield Fired("spilled", look.url, made.ended_ns, lost_pct, self._rules.vram_loss_pct, model.name)

    def _compared(self, comparisons: Sequence[Comparison]) -> Iterator[Fired]:
        """A contention symptom begins when all of the last rounds are beyond, and ends when most are not."""
        recent = self._rules.recent
        for each in comparisons:
            fires = (each.rule, each.url, "") in self._since
            enough = recent // 2 + 1 if fires else recent
            if sum(each.beyond) >= enough:
                yield Fired(each.rule, each.url, 0, each.value, each.limit)

    def _others(self, look: ServerLook, made: WatchRound) -> Iterator[str]:
        """What shows that somebody else uses a server."""
        if look.url in made.used:
            yield "its expiry has moved since the round before"
        waited_s = _waited_s([each for each in made.probes if each.target.url == look.url and each.alone])
        if waited_s is not None and waited_s > self._rules.alone_queue_s:
            yield f"a probe alone waited {waited_s:.2f} s for a slot"
        cores = self._cores(look, paused=True)
        if cores is not None and cores > self._rules.foreign_cores:
            yield f"{cores:.2f} cores busy between the rounds"

    def _busy_gpus(self, made: WatchRound) -> tuple[str, ...]:
        if self._last is None or (made.started_ns - self._last.ended_ns) / _NS < _GPU_PAUSE_S:
            return ()
        busy = [gpu for gpu in made.gpus if (gpu.utilization_pct or 0) > self._rules.foreign_gpu_pct]
        return tuple(f"{gpu.name} was {gpu.utilization_pct} % busy between the rounds" for gpu in busy)

    def _cores(self, look: ServerLook, *, paused: bool) -> float | None:
        """Cores kept busy since the last look, or since the look before the last round's probes."""
        if self._last is None or look.tree is None:
            return None
        looks = (self._last.after or self._last.before) if paused else self._last.before
        past = next((each for each in looks if each.url == look.url and each.tree is not None), None)
        if past is None or past.tree is None:
            return None
        pause_s, used_s = (look.at_ns - past.at_ns) / _NS, look.tree.cpu_s - past.tree.cpu_s
        return used_s / pause_s if pause_s >= _SHORTEST_S and used_s >= 0 else None

    def _server(self, look: ServerLook, made: WatchRound, others: tuple[str, ...]) -> JudgedServer:
        up = look.trouble is None
        was, since_ns = self._state.get(look.url, (up, look.at_ns))
        self._state[look.url] = (up, since_ns if was == up else look.at_ns)
        born = look.tree.born_unix_ns if look.tree is not None else None
        born_ns = None if born is None else made.started_ns + born - made.unix_ns
        probes = [probe for probe in made.probes if probe.target.url == look.url]
        target = probes[0].target if probes else None
        alone, together = (next((each for each in probes if each.alone is kind), None) for kind in (True, False))
        return JudgedServer(
            look=look,
            since_ns=self._state[look.url][1] if born_ns is None else born_ns,
            target=target,
            alone=None if alone is None else probe_figures(alone),
            together=None if together is None else probe_figures(together),
            reference=None if target is None else self._window.reference(target),
            clean=0 if target is None else self._window.clean(target),
            queue_s=_waited_s(probes),
            cores=self._cores(look, paused=False),
            others=others,
            unprobed=made.unprobed.get(look.url),
        )

    def _unsaid(self, made: WatchRound, servers: Sequence[JudgedServer]) -> str:
        probed = [each for each in servers if each.target is not None]
        if len(probed) < 2:  # noqa: PLR2004 - contention takes two
            return f"{len(probed)} of {len(servers)} servers can be probed, and contention takes two"
        if all(probe.alone for probe in made.probes):
            return "the probes together were not made"
        clean, needed = min(each.clean for each in probed), self._rules.reference_from
        if clean >= needed:
            return "a probe together failed"
        words = f"the solo reference has {clean} of {needed} rounds"
        if any(each.others for each in probed):
            return f"{words}: others use the servers, and alone is not alone"
        return words


def _crowded(made: WatchRound, limit: float) -> tuple[str, ...]:
    """What shows that others keep this host's CPUs busier than they are idle: then somebody waits."""
    load = made.host
    if load is None or load.foreign_cores is None or load.foreign_cores <= max(limit, load.idle_cores):
        return ()
    return (f"other processes keep {load.foreign_cores:.1f} of {len(load.cpus)} CPUs busy here",)


def _waited_s(probes: Sequence[Probe]) -> float | None:
    """The longest wait for a slot that the server told of, s."""
    servers = [probe.record.server for probe in probes]
    return max((queue_ns(each) / _NS for each in servers if each is not None and each.total_ns), default=None)
