"""How fast an agent works in each phase of another one: its pieces of work, and the fit of its speeds to one block.

*Pieces of work.* A victim's concurrent run is cut into its prefills (:mod:`harness.judge.phases`: load and queue are
not in them) and the gaps between its tokens. A piece's work is what it took alone, in the same request of the same
block. For a gap that is the request's mean gap alone, bent along the request by what the median gap of its second half
has over that of its first: late tokens are slower for their longer context, and with the plain mean an aggressor that
happens to be busy then would be blamed for it. (With the very same gap alone, a hiccup there would count as work.)
Tokens of one read make no gap; the next one has their work. So the pieces' durations sum to the request's time
together, and their work to its time alone.

*Fit.* Piece i lasts t_i, of which t_ik in phase k of the aggressor, and while it is in k the victim has the speed s_k,
1 as alone. So w_i = sum_k t_ik s_k, and the s_k are fitted to w_i / t_i over the shares t_ik / t_i, with weights t_i.

* Where pieces lie wholly in one phase that is a ratio of sums, time alone over time together: noise in either
  cancels, and nothing is drawn towards 1 (a regression of t_i on w_i would do that).
* Those that straddle phases are told apart by their shares. Without them a phase that is shorter than a gap would
  be lost, and so would a stall in which a whole prefill hides.
* Long gaps are not outliers: they are what costs the time. A hiccup that is nobody's fault spoils the reading of its
  block and not that of the others.
* Two phases that have the same shares in all pieces cannot be told apart (two prefills that both overlap two
  phases): they are drawn to one common speed with the weight of a tenth of a gap, or a fiftieth of a prefill. That
  while the aggressor is idle is drawn to 1 with five times that weight: with two agents the victim is then alone.

*Excess.* The time in a phase less the work done in it, signed. Over an aggressor's phases it sums to the time by which
the victim's pieces took longer than alone, but for the little that is drawn.

Source: least squares of speeds on shares, weighted by time, with a prior on the speeds (ridge).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.judge.phases import PHASES, Interval, Phase, prefill_start_ns
from harness.records import RequestRecord

VICTIM_PHASES: tuple[Phase, ...] = ("prefill", "decode")
"""Phases that consist of pieces of work."""
_FEWEST_WORK: Mapping[Phase, float] = {"prefill": 0.5, "decode": 5.0}
"""A phase in which the victim spent less than the time of so many of its pieces alone tells nothing ..."""
_FEWEST_PIECES = 0.5
"""... nor does one that has less than this of all pieces together."""
_DRAWN: Mapping[Phase, float] = {"prefill": 0.02, "decode": 0.1}
"""Weight of the prior in pieces: about the variance of one piece's speed over that of the phases' speeds."""
_DRAWN_IDLE = 5.0
_STANDS_STILL = 1e-3
"""The smallest speed: what is slower stood still, and has a ratio of 1000."""

Floats = NDArray[np.float64]


class Piece(NamedTuple):
    """A piece of a victim's work: when it was done together, and how long it took alone, ns."""

    start_ns: int
    end_ns: int
    work_ns: float


class Reading(NamedTuple):
    """What one block says of a victim's phase in one phase of an aggressor.

    Attributes:
        log_ratio: Natural log of time together over time alone.
        pieces: Pieces in it, those that straddle phases by their shares.
        time_ns: Time in it, ns.
        excess_ns: That time less the work done in it, ns.
    """

    log_ratio: float
    pieces: float
    time_ns: float
    excess_ns: float


def victim_pieces(alone: Sequence[RequestRecord], together: Sequence[RequestRecord]) -> dict[Phase, list[Piece]]:
    """The work of an agent's n requests with text, by its phase; requests alone and together match by position."""
    pairs = list(zip(alone, together, strict=True))
    return {
        "prefill": [_prefill(*pair) for pair in pairs],
        "decode": [piece for pair in pairs for piece in _gaps(*pair)],
    }


def _prefill(alone: RequestRecord, together: RequestRecord) -> Piece:
    # A server that was silent in one arm would make a short prefill of the other's: both tell, or neither is asked.
    told = alone.server is not None and together.server is not None
    solo_first, first = alone.token_ns[0], together.token_ns[0]
    work = solo_first - prefill_start_ns(alone, solo_first, told=told)
    return Piece(prefill_start_ns(together, first, told=told), first, work)


def _reads(request: RequestRecord) -> tuple[list[float], list[int]]:
    """For each read with tokens how far the text then was, from 0 to 1, and its instant, ns."""
    last = len(request.token_ns) - 1
    ends = [i for i in range(last + 1) if i == last or request.token_chunk[i] != request.token_chunk[i + 1]]
    return [i / max(1, last) for i in ends], [request.token_ns[i] for i in ends]


def _gaps(alone: RequestRecord, together: RequestRecord) -> list[Piece]:
    places, instants = _reads(together)
    done = _done(*_reads(alone), places)
    return [Piece(*each) for each in zip(instants, instants[1:], np.diff(done).tolist(), strict=False)]


def _done(solo_places: Sequence[float], solo_instants: Sequence[int], places: Sequence[float]) -> Floats:
    """The time that the text up to these places took alone, ns."""
    at = np.asarray(places)
    instants = np.array([instant - solo_instants[0] for instant in solo_instants], dtype=np.float64)
    rates = np.diff(instants) / np.diff(solo_places)  # ns for the whole text, by each gap
    half = len(rates) // 2
    bend = float(np.median(rates[-half:]) - np.median(rates[:half])) if half > 1 else 0.0
    done: Floats = instants[-1] * at + bend * (at * at - at)
    return done


def _times(pieces: Sequence[Piece], phases: Sequence[Interval]) -> Floats:
    """How much of each piece fell into each phase, ns: n rows in the order of ``PHASES``; outside the run is idle."""
    origin = pieces[0].start_ns  # a float holds the ns of days, and not those of a clock
    bounds = np.array([[piece.start_ns - origin, piece.end_ns - origin] for piece in pieces], dtype=np.float64)
    times = np.zeros((len(pieces), len(PHASES)))
    for column, phase in enumerate(PHASES[1:], start=1):
        own = [(each.start_ns - origin, each.end_ns - origin) for each in phases if each.phase == phase]
        if own:
            edges = np.array(own, dtype=np.float64)
            passed = np.cumsum(np.column_stack([np.zeros(len(own)), edges[:, 1] - edges[:, 0]]).ravel())
            times[:, column] = np.diff(np.interp(bounds, edges.ravel(), passed), axis=1)[:, 0]
    times[:, 0] = np.diff(bounds, axis=1)[:, 0] - times.sum(axis=1)
    return times


def _speeds(times: Floats, work: Floats, weight: float) -> Floats:
    """The victim's speed in each phase, so that ``work`` is ``times @ speeds``; the prior has this weight."""
    durations = times.sum(axis=1)
    shares = times / durations[:, None]
    idle = np.array([phase == "idle" for phase in PHASES])
    prior = np.where(idle, 1.0, work.sum() / durations.sum())
    drawn = np.where(idle, _DRAWN_IDLE, 1.0) * weight * durations.mean()
    fitted: Floats = np.linalg.solve(shares.T @ times + np.diag(drawn), shares.T @ work + drawn * prior)
    return fitted


def readings(pieces: Sequence[Piece], phases: Sequence[Interval], kind: Phase) -> dict[Phase, Reading]:
    """What n pieces of a victim's phase say, by the aggressor's phase; those with too little to tell are absent.

    Args:
        pieces: Of one block; those without duration, or of negative work (damaged instants), are passed over.
        phases: The aggressor's, over the same run.
        kind: The victim's phase.
    """
    usable = [piece for piece in pieces if piece.end_ns > piece.start_ns and piece.work_ns >= 0]
    alone_ns = sum(piece.work_ns for piece in usable)
    if alone_ns <= 0:
        return {}
    times = _times(usable, phases)
    speeds = _speeds(times, np.array([piece.work_ns for piece in usable]), _DRAWN[kind])
    counts = (times / times.sum(axis=1)[:, None]).sum(axis=0)
    totals = times.sum(axis=0)
    fewest_ns = _FEWEST_WORK[kind] * alone_ns / len(usable)
    return {
        phase: Reading(-log(max(_STANDS_STILL, speed)), float(count), float(total), float(total * (1 - speed)))
        for phase, speed, count, total in zip(PHASES, speeds, counts, totals, strict=True)
        if total >= fewest_ns and count >= _FEWEST_PIECES
    }
