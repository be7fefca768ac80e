"""Blocks of agents on the virtual device of the ground-truth server, in simulated time: known factors and noise."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.records import AgentRun, Block, RequestRecord, Run, ServerDurations
from harness.records.session import CONCURRENT, solo_arm
from harness.servers.truth.spec import DeviceSpec
from tests.servers.truth.simulation import Simulated, Simulation

_MS = 1_000_000
Interference = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an agent, as it is alone.

    Attributes:
        prefill_ms: Its prefill.
        gap_ms: Mean of its gaps.
        gaps: Their number.
        growth: The last gap is longer than the first by this share of the mean.
    """

    prefill_ms: float
    gap_ms: float
    gaps: int
    growth: float = 0.0


@dataclass(frozen=True, slots=True)
class Noise:
    """What differs from run to run.

    Attributes:
        gap: Standard deviation of the log of a gap's work.
        prefill: The same of a prefill.
        hiccups: Chance that a gap has one.
        hiccup_ms: How long one takes.
    """

    gap: float = 0.0
    prefill: float = 0.0
    hiccups: float = 0.0
    hiccup_ms: float = 0.0


QUIET = Noise()


@dataclass(slots=True)
class _Agent:
    role: str
    calls: list[Call]
    sent_ns: int
    going: Simulated
    done: list[RequestRecord]


def _work(call: Call, noise: Noise, draw: random.Random) -> Simulated:
    places = [(i + 0.5) / call.gaps - 0.5 for i in range(call.gaps)]
    gaps = [call.gap_ms * (1 + call.growth * place) * math.exp(draw.gauss(0, noise.gap)) for place in places]
    gaps = [gap + noise.hiccup_ms * (draw.random() < noise.hiccups) for gap in gaps]
    prefill = call.prefill_ms * math.exp(draw.gauss(0, noise.prefill))
    return Simulated(prefill_ns=prefill * _MS, gaps_ns=[gap * _MS for gap in gaps])


def _record(sent_ns: int, done: Simulated) -> RequestRecord:
    first, last = done.ends_ns[0], done.ends_ns[-1]
    tokens = len(done.ends_ns)
    server = ServerDurations(last - sent_ns, 0, first - sent_ns, last - first, 5, tokens)
    stamps, reads = tuple(done.ends_ns), tuple(range(tokens))
    return RequestRecord(
        "call", "0", sent_ns, sent_ns, last, False, stamps, reads, "x" * tokens, "length", server, None
    )


def simulated_run(
    arm: str, agents: Mapping[str, Sequence[Call]], interference: Interference, noise: Noise, draw: random.Random
) -> Run:
    """One arm: each agent makes its calls one after the other, and all start at once."""
    simulation = Simulation(DeviceSpec(interference=interference))
    states = [
        _Agent(role, list(calls[1:]), 0, simulation.add(_work(calls[0], noise, draw)), [])
        for role, calls in agents.items()
    ]
    ran: dict[str, AgentRun] = {}
    while math.isfinite(simulation.device.next_ns()):
        simulation.device.run_next()
        for state in states:
            if state.role in ran or len(state.going.ends_ns) <= len(state.going.gaps_ns):
                continue
            state.done.append(_record(state.sent_ns, state.going))
            if state.calls:
                state.sent_ns = simulation.now_ns
                state.going = simulation.add(_work(state.calls.pop(0), noise, draw))
            else:
                ran[state.role] = AgentRun(state.role, "http://x", 0, 0, simulation.now_ns, tuple(state.done))
    return Run(arm, 0, simulation.now_ns, tuple(ran[role] for role in agents))


def simulated_blocks(
    agents: Mapping[str, Sequence[Call]],
    interference: Interference,
    *,
    blocks: int,
    noise: Noise = QUIET,
    seed: int = 1,
) -> list[Block]:
    """Valid blocks of these agents; the same seed gives the same noise."""
    draw = random.Random(seed)  # noqa: S311 - a workload, not a secret
    arms = {**{solo_arm(role): {role: calls} for role, calls in agents.items()}, CONCURRENT: agents}
    return [
        Block(
            scenario="simulated",
            index=index,
            warmup=False,
            order=tuple(arms),
            runs=tuple(simulated_run(arm, each, interference, noise, draw) for arm, each in arms.items()),
            deadline_s=300.0,
        )
        for index in range(1, blocks + 1)
    ]
