"""The command line: every option of ours, and the settings they make. All errors are one clear line."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.plugin.compare import BaseChoice, BaselineChoice, read_base, read_baselines
from harness.plugin.flags import DEFAULT_DEADLINE_S
from harness.records.errors import ConfigurationError
from harness.scenarios import (
    DEFAULT_MAX_RUNS,
    FIRST_LOOK,
    MOST_RUNS,
    PROFILES,
    SCENARIOS,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Override,
    RunnerOptions,
    Scenario,
    Stopping,
    ThresholdTable,
    parse_override,
    with_overrides,
)
from harness.scenarios.options import Reader, read_contention, read_instrument, read_rates
from harness.servers.host import usable_cpus
from harness.servers.selection import Selection, checked_url, parse_pins, parse_ports, select
from harness.store import read_thresholds


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options of a session; None is "find out" or "default by profile"."""

    selection: Selection
    scenarios: tuple[Scenario, ...]
    stopping: Stopping
    rates: ErrorRates
    base: BaseChoice | None
    baselines: BaselineChoice | None
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


def _path(read: Reader, flag: str) -> Path | None:
    text = read.text(flag)
    return Path(text) if text else None


def _runner_options(read: Reader, group: str) -> RunnerOptions:
    return RunnerOptions(
        num_gpu=read.integer(f"--{group}-num-gpu", -1),
        num_ctx=read.integer(f"--{group}-num-ctx", 64),
        temperature=read.real(f"--{group}-temperature", 0.0),
        top_p=read.real(f"--{group}-top-p", 0.0),
        top_k=read.integer(f"--{group}-top-k", 0),
        repeat_penalty=read.real(f"--{group}-repeat-penalty", 0.0),
    )


def _scenarios(read: Reader) -> tuple[Scenario, ...]:
    names = read.texts("--scenario") or tuple(SCENARIOS)
    for name in names:
        if name not in SCENARIOS:
            raise ConfigurationError(f"--scenario {name!r} is unknown; choose from: {', '.join(SCENARIOS)}")
    overrides = {group: _runner_options(read, group) for group in ("chimera", "chimera2")}
    return tuple(with_overrides(SCENARIOS[name], overrides) for name in dict.fromkeys(names))


def _selection(read: Reader) -> Selection:
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


def _stopping(read: Reader) -> Stopping:
    runs, most = read.integer("--runs", 1), read.integer("--max-runs", FIRST_LOOK)
    if runs is not None and most is not None:
        raise ConfigurationError("--runs measures exactly so many blocks, --max-runs at most: give one of them")
    if most is not None and most > MOST_RUNS:
        raise ConfigurationError(f"--max-runs must be at most {MOST_RUNS}, got {most}: --runs may be more")
    return Stopping(runs, fixed=True) if runs is not None else Stopping(most or DEFAULT_MAX_RUNS)


def read_settings(option: Callable[[str], object]) -> Settings:
    """Checks all options; ``option`` gives the value of a flag.

    Raises:
        ConfigurationError: In one line, what is wrong and what to write instead.
    """
    read = Reader(option)
    seed = read.integer("--seed", 0)
    selection = _selection(read)
    base, baselines = read_base(read, selection), read_baselines(read)
    if base and baselines and baselines.save:
        raise ConfigurationError("--baseline-save is for sessions without a base: leave the --base options out")
    return Settings(
        selection=selection,
        scenarios=_scenarios(read),
        stopping=_stopping(read),
        rates=read_rates(read, ErrorRates()),
        base=base,
        baselines=baselines,
        num_thread=read.integer("--num-thread", 0),
        num_predict=read.integer("--num-predict", 2),
        max_concurrent=read.integer("--max-concurrent", 1),
        deadline_s=read.real("--block-deadline", 0.1) or DEFAULT_DEADLINE_S,
        seed=secrets.randbelow(2**31) if seed is None else seed,
        profile=read.one_of("--profile", tuple(PROFILES)),
        thresholds=read_thresholds(_path(read, "--thresholds")),
        overrides=tuple(parse_override(text, tuple(SCENARIOS)) for text in read.texts("--threshold")),
        rules=read_contention(read, ContentionRules()),
        calibrate=not read.switch("--no-calibration"),
        instrument=read_instrument(read, InstrumentLimits()),
        inconclusive_fails=read.one_of("--inconclusive", ("pass", "fail")) == "fail",
        journal=_path(read, "--journal"),
        summary_json=_path(read, "--summary-json"),
    )
