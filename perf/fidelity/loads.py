"""The loads that every client is measured under. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.servers.truth import Behaviour, Timing, TruthConfig

MODEL = "truth:latest"

_SECOND_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Load:
    """Streams that start together, again and again.

    Attributes:
        name: As the table shows it.
        streams: Requests at a time, each on a connection of its own.
        tokens: Tokens of each request.
        bursts: How often the streams are started; a client waits for the end of a burst before the next one.
        ttft_ms: Time of the first token on the server, ms.
        gap_ms: Time between tokens on the server, ms.
        stall_ms: Added to one gap in every 32, ms.
        spread_ms: The starts of a burst are spread evenly over this time, ms; 0 starts all at one instant.
    """

    name: str
    streams: int
    tokens: int
    bursts: int
    ttft_ms: float
    gap_ms: float
    stall_ms: float = 0.0
    spread_ms: float = 0.0

    @property
    def requests(self) -> int:
        """Requests of all bursts."""
        return self.streams * self.bursts

    @property
    def duration_s(self) -> float:
        """What the server takes for it at least, s."""
        gaps_ms = self.gap_ms * (self.tokens - 1) + self.stall_ms * (self.tokens // 32 + 1)
        return self.bursts * (self.spread_ms + self.ttft_ms + gaps_ms) / _SECOND_MS

    def spread(self) -> Load:
        """The same load with its starts spread as a session's are: over half a stream, 1 s at most."""
        half_ms = self.duration_s * _SECOND_MS / self.bursts / 2
        return replace(self, name=f"{self.name} spread", spread_ms=min(half_ms, _SECOND_MS))

    def config(self) -> TruthConfig:
        """What makes the ground-truth server behave so; a request says itself how many tokens it wants."""
        gaps = Timing(ms=self.gap_ms)
        if self.stall_ms:
            gaps = Timing(kind="stalls", ms=self.gap_ms, stall_ms=self.stall_ms, every=32)
        return TruthConfig(behaviour=Behaviour(ttft=Timing(ms=self.ttft_ms), gaps=gaps))


# At least 200 requests, so that a p99 of TTFT means something, and 2000 tokens.
_LOADS = (
    Load("2", streams=2, tokens=10, bursts=100, ttft_ms=20.0, gap_ms=10.0),
    Load("16", streams=16, tokens=20, bursts=13, ttft_ms=50.0, gap_ms=20.0),
    Load("128", streams=128, tokens=40, bursts=2, ttft_ms=100.0, gap_ms=50.0),
    Load("1000", streams=1000, tokens=40, bursts=1, ttft_ms=250.0, gap_ms=250.0),
)
STALLS = Load("16 stalls", streams=16, tokens=129, bursts=2, ttft_ms=50.0, gap_ms=10.0, stall_ms=40.0)
"""10 ms gaps, and 40 ms more once in every 32: the true p99 of the gaps is 50 ms."""

STREAMS = tuple(load.streams for load in _LOADS)


def load_of(streams: int) -> Load:
    """The load of so many streams; between the known ones, the next smaller one's paces."""
    known = [load for load in _LOADS if load.streams <= streams] or [_LOADS[0]]
    load = known[-1]
    if load.streams == streams:
        return load
    bursts = max(1, round(load.requests / streams))
    return replace(load, name=str(streams), streams=streams, bursts=bursts)


def start_up(load: Load) -> Load:
    """One request of one stream: what a whole tool costs before it measures anything."""
    return replace(load, name="start-up", streams=1, tokens=2, bursts=1, spread_ms=0.0)
