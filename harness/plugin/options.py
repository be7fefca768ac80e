"""The command line: every option of ours, and the settings they make. All errors are one clear line."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from math import isfinite
from pathlib import Path
from typing import TypeVar

import pytest

from harness.judge import ContentionRules
from harness.records.errors import ConfigurationError
from harness.scenarios import (
    PROFILES,
    SCENARIOS,
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

DEFAULT_RUNS = 5
DEFAULT_DEADLINE_S = 300.0

# (flag, metavar or None for a switch, help). Values stay text here and are checked in one place, `read_settings`.
OPTIONS: tuple[tuple[str, str | None, str], ...] = (
    ("--scenario", "NAME", f"measure only this scenario; may be repeated. Known: {', '.join(SCENARIOS)}"),
    ("--runs", "N", f"measured blocks a scenario, the warm-up block not counted (default {DEFAULT_RUNS})"),
    (
        "--model",
        "NAME",
        "model (default gemma3:latest on Ollama); `embedded` is made on the spot, on real Ollama too",
    ),
    ("--pull", None, "pull the model if a server lacks it"),
    (
        "--server",
        "KIND",
        "ollama, embedded or connect (default: URLs given, else `ollama` on PATH, else embedded)",
    ),
    ("--collector-ollama-url", "URL", "server of the DataCollector; connect to it, never stop it"),
    ("--insight-ollama-url", "URL", "server of the Insight agent; connect to it, never stop it"),
    ("--ollama-bin", "PATH", "the `ollama` program to start servers with"),
    ("--ports", "P,P", "ports of started servers (default 11434,11435 for ollama, free ones for embedded)"),
    ("--free-ports", None, "take free ports where the wanted ones are in use"),
    ("--pin", "CPU,CPU", "pin started servers to CPUs: 0,1 or 0-3,4-7; 0,0 puts both on one"),
    (
        "--num-thread",
        "N",
        "num_thread of every request; 0 sends none (default: cores / servers without a GPU)",
    ),
    (
        "--num-predict",
        "N",
        "tokens each request generates (default by profile: 128 gpu, 64 cpu, 24 embedded)",
    ),
    ("--max-concurrent", "N", "slots of the coordinator's semaphore (default: one for each agent)"),
    ("--block-deadline", "S", f"seconds a block may take (default {DEFAULT_DEADLINE_S:g})"),
    ("--seed", "N", "seed of the order of arms and of sampling (default: random, and printed)"),
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
    (
        "--inconclusive",
        "pass|fail",
        "what an INCONCLUSIVE verdict does to its test (default pass, said loudly)",
    ),
    ("--journal", "FILE", "journal of all raw timings (default: a new file in .perf/)"),
    ("--summary-json", "FILE", "write the summary for programs"),
    ("--chimera-num-gpu", "N", "layers on the GPU, first tuned agent"),
    ("--chimera-num-ctx", "N", "context length"),
    ("--chimera-temperature", "T", "temperature"),
    ("--chimera-top-p", "P", "top_p"),
    ("--chimera-top-k", "K", "top_k"),
    ("--chimera-repeat-penalty", "R", "repeat_penalty"),
    ("--chimera2-num-gpu", "N", "the same for the second tuned agent"),
    ("--chimera2-num-ctx", "N", "context length"),
    ("--chimera2-temperature", "T", "temperature"),
    ("--chimera2-top-p", "P", "top_p"),
    ("--chimera2-top-k", "K", "top_k"),
    ("--chimera2-repeat-penalty", "R", "repeat_penalty"),
)
_REPEATED = ("--scenario", "--threshold")


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
    journal: Path | None
    summary_json: Path | None


def add_options(parser: pytest.Parser) -> None:
    """Registers every option in a group of its own."""
    group = parser.getgroup("concurrency", "concurrent LLM agents on Ollama servers")
    for flag, metavar, text in OPTIONS:
        if metavar is None:
            group.addoption(flag, action="store_true", default=False, help=text)
        else:
            action = "append" if flag in _REPEATED else "store"
            group.addoption(flag, action=action, default=None, metavar=metavar, help=text)


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
        try:
            value = kind(text)
            finite = isfinite(value)
        except (ValueError, OverflowError):
            raise ConfigurationError(f"{flag} must be {words}, got {text!r}") from None
        if not finite or value < least:
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
        inconclusive_fails=_one_of(read, "--inconclusive", ("pass", "fail")) == "fail",
        journal=read.path("--journal"),
        summary_json=read.path("--summary-json"),
    )
