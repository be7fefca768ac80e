"""The command line: every option of ours, and the settings they make. All errors are one clear line."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.plugin.compare import BaseChoice, BaselineChoice, read_base, read_baselines
from harness.plugin.flags import DEFAULT_DEADLINE_S, PREFLIGHTS, STUDY_RUNS
from harness.plugin.sweeping import SweepChoice
from harness.records.errors import ConfigurationError
from harness.scenarios import (
    DEFAULT_MAX_RUNS,
    FIRST_LOOK,
    MOST_RUNS,
    PROFILES,
    SCENARIOS,
    STUDIES,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Override,
    RunnerOptions,
    Scenario,
    Stopping,
    Study,
    ThresholdTable,
    parse_override,
    with_agents,
    with_overrides,
)
from harness.scenarios.options import OUTPUT_OPTIONS, Reader, finite, read_contention, read_instrument, read_rates
from harness.scenarios.presets import PRESETS, Preset
from harness.scenarios.reloads import fewest_reloads
from harness.scenarios.studies import PATTERN_STUDIES
from harness.scenarios.sweeps import TR110_RUNS
from harness.servers.host import usable_cpus
from harness.servers.selection import DEFAULT_PORTS, Selection, checked_url, parse_pins, parse_ports, select
from harness.store import read_journal, read_thresholds
from harness.store.sweeps import read_sweep

DEFAULT_AGENTS = 2


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options of a session; None is "find out" or "default by profile".

    ``studied`` are the scenarios whose agents the studies use, by name.
    """

    selection: Selection
    scenarios: tuple[Scenario, ...]
    studies: tuple[Study, ...]
    studied: Mapping[str, Scenario]
    sweep: SweepChoice | None
    stopping: Stopping
    study_runs: int
    stagger_s: float
    padding: Mapping[str, int]
    preset: Preset | None
    preflight: str
    mitigate: bool
    sample: bool
    live: bool
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
    resume: Path | None
    sweep_csv: Path | None
    outputs: Mapping[str, Path]


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


def _names(read: Reader) -> tuple[str, ...]:
    known = (*SCENARIOS, *STUDIES)
    names = read.texts("--scenario") or tuple(SCENARIOS)
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--scenario {name!r} is unknown; choose from: {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _catalogue(read: Reader) -> dict[str, Scenario]:
    """All scenarios, with as many agents and the options that were asked for."""
    overrides = {group: _runner_options(read, group) for group in ("chimera", "chimera2")}
    count = read.integer("--agents", 2) or DEFAULT_AGENTS
    return {name: with_overrides(with_agents(each, count), overrides) for name, each in SCENARIOS.items()}


def _preset(read: Reader) -> Preset | None:
    name = read.one_of("--preset", tuple(PRESETS))
    return PRESETS[name] if name else None


def _sweep(read: Reader, catalogue: Mapping[str, Scenario]) -> SweepChoice | None:
    """The sweep that was asked for, or None."""
    texts, passes = read.texts("--sweep"), read.integer("--passes", 1)
    if not texts:
        if passes is not None:
            raise ConfigurationError("--passes is for --sweep: a scenario's blocks are measured together")
        return None
    if read.texts("--scenario"):
        raise ConfigurationError("--sweep names the scenarios itself: leave --scenario out")
    if read.text("--max-runs"):
        raise ConfigurationError("--sweep measures as many blocks of every cell: give --runs in place of --max-runs")
    sweep = read_sweep(texts, catalogue)
    runs = read.integer("--runs", 1) or sweep.runs or TR110_RUNS
    return SweepChoice(sweep, fewest_reloads(sweep.cells), runs, passes or sweep.passes or 1)


def _overrides(read: Reader, sweep: SweepChoice | None) -> tuple[Override, ...]:
    names = (*SCENARIOS, *(scenario.name for scenario in sweep.scenarios)) if sweep else tuple(SCENARIOS)
    return tuple(parse_override(text, names) for text in read.texts("--threshold"))


def _padding(read: Reader, catalogue: Mapping[str, Scenario]) -> dict[str, int]:
    """Words before each prompt, by role."""
    roles = list(dict.fromkeys(agent.role for scenario in catalogue.values() for agent in scenario.agents))
    found = {}
    for text in read.texts("--prompt-words"):
        role, _, number = text.partition("=")
        words = finite(int, number)
        if role not in roles or words is None or words < 0:
            raise ConfigurationError(
                f"--prompt-words {text!r}: write ROLE=NUMBER, for example {roles[0]}=200; roles: {', '.join(roles)}"
            )
        found[role] = words
    return found


def _urls(read: Reader) -> tuple[str | None, ...]:
    """The agents' servers as given; None where one of a pair is missing."""
    flags = ("--collector-ollama-url", "--insight-ollama-url")
    given = tuple((flag, read.text(flag)) for flag in flags)
    several = read.texts("--url")
    if several and any(text for _, text in given):
        raise ConfigurationError("--url names all servers: leave --collector-ollama-url and --insight-ollama-url out")
    found = tuple(checked_url(text, "--url") for text in several)
    if len(set(found)) < len(found):
        raise ConfigurationError("--url names a server twice: agents are dealt out to servers in turn, name each once")
    return found or tuple(checked_url(text, flag) if text else None for flag, text in given)


def _selection(read: Reader, agents: int, *, parallel: bool) -> Selection:
    """The servers of so many agents; ``parallel``: one more that works on a request of each at once."""
    urls = _urls(read)
    count = read.integer("--servers", 1)
    if count is not None and any(urls):
        raise ConfigurationError("--servers is a number of servers to start; these are only connected to")
    selection = select(
        server=read.text("--server"),
        urls=urls,
        program=read.text("--ollama-bin"),
        model=read.text("--model"),
        count=count or len(DEFAULT_PORTS),
    )
    if selection.count > agents:
        raise ConfigurationError(
            f"{'--url' if any(urls) else '--servers'}: {selection.count} servers for {agents} agents would leave some "
            f"idle: name at most {agents}, or give --agents {selection.count}"
        )
    ports, pins, one_more = read.text("--ports"), read.text("--pin"), read.text("--parallel-url")
    if selection.kind == "connect" and (ports or pins):
        raise ConfigurationError("--ports and --pin are for servers that we start; these are only connected to")
    if one_more and selection.kind != "connect":
        raise ConfigurationError("--parallel-url is a server to connect to: these are started, and that one too")
    more = checked_url(one_more, "--parallel-url") if one_more else None
    if more in selection.urls:
        raise ConfigurationError("--parallel-url names a server of the agents: it has to be one more")
    parallel = parallel and (selection.kind != "connect" or more is not None)
    return replace(
        selection,
        ports=parse_ports(ports, selection.count) if ports else selection.ports,
        free_ports=read.switch("--free-ports"),
        pull=read.switch("--pull"),
        pins=parse_pins(pins, usable_cpus(), selection.count) if pins else (),
        parallel=agents if parallel else None,
        parallel_url=more if parallel else None,
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
        JournalError: If a journal or baseline that is named cannot be read.
    """
    read = Reader(option)
    seed = read.integer("--seed", 0)
    names, catalogue = _names(read), _catalogue(read)
    studies = tuple(STUDIES[name] for name in names if name in STUDIES)
    agents = max(len(scenario.agents) for scenario in catalogue.values())
    patterns = any(study.name in PATTERN_STUDIES for study in studies)
    selection = _selection(read, agents, parallel=patterns)
    base, baselines = read_base(read, selection), read_baselines(read)
    sweep, resume = _sweep(read, catalogue), _path(read, "--resume")
    if sweep and (base or baselines):
        raise ConfigurationError("--sweep measures one configuration after the other: leave the --base options out")
    if resume and base:
        raise ConfigurationError("--resume goes on with sessions that have no base: begin a new one")
    if resume and read.text("--journal"):
        raise ConfigurationError("--resume appends to the journal that it names: leave --journal out")
    if resume and seed is None:
        seed = read_journal(resume).session.seed
    if base and baselines and baselines.save:
        raise ConfigurationError("--baseline-save is for sessions without a base: leave the --base options out")
    return Settings(
        selection=selection,
        scenarios=sweep.scenarios if sweep else tuple(catalogue[name] for name in names if name in catalogue),
        sweep=sweep,
        studies=studies,
        studied=catalogue,
        stopping=Stopping(sweep.runs, fixed=True) if sweep else _stopping(read),
        study_runs=read.integer("--runs", 1) or STUDY_RUNS,
        stagger_s=read.real("--stagger", 0.0) or 0.0,
        padding=_padding(read, catalogue),
        preset=_preset(read),
        preflight=read.one_of("--preflight", PREFLIGHTS) or PREFLIGHTS[0],
        mitigate=read.switch("--mitigate"),
        sample=not read.switch("--no-sampling"),
        live=not read.switch("--no-live"),
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
        overrides=_overrides(read, sweep),
        rules=read_contention(read, ContentionRules()),
        calibrate=not read.switch("--no-calibration"),
        instrument=read_instrument(read, InstrumentLimits()),
        inconclusive_fails=read.one_of("--inconclusive", ("pass", "fail")) == "fail",
        journal=_path(read, "--journal"),
        resume=resume,
        sweep_csv=_path(read, "--sweep-csv"),
        outputs={flag: path for flag, _ in OUTPUT_OPTIONS if (path := _path(read, flag)) is not None},
    )
