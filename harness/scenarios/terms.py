"""What a session is judged by: limits, rules, when to stop and how often a verdict may be wrong. A journal keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from harness.scenarios.thresholds import Limit

DEFAULT_MAX_RUNS = 30
FIRST_LOOK = 4
"""Valid blocks before a sequential verdict is looked for."""
MOST_RUNS = 60
"""The largest number of blocks for which the levels of a sequential verdict are known."""


@dataclass(frozen=True, slots=True)
class ContentionRules:
    """Limits of the symptoms.

    Attributes:
        ttft_s: A TTFT more than this over the solo one is a symptom, s.
        throughput_drop_pct: A throughput more than this below the solo one is a symptom, %.
        efficiency_pct: A measured efficiency below this is a symptom, %.
    """

    ttft_s: float = 10.0
    throughput_drop_pct: float = 20.0
    efficiency_pct: float = 80.0


@dataclass(frozen=True, slots=True)
class InstrumentLimits:
    """What an instrument may be off by; beyond it a session or a block is INVALID.

    Attributes:
        ttft_ms: 99th percentile of the absolute error of TTFT, ms.
        gap_ms: 99th percentile of the absolute error of a gap, ms.
        coalesced_share: Share of tokens that were not told apart.
        loop_lag_ms: 99th percentile of the event loop's lag over a run, ms. Where the kernel stamps, a lag falsifies
            no latency, but holds up what is sent next.
        foreign_cores: Cores that others keep busy over a run, while less than that stands idle of what its servers may
            use: then somebody waits. Alone on two cores it reads up to 0.03. There 0.11 made two agents together 6 %
            slower, 0.18 10 %, 0.6 (a process that is always busy) 39 %.
        gpu_strangers: Foreign processes on the servers' GPUs.
        vram_loss_pct: Share of what was in GPU memory after the warm-up and is not any more, %.
    """

    ttft_ms: float = 5.0
    gap_ms: float = 1.0
    coalesced_share: float = 0.02
    loop_lag_ms: float = 50.0
    foreign_cores: float = 0.1
    gpu_strangers: float = 0.0
    vram_loss_pct: float = 1.0


INSTRUMENT_LIMITS = tuple(each.name for each in fields(InstrumentLimits))
"""Names of the limits that can be set."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a scenario has enough blocks.

    Attributes:
        runs: Measured blocks (with a base: pairs of blocks), the warm-up not counted.
        fixed: Exactly so many, and one look at the end; else at most so many, with a look after each.
    """

    runs: int = DEFAULT_MAX_RUNS
    fixed: bool = False


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """How often a verdict may be wrong.

    Attributes:
        false_fail: Chance that any gate of a session fails though its true value is on its limit; its gates share it.
        false_pass: Chance that one gate passes though its true value is on its limit.
    """

    false_fail: float = 0.05
    false_pass: float = 0.05


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """How much worse a candidate may be than its base.

    Attributes:
        metrics: What is compared.
        worse_pct: PASS shows that it is not this much worse, %.
        noise_pct: FAIL shows that it is more than this much worse, %: two processes of one program differ a little.
    """

    metrics: tuple[str, ...]
    worse_pct: float = 5.0
    noise_pct: float = 1.0


@dataclass(frozen=True, slots=True)
class StoredBaseline:
    """What a stored baseline says of one scenario.

    Attributes:
        name: Its name.
        ratios: By metric, one value a stored session (geometric means over its blocks), in the order of saving.
        rules: How much worse a new session may be.
    """

    name: str
    ratios: dict[str, tuple[float, ...]]
    rules: ChangeRules


@dataclass(frozen=True, slots=True)
class StudyTerms:
    """What a study is judged by besides its blocks.

    Attributes:
        instrument: What the instrument may be off by; None does not look at it.
        left_out: Arms that could not be tried, and why.
        stopping: When the session's scenarios have enough blocks.
        options: What each role sends, in the scenario's order.
    """

    instrument: InstrumentLimits | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    stopping: Stopping = field(default_factory=Stopping)
    options: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything besides its blocks that a scenario's verdicts depend on.

    Attributes:
        limits: What its figures must keep.
        contention: When a block shows contention.
        instrument: What the instrument may be off by; None does not look at it.
        stopping: When it has enough blocks.
        rates: How often a verdict may be wrong.
        gates: Gates of the whole session; they share ``rates.false_fail``.
        change: How it is compared with a base; None if it is not.
        baseline: The stored baseline it is compared with; None if it is not.
    """

    limits: tuple[Limit, ...] = ()
    contention: ContentionRules = field(default_factory=ContentionRules)
    instrument: InstrumentLimits | None = None
    stopping: Stopping = field(default_factory=Stopping)
    rates: ErrorRates = field(default_factory=ErrorRates)
    gates: int = 1
    change: ChangeRules | None = None
    baseline: StoredBaseline | None = None
