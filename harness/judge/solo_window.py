"""The sliding window of ``harness watch``: probes alone as the reference, probes together compared with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.judge.location import Location, location
from harness.judge.metrics import output_tokens, tokens_per_second
from harness.records.watch import Probe, Probed, WatchRound
from harness.scenarios.watching import WatchRules

_NS = 1e9
_HUNDRED = 100.0


@dataclass(frozen=True, slots=True)
class ProbeFigures:
    """A probe; of one that was cut off, what is known from below.

    Attributes:
        ttft_s: Time to first token, s; without one, the time until it was cut off.
        service_s: From sent to ended, s.
        tok_s: Output tokens over that time.
    """

    ttft_s: float
    service_s: float
    tok_s: float


def probe_figures(probe: Probe) -> ProbeFigures | None:
    """Figures of a probe; None if it failed otherwise than by its deadline, or brought no token."""
    record = probe.record
    service_ns = record.ended_ns - record.sent_ns
    if service_ns <= 0 or (not probe.late and (record.error is not None or not record.token_ns)):
        return None
    first_ns = record.token_ns[0] if record.token_ns else record.ended_ns
    rate = tokens_per_second(output_tokens(record), service_ns)
    return ProbeFigures((first_ns - record.sent_ns) / _NS, service_ns / _NS, rate)


@dataclass(frozen=True, slots=True)
class SoloReference:
    """What a server does alone, over the window.

    Attributes:
        ttft_s: Its TTFT, s.
        service_s: Time of its probes, s.
        tok_s: Its throughput.
        oldest: Round of the oldest probe in it.
    """

    ttft_s: Location
    service_s: Location
    tok_s: Location
    oldest: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure together against alone, each of the last rounds.

    Attributes:
        rule: ``ttft``, ``throughput`` or ``efficiency``.
        url: The server; None for all together.
        value: Median of those rounds against the reference's median: s over solo, % below solo, or %.
        limit: The rule's limit in the same unit.
        beyond: Of each of those rounds, the oldest first, whether it was beyond the limit, even against that end of the
            reference's interval which speaks against a symptom.
    """

    rule: str
    url: str | None
    value: float
    limit: float
    beyond: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Together:
    figures: Mapping[Probed, ProbeFigures]
    wall_s: float


class SoloWindow:
    """Takes rounds in their order; a server that holds another model, or holds it otherwise, begins anew."""

    def __init__(self, rules: WatchRules) -> None:
        """An empty window."""
        self._rules = rules
        self._alone: deque[tuple[int, Mapping[Probed, ProbeFigures]]] = deque(maxlen=rules.window)
        self._together: deque[_Together] = deque(maxlen=rules.recent)
        self._latest: _Together | None = None

    def add(self, made: WatchRound, *, alone: bool) -> None:
        """A further round; ``alone`` says that nobody else used the servers, so that its solo probes may be kept."""
        # one that was cut off though it was alone says nothing of being alone: the server is ill
        single = [probe for probe in made.probes if probe.alone and not probe.late] if alone else []
        kept = {probe.target: figures for probe in single if (figures := probe_figures(probe)) is not None}
        self._alone.append((made.index, kept))
        self._latest = _together([probe for probe in made.probes if not probe.alone])
        if self._latest is not None:
            if self._together and self._together[-1].figures.keys() != self._latest.figures.keys():
                self._together.clear()
            self._together.append(self._latest)

    def clean(self, target: Probed) -> int:
        """Solo probes of a target that the window holds."""
        return sum(target in figures for _, figures in self._alone)

    def reference(self, target: Probed) -> SoloReference | None:
        """What a target does alone; None if too few clean probes are in the window."""
        found = [(index, figures[target]) for index, figures in self._alone if target in figures]
        if len(found) < self._rules.reference_from:
            return None
        return SoloReference(
            ttft_s=location([each.ttft_s for _, each in found]),
            service_s=location([each.service_s for _, each in found]),
            tok_s=location([each.tok_s for _, each in found]),
            oldest=found[0][0],
        )

    def comparisons(self) -> tuple[Comparison, ...]:
        """The latest rounds against the reference; () if the last round had no probes together, or there is none."""
        if self._latest is None:
            return ()
        references = {target: self.reference(target) for target in self._latest.figures}
        known = {target: reference for target, reference in references.items() if reference is not None}
        if len(known) < len(references):
            return ()
        return tuple(self._compared(known))

    def _compared(self, references: Mapping[Probed, SoloReference]) -> list[Comparison]:
        rules, rounds = self._rules.contention, self._together
        found = []
        for target, alone in references.items():
            seen = [each.figures[target] for each in rounds]
            ttft = [[each.ttft_s - solo_s for each in seen] for solo_s in (alone.ttft_s.median, alone.ttft_s.high)]
            found.append(_comparison("ttft", target.url, rules.ttft_s, *ttft))
            drop = [[_drop_pct(each.tok_s, solo) for each in seen] for solo in (alone.tok_s.median, alone.tok_s.low)]
            found.append(_comparison("throughput", target.url, rules.throughput_drop_pct, *drop))
        longest = max((alone.service_s for alone in references.values()), key=lambda each: each.median)
        shares = [[_HUNDRED * solo_s / each.wall_s for each in rounds] for solo_s in (longest.median, longest.high)]
        beyond = tuple(share < rules.efficiency_pct for share in shares[1])
        return [*found, Comparison("efficiency", None, median(shares[0]), rules.efficiency_pct, beyond)]


def _drop_pct(rate: float, solo: float) -> float:
    return _HUNDRED * (1 - rate / solo)


def _comparison(rule: str, url: str, limit: float, values: Sequence[float], wary: Sequence[float]) -> Comparison:
    return Comparison(rule, url, median(values), limit, tuple(value > limit for value in wary))


def _together(probes: Sequence[Probe]) -> _Together | None:
    """None if there are fewer than two, or one of them failed otherwise than by its deadline."""
    figures = {probe.target: probe_figures(probe) for probe in probes}
    whole = {target: each for target, each in figures.items() if each is not None}
    if len(whole) < 2 or len(whole) < len(figures):  # noqa: PLR2004 - together is two or more
        return None
    wall_ns = max(probe.record.ended_ns for probe in probes) - min(probe.record.sent_ns for probe in probes)
    return _Together(whole, wall_ns / _NS)
