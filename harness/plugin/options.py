"""The command line: every option of ours, and the settings they make. All errors are one clear line."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import TypeVar

from harness.plugin.flags import DEFAULT_DEADLINE_S, DEFAULT_RUNS
from harness.records.errors import ConfigurationError
from harness.scenarios import (
    INSTRUMENT_LIMITS,
    PROFILES,
    SCENARIOS,
    ContentionRules,
    InstrumentLimits,
    Override,
    RunnerOptions,
    Scenario,
    ThresholdTable,
    parse_override,
    parse_thresholds,
    with_overrides,
)
from harness.servers.host import usable_cpus
from harness.servers.selection import Selection, checked_url, parse_pins, parse_ports, select

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options of a session; None is "find out" or "default by profile"."""

    selection: Selection
    scenarios: tuple[Scenario, ...]
    runs: int
    num_thread: int | None
    num_predict: int | None
    max_concurrent: int | None
    deadline_s: float
    seed: int
    profile: str | None
    thresholds: ThresholdTable
    overrides: tuple[Override, ...]
    rules: ContentionRules
    inconclusive_fails: bool
    calibrate: bool
    instrument: InstrumentLimits
    journal: Path | None
    summary_json: Path | None


def _finite(kind: Callable[[str], T], text: str) -> T | None:
    try:
        value = kind(text)
        return value if isfinite(value) else None
    except (ValueError, OverflowError):
        return None


class _Reader:
    """Typed access to the options' text."""

    def __init__(self, option: Callable[[str], object]) -> None:
        self._option = option

    def text(self, flag: str) -> str | None:
        value = self._option(flag)
        return None if value is None else str(value)

    def texts(self, flag: str) -> tuple[str, ...]:
        value = self._option(flag)
        return tuple(value) if isinstance(value, list) else ()

    def switch(self, flag: str) -> bool:
        return bool(self._option(flag))

    def integer(self, flag: str, least: int) -> int | None:
        return self._number(flag, int, "a whole number", least)

    def real(self, flag: str, least: float) -> float | None:
        return self._number(flag, float, "a number", least)

    def _number(self, flag: str, kind: Callable[[str], T], words: str, least: T) -> T | None:
        text = self.text(flag)
        if text is None:
            return None
        value = _finite(kind, text)
        if value is None:
            raise ConfigurationError(f"{flag} must be {words}, got {text!r}")
        if value < least:
            raise ConfigurationError(f"{flag} must be {words} of at least {least:g}, got {text}")
        return value

    def path(self, flag: str) -> Path | None:
        text = self.text(flag)
        return Path(text) if text else None


def _runner_options(read: _Reader, group: str) -> RunnerOptions:
    return RunnerOptions(
        num_gpu=read.integer(f"--{group}-num-gpu", -1),
        num_ctx=read.integer(f"--{group}-num-ctx", 64),
        temperature=read.real(f"--{group}-temperature", 0.0),
        top_p=read.real(f"--{group}-top-p", 0.0),
        top_k=read.integer(f"--{group}-top-k", 0),
        repeat_penalty=read.real(f"--{group}-repeat-penalty", 0.0),
    )


def _scenarios(read: _Reader) -> tuple[Scenario, ...]:
    names = read.texts("--scenario") or tuple(SCENARIOS)
    for name in names:
        if name not in SCENARIOS:
            raise ConfigurationError(f"--scenario {name!r} is unknown; choose from: {', '.join(SCENARIOS)}")
    overrides = {group: _runner_options(read, group) for group in ("chimera", "chimera2")}
    return tuple(with_overrides(SCENARIOS[name], overrides) for name in dict.fromkeys(names))


def _thresholds(read: _Reader) -> ThresholdTable:
    path = read.path("--thresholds")
    if path is None:
        text = (resources.files("harness.scenarios") / "thresholds.toml").read_text("utf-8")
        return parse_thresholds(text, "the built-in thresholds.toml")
    try:
        return parse_thresholds(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--thresholds {path} cannot be read: {error}") from error


def _rules(read: _Reader) -> ContentionRules:
    default = ContentionRules()
    ttft_s = read.real("--contention-ttft-s", 0.0)
    drop_pct = read.real("--contention-throughput-pct", 0.0)
    efficiency_pct = read.real("--contention-efficiency-pct", 0.0)
    return ContentionRules(
        ttft_s=default.ttft_s if ttft_s is None else ttft_s,
        throughput_drop_pct=default.throughput_drop_pct if drop_pct is None else drop_pct,
        efficiency_pct=default.efficiency_pct if efficiency_pct is None else efficiency_pct,
    )


def _instrument_limits(read: _Reader) -> InstrumentLimits:
    limits = InstrumentLimits()
    for text in read.texts("--instrument-limit"):
        name, equals, number = text.partition("=")
        value = _finite(float, number)
        if not equals or name not in INSTRUMENT_LIMITS or value is None or value < 0:
            raise ConfigurationError(
                f"--instrument-limit {text!r}: write NAME=NUMBER, for example ttft_ms=5; names: "
                f"{', '.join(INSTRUMENT_LIMITS)}"
            )
        limits = replace(limits, **{name: value})
    return limits


def _one_of(read: _Reader, flag: str, known: tuple[str, ...]) -> str | None:
    value = read.text(flag)
    if value is not None and value not in known:
        raise ConfigurationError(f"{flag} {value!r}: choose one of {', '.join(known)}")
    return value


def _selection(read: _Reader) -> Selection:
    flags = ("--collector-ollama-url", "--insight-ollama-url")
    given = tuple((flag, read.text(flag)) for flag in flags)
    selection = select(
        server=read.text("--server"),
        urls=tuple(checked_url(text, flag) if text else None for flag, text in given),
        program=read.text("--ollama-bin"),
        model=read.text("--model"),
    )
    ports, pins = read.text("--ports"), read.text("--pin")
    if selection.kind == "connect" and (ports or pins):
        raise ConfigurationError("--ports and --pin are for servers that we start; these are only connected to")
    return Selection(
        kind=selection.kind,
        reason=selection.reason,
        model=selection.model,
        urls=selection.urls,
        program=selection.program,
        ports=parse_ports(ports) if ports else selection.ports,
        free_ports=read.switch("--free-ports"),
        pull=read.switch("--pull"),
        pins=parse_pins(pins, usable_cpus()) if pins else (),
    )


def read_settings(option: Callable[[str], object]) -> Settings:
    """Checks all options; ``option`` gives the value of a flag.

    Raises:
        ConfigurationError: In one line, what is wrong and what to write instead.
    """
    read = _Reader(option)
    runs, seed = read.integer("--runs", 1), read.integer("--seed", 0)
    scenarios = _scenarios(read)
    return Settings(
        selection=_selection(read),
        scenarios=scenarios,
        runs=DEFAULT_RUNS if runs is None else runs,
        num_thread=read.integer("--num-thread", 0),
        num_predict=read.integer("--num-predict", 2),
        max_concurrent=read.integer("--max-concurrent", 1),
        deadline_s=read.real("--block-deadline", 0.1) or DEFAULT_DEADLINE_S,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        profile=_one_of(read, "--profile", tuple(PROFILES)),
        thresholds=_thresholds(read),
        overrides=tuple(parse_override(text, tuple(SCENARIOS)) for text in read.texts("--threshold")),
        rules=_rules(read),
        calibrate=not read.switch("--no-calibration"),
        instrument=_instrument_limits(read),
        inconclusive_fails=_one_of(read, "--inconclusive", ("pass", "fail")) == "fail",
        journal=read.path("--journal"),
        summary_json=read.path("--summary-json"),
    )
