"""What ``harness watch`` asks of servers, and when it calls what it sees a symptom: pure data, and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.records.errors import ConfigurationError
from harness.scenarios.options import TERMS_OPTIONS, finite
from harness.scenarios.terms import ContentionRules

SYMPTOMS = ("down", "failing", "evicted", "spilled", "queue", "ttft", "throughput", "efficiency")
"""All symptoms, the heaviest first; the last three are the guide's, and need probes of two servers."""
PROBE_OPTIONS = ("num_ctx", "num_batch", "main_gpu", "use_mmap", "num_thread")
"""Runner options that a probe must send as the model was loaded with them. num_gpu is one that need not be sent."""
_SPARE_S = 20.0
# (flag, metavar, help)
WATCH_OPTIONS: tuple[tuple[str, str, str], ...] = (
    ("--url", "URL", "a server; repeatable (Ollama's two usual ports, 11434 and 11435)"),
    ("--model", "NAME", "the model to probe, if it is loaded (the first that is)"),
    (
        "--option",
        "NAME=NUMBER",
        "a runner option that it was loaded with, so that no probe loads it again; repeatable: "
        + ", ".join(PROBE_OPTIONS),
    ),
    ("--tokens", "N", "tokens of a probe (8)"),
    ("--interval", "S", "from round to round (5)"),
    ("--share", "PCT", "probes take at most this share of the time; the interval grows with them (20)"),
    ("--window", "N", "rounds from which the solo reference is made (30)"),
    ("--foreign-cores", "N", "cores that others may keep busy before a probe alone counts as not alone (0.1)"),
    ("--for", "S", "a symptom that has held for so long without a break ends the watch (30)"),
    ("--ignore", "SYMPTOM", f"show it, but go on; repeatable: {', '.join(SYMPTOMS)}"),
    ("--duration", "S", "end with 0 after this time"),
    ("--rounds", "N", "end with 0 after so many rounds"),
    *(each for each in TERMS_OPTIONS if each[0].startswith("--contention-")),
)
REPEATED_WATCH_OPTIONS = ("--url", "--option", "--ignore")


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """A probe.

    Attributes:
        tokens: Tokens that it asks for.
        model: The model that it asks; None: one that the server has loaded.
        options: Runner options that the models were loaded with, as far as ``/api/ps`` does not tell them.
        deadline_s: It is cut off after this, s.
    """

    tokens: int = 8
    model: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True)
class WatchRules:
    """When something is a symptom.

    Attributes:
        contention: The guide's limits.
        window: Rounds from which the solo reference is made.
        reference_from: Solo probes that a reference needs at least; from 6 on its interval covers 95 %.
        recent: Comparisons that must all be beyond a limit before a contention symptom fires. By chance that happens
            once in 32 where the true median is on the limit. It goes on while most of the last so many are.
        queue_s: A probe that waited longer than this for a slot is a symptom, s.
        alone_queue_s: A probe alone that waited longer than this was not alone, s.
        foreign_cores: Cores that a server keeps busy while it is not probed, from which others use it; and that other
            processes keep busy on this host, while less than that stands idle.
        foreign_gpu_pct: Utilisation of a GPU while nobody is probed, from which others use it, %.
        vram_loss_pct: Share of what was in GPU memory and is not any more that is a symptom, %.
    """

    contention: ContentionRules = field(default_factory=ContentionRules)
    window: int = 30
    reference_from: int = 6
    recent: int = 5
    queue_s: float = 1.0
    alone_queue_s: float = 0.1
    foreign_cores: float = 0.1
    foreign_gpu_pct: float = 10.0
    vram_loss_pct: float = 1.0


def probe_deadline_s(rules: ContentionRules) -> float:
    """A deadline beyond which a probe's TTFT would be a symptom anyhow, s."""
    return rules.ttft_s + _SPARE_S


def parse_probe_options(texts: Sequence[str]) -> dict[str, float]:
    """Reads ``NAME=NUMBER`` for each runner option.

    Raises:
        ConfigurationError: If it is not that.
    """
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        flags = {"true": 1.0, "false": 0.0} if name == "use_mmap" else {}
        value = flags.get(number, finite(float, number))
        if name not in PROBE_OPTIONS or value is None or value != int(value):
            raise ConfigurationError(
                f"--option {text!r}: write NAME=NUMBER, for example num_thread=1 (use_mmap=true); names: "
                f"{', '.join(PROBE_OPTIONS)}"
            )
        found[name] = bool(value) if name == "use_mmap" else int(value)
    return found
