"""The options that make the terms of a judgement, from text: the same for pytest and for the shell.

All errors are one clear line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import TypeVar

from harness.records.errors import ConfigurationError
from harness.scenarios.profiles import PROFILES
from harness.scenarios.terms import (
    INSTRUMENT_LIMITS,
    ChangeRules,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Terms,
)
from harness.scenarios.thresholds import Limit, ThresholdTable, overridden, parse_override

T = TypeVar("T", int, float)
_HALF, _HUNDRED = 0.5, 100.0

# (flag, metavar, help)
TERMS_OPTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "--profile",
        "NAME",
        f"column of the thresholds' table (default: found out). Known: {', '.join(PROFILES)}",
    ),
    ("--thresholds", "FILE", "a thresholds' table of your own (TOML)"),
    ("--threshold", "LIMIT", "METRIC=NUMBER or SCENARIO.METRIC=NUMBER, over the table; may be repeated"),
    ("--contention-ttft-s", "S", "symptom: TTFT more than this over the solo one (default 10)"),
    (
        "--contention-throughput-pct",
        "PCT",
        "symptom: throughput more than this below the solo one (default 20)",
    ),
    ("--contention-efficiency-pct", "PCT", "symptom: measured efficiency below this (default 80)"),
    ("--error-rate", "P", "chance that a session fails though every true value is on its limit (default 0.05)"),
    ("--worse-pct", "PCT", "PASS shows that the candidate is not this much worse than its base (default 5)"),
    ("--noise-pct", "PCT", "FAIL shows that it is more than this much worse (default 1)"),
    (
        "--instrument-limit",
        "LIMIT",
        f"NAME=NUMBER, what the instrument may be off by; may be repeated. Names: {', '.join(INSTRUMENT_LIMITS)}",
    ),
)
# (flag, help): the files that a session is told in; what renders each stands in harness/report/outputs.py
OUTPUT_OPTIONS: tuple[tuple[str, str], ...] = (
    ("--summary-json", "write the summary for programs"),
    ("--report", "write the report for people: one HTML page that needs no network"),
    ("--summary-md", "write the summary in Markdown (pytest also adds it to $GITHUB_STEP_SUMMARY where that is set)"),
    ("--trace-json", "write a trace that Perfetto opens: agents, servers, every token"),
    ("--blocks-csv", "write a table with a row for each request as CSV"),
    ("--blocks-parquet", "write that table as Parquet (needs the extra `parquet`)"),
    ("--github-benchmark-json", "write the figures for github-action-benchmark, its tool customSmallerIsBetter"),
    ("--bencher-json", "write the figures in Bencher's metric format"),
    ("--otlp-json", "write OpenTelemetry's metrics, GenAI names, as one OTLP/JSON request"),
)
REPEATED_TERMS_OPTIONS = ("--threshold", "--instrument-limit")


def finite(kind: Callable[[str], T], text: str) -> T | None:
    """The number that a text holds, or None."""
    try:
        value = kind(text)
        return value if isfinite(value) else None
    except (ValueError, OverflowError):
        return None


class Reader:
    """The options of a session by their flags; what was not given is None, () or False.

    Every method raises a ConfigurationError that names the flag and what to write.
    """

    def __init__(self, option: Callable[[str], object]) -> None:
        """``option`` gives the value of a flag."""
        self._option = option

    def text(self, flag: str) -> str | None:
        """Any text."""
        value = self._option(flag)
        return None if value is None else str(value)

    def texts(self, flag: str) -> tuple[str, ...]:
        """The texts of a flag that may be repeated."""
        value = self._option(flag)
        return tuple(value) if isinstance(value, list) else ()

    def switch(self, flag: str) -> bool:
        """True if it was given."""
        return bool(self._option(flag))

    def integer(self, flag: str, least: int) -> int | None:
        """A whole number of at least ``least``."""
        return self._number(flag, int, "a whole number", least)

    def real(self, flag: str, least: float) -> float | None:
        """A number of at least ``least``."""
        return self._number(flag, float, "a number", least)

    def one_of(self, flag: str, known: Iterable[str]) -> str | None:
        """One of a few words."""
        value = self.text(flag)
        if value is not None and value not in known:
            raise ConfigurationError(f"{flag} {value!r}: choose one of {', '.join(known)}")
        return value

    def _number(self, flag: str, kind: Callable[[str], T], words: str, least: T) -> T | None:
        text = self.text(flag)
        if text is None:
            return None
        value = finite(kind, text)
        if value is None:
            raise ConfigurationError(f"{flag} must be {words}, got {text!r}")
        if value < least:
            raise ConfigurationError(f"{flag} must be {words} of at least {least:g}, got {text}")
        return value


def read_contention(read: Reader, default: ContentionRules) -> ContentionRules:
    """When a block shows contention; what is not given is ``default``'s."""
    ttft_s = read.real("--contention-ttft-s", 0.0)
    drop_pct = read.real("--contention-throughput-pct", 0.0)
    efficiency_pct = read.real("--contention-efficiency-pct", 0.0)
    return ContentionRules(
        ttft_s=default.ttft_s if ttft_s is None else ttft_s,
        throughput_drop_pct=default.throughput_drop_pct if drop_pct is None else drop_pct,
        efficiency_pct=default.efficiency_pct if efficiency_pct is None else efficiency_pct,
    )


def read_instrument(read: Reader, default: InstrumentLimits) -> InstrumentLimits:
    """What the instrument may be off by; what is not given is ``default``'s."""
    limits = default
    for text in read.texts("--instrument-limit"):
        name, equals, number = text.partition("=")
        value = finite(float, number)
        if not equals or name not in INSTRUMENT_LIMITS or value is None or value < 0:
            raise ConfigurationError(
                f"--instrument-limit {text!r}: write NAME=NUMBER, for example ttft_ms=5; names: "
                f"{', '.join(INSTRUMENT_LIMITS)}"
            )
        limits = replace(limits, **{name: value})
    return limits


def read_rates(read: Reader, default: ErrorRates) -> ErrorRates:
    """How often a verdict may be wrong; ``default`` if nothing is given."""
    rate = read.real("--error-rate", 0.0)
    if rate is not None and not 0 < rate < _HALF:
        raise ConfigurationError(f"--error-rate must be above 0 and below 0.5, got {rate:g}")
    return ErrorRates(rate, rate) if rate is not None else default


def read_change(read: Reader, default: ChangeRules) -> ChangeRules:
    """How much worse than its base a candidate may be; what is not given is ``default``'s."""
    worse, noise = (read.real(flag, 0.0) for flag in ("--worse-pct", "--noise-pct"))
    rules = ChangeRules(
        default.metrics, default.worse_pct if worse is None else worse, default.noise_pct if noise is None else noise
    )
    if not rules.noise_pct < rules.worse_pct < _HUNDRED:
        raise ConfigurationError(
            f"--noise-pct {rules.noise_pct:g} and --worse-pct {rules.worse_pct:g}: the first must be below the second, "
            "and both below 100"
        )
    return rules


def read_again(read: Reader, table: ThresholdTable, profile: str, stored: Mapping[str, Terms]) -> dict[str, Terms]:
    """The terms of a stored session by scenario, changed by the options that are given, and else as they were.

    Args:
        read: The options.
        table: The limits that hold if ``--thresholds`` or ``--profile`` is given.
        profile: The session's own profile.
        stored: Its terms.
    """
    overrides = tuple(parse_override(text, tuple(stored)) for text in read.texts("--threshold"))
    given = read.one_of("--profile", tuple(PROFILES))
    anew = given is not None or read.text("--thresholds") is not None

    def limits(name: str, stored: tuple[Limit, ...]) -> tuple[Limit, ...]:
        if anew:
            return table.limits(given or profile, name, overrides)
        return overridden(stored, name, overrides)

    found = {
        name: replace(
            terms,
            limits=limits(name, terms.limits),
            contention=read_contention(read, terms.contention),
            instrument=read_instrument(read, terms.instrument or InstrumentLimits()),
            rates=read_rates(read, terms.rates),
            change=read_change(read, terms.change) if terms.change else None,
            baseline=replace(terms.baseline, rules=read_change(read, terms.baseline.rules)) if terms.baseline else None,
        )
        for name, terms in stored.items()
    }
    more = sum(len(found[name].limits) - len(terms.limits) for name, terms in stored.items())
    return {name: replace(terms, gates=max(1, terms.gates + more)) for name, terms in found.items()}
