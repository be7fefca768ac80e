"""What a client under test says it saw. Its process prints this as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Observed:
    """One request as its client saw it.

    Attributes:
        nonce: First word of the prompt: how the server's log knows the request.
        sent_ns: When the client says that the request was sent, ns on a clock of its own.
        token_ns: Receive instants of the tokens, ns on the same clock, in order; of a tool that keeps no more, the
            first and the last one.
        tokens: Number of tokens the client counted; ``token_ns`` has as many values, or is not complete.
        error: Why the request failed, or None.
    """

    nonce: str
    sent_ns: int
    token_ns: tuple[int, ...]
    tokens: int
    error: str | None = None

    @property
    def complete(self) -> bool:
        """True if every token has its instant."""
        return len(self.token_ns) == self.tokens


@dataclass(frozen=True, slots=True)
class Reported:
    """Figures of a whole tool's own summary, ms.

    Attributes:
        ttft_p50: Median TTFT.
        ttft_p99: 99th percentile of TTFT.
        itl_p99: 99th percentile of what the tool calls inter-token latency.
    """

    ttft_p50: float
    ttft_p99: float
    itl_p99: float


@dataclass(frozen=True, slots=True)
class ClientReport:
    """Everything that one client process measured under one load.

    Attributes:
        client: Its name.
        version: Version of the library or tool.
        settings: How it was used, in words.
        cpu_s: CPU time of the measured bursts, s, from the first request to the last token parsed; of a whole tool,
            of all its processes from start to end.
        preempted: How often the kernel took the CPU from the client meanwhile for something else: the host's noise.
        requests: All measured requests.
        reported: A whole tool's own summary.
    """

    client: str
    version: str
    settings: str
    cpu_s: float
    preempted: int = 0
    requests: list[Observed] = field(default_factory=list)
    reported: Reported | None = None
