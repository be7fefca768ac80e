"""The command line: every option of ours, and the settings they make. All errors are one clear line."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.plugin.compare import BaseChoice, BaselineChoice, read_base, read_baselines
from harness.plugin.extensions import Extensions
from harness.plugin.flags import DEFAULT_DEADLINE_S, PREFLIGHTS, STUDY_RUNS
from harness.plugin.server_options import read_selection
from harness.plugin.sweeping import SweepChoice
from harness.records.errors import ConfigurationError
from harness.report.outputs import checked_outputs
from harness.scenarios import (
    DEFAULT_MAX_RUNS,
    FIRST_LOOK,
    MOST_RUNS,
    PROFILES,
    Catalogue,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Override,
    RunnerOptions,
    Scenario,
    Stopping,
    Study,
    ThresholdTable,
    Workflow,
    parse_override,
    with_agents,
    with_overrides,
)
from harness.scenarios.options import Reader, finite, read_contention, read_instrument, read_rates
from harness.scenarios.presets import PRESETS, Preset
from harness.scenarios.reloads import fewest_reloads
from harness.scenarios.studies import PATTERN_STUDIES, study_kind
from harness.scenarios.sweeps import TR110_RUNS
from harness.servers.selection import Selection
from harness.store import read_journal, read_thresholds
from harness.store.sweeps import read_sweep


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked options of a session; None is "find out" or "default by profile".

    ``studied`` are the scenarios whose agents the studies use, by name; ``workflows`` what their agents do, by key.
    """

    selection: Selection
    scenarios: tuple[Scenario, ...]
    studies: tuple[Study, ...]
    studied: Mapping[str, Scenario]
    workflows: Mapping[str, Workflow]
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


def chosen_names(read: Reader) -> tuple[str, ...]:
    """Scenarios and studies that the user named; () leaves it to us."""
    return tuple(dict.fromkeys(read.texts("--scenario")))


def _names(read: Reader, known: Catalogue, fixed: Sequence[str]) -> tuple[str, ...]:
    """What is measured: what the user named, or else what is usual, and what tests name themselves."""
    named = chosen_names(read)
    for name in named:
        if not known.known(name):
            raise ConfigurationError(f"--scenario {name!r} is unknown; choose from: {known.names()}")
    return named or tuple(fixed) or known.usual


def _with_options(read: Reader, known: Catalogue) -> dict[str, Scenario]:
    """All scenarios, with as many agents and the options that were asked for."""
    overrides = {group: _runner_options(read, group) for group in ("chimera", "chimera2")}
    count = read.integer("--agents", 2)
    return {
        name: with_overrides(with_agents(each, count or len(each.agents)), overrides)
        for name, each in known.scenarios.items()
    }


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


def _overrides(read: Reader, known: Catalogue, sweep: SweepChoice | None) -> tuple[Override, ...]:
    names = (*known.scenarios, *(scenario.name for scenario in sweep.scenarios)) if sweep else tuple(known.scenarios)
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


def _stopping(read: Reader) -> Stopping:
    runs, most = read.integer("--runs", 1), read.integer("--max-runs", FIRST_LOOK)
    if runs is not None and most is not None:
        raise ConfigurationError("--runs measures exactly so many blocks, --max-runs at most: give one of them")
    if most is not None and most > MOST_RUNS:
        raise ConfigurationError(f"--max-runs must be at most {MOST_RUNS}, got {most}: --runs may be more")
    return Stopping(runs, fixed=True) if runs is not None else Stopping(most or DEFAULT_MAX_RUNS)


def read_settings(
    option: Callable[[str], object], extensions: Extensions | None = None, measured: Sequence[str] = ()
) -> Settings:
    """Checks all options; ``option`` gives the value of a flag.

    Args:
        option: The options.
        extensions: What is known; what this package brings if None.
        measured: Scenarios and studies that are measured where no option names any; () for the usual scenarios.

    Raises:
        ConfigurationError: In one line, what is wrong and what to write instead.
        JournalError: If a journal or baseline that is named cannot be read.
    """
    read, extended = Reader(option), extensions or Extensions()
    known = extended.catalogue
    seed = read.integer("--seed", 0)
    names, catalogue = _names(read, known, measured), _with_options(read, known)
    studies = tuple(study for name in names if (study := known.study(name)) is not None)
    sweep, resume = _sweep(read, catalogue), _path(read, "--resume")
    scenarios = sweep.scenarios if sweep else tuple(catalogue[name] for name in names if name in catalogue)
    agents = max(len(each.agents) for each in (*scenarios, *(catalogue[study.scenario] for study in studies)))
    patterns = any(study_kind(study.name) in PATTERN_STUDIES for study in studies)
    selection = read_selection(read, extended.kinds, agents, parallel=patterns)
    base, baselines = read_base(read, selection, extended.kinds), read_baselines(read)
    if sweep and (base or baselines):
        raise ConfigurationError("--sweep measures one configuration after the other: leave the --base options out")
    if base and studies:
        raise ConfigurationError(
            f"--scenario {studies[0].name}: a study compares its arms with each other: leave the --base options out"
        )
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
        scenarios=scenarios,
        sweep=sweep,
        studies=studies,
        studied=catalogue,
        workflows=known.workflows,
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
        thresholds=read_thresholds(_path(read, "--thresholds"), tuple(catalogue)).with_own(catalogue.values()),
        overrides=_overrides(read, known, sweep),
        rules=read_contention(read, ContentionRules()),
        calibrate=not read.switch("--no-calibration"),
        instrument=read_instrument(read, InstrumentLimits()),
        inconclusive_fails=read.one_of("--inconclusive", ("pass", "fail")) == "fail",
        journal=_path(read, "--journal"),
        resume=resume,
        sweep_csv=_path(read, "--sweep-csv"),
        outputs=checked_outputs(read.text),
    )
