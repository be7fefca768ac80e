"""What the measuring process tells the drawing one, as plain data; what changes with every token is on the board."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sitter:
    """An agent.

    Attributes:
        role: Its name.
        url: Its server.
        seat: Its seat on the board; None if it is not in the arm under way.
        tokens: Tokens that each of its requests is to generate; 0 if that is not known.
        background: It only keeps its server busy.
        alone_tok_s: Its tokens a second alone, mean of the blocks so far; None before the first one.
        alone_ttft_ms: Its time to first token alone, likewise, ms.
    """

    role: str
    url: str
    seat: int | None = None
    tokens: int = 0
    background: bool = False
    alone_tok_s: float | None = None
    alone_ttft_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """A server whose load is shown.

    Attributes:
        url: Its base URL.
        pid: The root of its process tree here; None if nobody knows it, or it is not to be looked at.
    """

    url: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that closes in on its limit.

    Attributes:
        name: What it is, in words.
        unit: ``%`` or ``x``.
        point: Its estimate so far.
        low: Lower end of its interval; None if there is none yet.
        high: Upper end.
        limit: The limit.
        at_least: True if it has to be at least that, False if at most.
        verdict: What is said of it so far; empty if nothing is.
    """

    name: str
    unit: str
    point: float
    low: float | None
    high: float | None
    limit: float
    at_least: bool
    verdict: str


@dataclass(frozen=True, slots=True)
class Rest:
    """About how long it takes until all planned blocks are measured.

    Attributes:
        seconds: The expected time, s.
        low: Lower end of its 95 % interval, s; None if too little was measured to tell.
        high: Upper end, s.
        at_ns: When that was said, ns.
    """

    seconds: float
    low: float | None
    high: float | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class Scene:
    """What is measured now.

    Attributes:
        title: The scenario, study or step.
        began_ns: When it began, ns.
        step: Where it stands in all of the session's, such as ``2 of 3``; empty for the only one.
        unit: ``block`` or ``pair``.
        index: The block under way; 0 for the warm-up; None before the first one.
        runs: Blocks to measure, the warm-up one not counted.
        at_most: Fewer may do.
        side: Whose servers: ``base``, ``candidate`` or, without a base, empty.
        arm: The arm under way, in words.
        position: Which of its block's arms that is, from 1; 0 before the first one.
        arms: How many there are.
        preparing: Models are brought into place for it.
        sitters: The block's agents, those in the arm's background last.
        servers: Servers whose load is shown.
        gpus: Whether the GPUs' is.
        gauges: Figures with a limit, as last judged.
        judged: Number of valid blocks that they rest on.
        note: What else is to be said of them.
        rest: How long all that is left takes; None before anybody can tell.
    """

    title: str
    began_ns: int
    step: str = ""
    unit: str = "block"
    index: int | None = None
    runs: int = 0
    at_most: bool = False
    side: str = ""
    arm: str = ""
    position: int = 0
    arms: int = 0
    preparing: bool = False
    sitters: tuple[Sitter, ...] = ()
    servers: tuple[Watched, ...] = ()
    gpus: bool = False
    gauges: tuple[Gauge, ...] = ()
    judged: int = 0
    note: str = ""
    rest: Rest | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """One message.

    Attributes:
        scene: What is to be shown from now on; None shows nothing, and nothing is read meanwhile.
        lines: Lines to write above it, for good.
        answer: An answer is waited for: one byte, once all of that is on the terminal.
    """

    scene: Scene | None = None
    lines: tuple[str, ...] = ()
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What a server or GPU uses now; None where nobody tells.

    Attributes:
        name: Its URL, or its product name.
        cpu_cores: Cores that a server keeps busy, since it was last looked.
        memory_bytes: Resident memory of a server, memory in use of a GPU.
        of_bytes: All memory of a GPU.
        busy_pct: Share of the time in which a GPU works, %.
    """

    name: str
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    of_bytes: int | None = None
    busy_pct: float | None = None
