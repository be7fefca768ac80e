"""What a session is compared with: a base measured beside the candidate, and stored baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.judge import COMPARED, COMPARED_BY_DEFAULT, SELF_NORMALISED
from harness.judge.baseline import FEWEST_SESSIONS
from harness.records import Session
from harness.records.errors import ConfigurationError
from harness.scenarios import ChangeRules, StoredBaseline
from harness.scenarios.options import Reader, finite, read_change
from harness.servers.kinds import KINDS, OLLAMA, ServerKind
from harness.servers.selection import CONNECT, Selection, checked_url, select
from harness.store.baselines import baseline_path, ensure_savable, ratios_of, read_baseline
from harness.store.fingerprint import fingerprint, require_same_environment


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """The base that candidate blocks are paired with.

    Attributes:
        selection: Its servers; None for the candidate's own, which then load another model or other options.
        model: Its model; None for the candidate's.
        options: Ollama options of its requests, over those of the scenario.
        rules: What is compared, and how much worse the candidate may be.
    """

    selection: Selection | None
    model: str | None
    options: dict[str, float]
    rules: ChangeRules


@dataclass(frozen=True, slots=True)
class BaselineChoice:
    """Stored baselines of a session.

    Attributes:
        folder: Where they are.
        save: The one that this session is added to, or None.
        compare: The one that it is compared with, or None.
        allow: Facts of the environment that may differ.
        rules: What is compared, and how much worse the session may be.
    """

    folder: Path
    save: str | None
    compare: str | None
    allow: tuple[str, ...]
    rules: ChangeRules


def _option(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    value = finite(float, number)
    if not equals or not name.strip() or value is None:
        raise ConfigurationError(f"--base-option {text!r}: write NAME=NUMBER, for example num_ctx=4096")
    return name.strip(), value


def _base_servers(read: Reader, candidate: Selection, kinds: Mapping[str, ServerKind]) -> Selection | None:
    """The base's own servers, or None."""
    flags = ("--base-url1", "--base-url2")
    urls = tuple(read.text(flag) for flag in flags)
    program, server = read.text("--base-ollama-bin"), read.one_of("--base-server", tuple(kinds))
    if any(urls) and not all(urls):
        raise ConfigurationError("give both --base-url1 and --base-url2, or neither")
    if any(urls) and (program or server):
        raise ConfigurationError("--base-url1 and --base-url2 are servers that run: leave out what starts others")
    if any(urls) and candidate.count != len(urls):
        raise ConfigurationError(
            f"--base-url1 and --base-url2 are two servers, the candidate has {candidate.count}: a base has as many"
        )
    if program and server not in (None, OLLAMA.name):
        raise ConfigurationError(f"--base-ollama-bin starts real Ollama servers: leave out --base-server {server}")
    if not any(urls) and not program and not server:
        return None
    model = read.text("--base-model") or (None if server is not None and kinds[server].only_model else candidate.model)
    found = select(
        server=CONNECT if any(urls) else server or OLLAMA.name,
        urls=tuple(checked_url(url, flag) if url else None for url, flag in zip(urls, flags, strict=True)),
        program=program,
        model=model,
        count=candidate.count,
        kinds=kinds,
    )
    return Selection(
        kind=found.kind,
        reason="the base",
        model=found.model,
        urls=found.urls,
        program=found.program,
        pull=candidate.pull,
        pins=candidate.pins if found.kind != CONNECT else (),
        count=found.count,
        starts=found.starts,
    )


def read_base(read: Reader, candidate: Selection, kinds: Mapping[str, ServerKind] = KINDS) -> BaseChoice | None:
    """The base that was asked for, or None.

    Raises:
        ConfigurationError: If its options contradict each other.
    """
    metrics = tuple(dict.fromkeys(read.texts("--compare"))) or COMPARED_BY_DEFAULT
    for metric in metrics:
        if metric not in COMPARED:
            raise ConfigurationError(f"--compare {metric!r} is unknown; choose from: {', '.join(COMPARED)}")
    selection = _base_servers(read, candidate, kinds)
    model = read.text("--base-model")
    options = dict(_option(text) for text in read.texts("--base-option"))
    if selection is None and model is None and not options:
        if read.texts("--compare"):
            raise ConfigurationError(
                "--compare needs a base: give --base-url1 and --base-url2, --base-ollama-bin, --base-server, "
                "--base-model or --base-option"
            )
        return None
    return BaseChoice(selection, model, options, read_change(read, ChangeRules(metrics)))


def read_baselines(read: Reader) -> BaselineChoice | None:
    """The stored baselines that were asked for, or None.

    Raises:
        HarnessError: If the one to compare with is not there or damaged, or a name is no plain word.
    """
    save, compare = read.text("--baseline-save"), read.text("--baseline")
    if not compare and read.texts("--baseline-allow"):
        raise ConfigurationError("--baseline-allow needs --baseline NAME")
    if not save and not compare:
        return None
    folder = Path(read.text("--baseline-dir") or "perf/baselines")
    if save:
        baseline_path(folder, save)
    if compare:
        read_baseline(folder, compare)
    allow = tuple(name for text in read.texts("--baseline-allow") for name in text.split(","))
    return BaselineChoice(folder, save, compare, allow, read_change(read, ChangeRules(SELF_NORMALISED)))


def stored_baselines(
    choice: BaselineChoice | None, session: Session, say: Callable[[str], None]
) -> dict[str, StoredBaseline]:
    """What the baseline to compare with says of each scenario; and whether this session could be saved.

    Raises:
        HarnessError: If the baseline is not there, is damaged, or is of another environment.
    """
    if choice is None:
        return {}
    facts = fingerprint(session)
    if choice.save is not None:
        ensure_savable(choice.folder, choice.save, facts)
    if choice.compare is None:
        return {}
    baseline = read_baseline(choice.folder, choice.compare)
    for each in require_same_environment(baseline, facts, choice.allow):
        say(f"  baseline {baseline.name}: {each.name} differs, as allowed: stored {each.stored}, now {each.now}")
    found = {}
    for name in session.options:
        stored = ratios_of(baseline, name)
        ratios = {metric: stored[metric] for metric in choice.rules.metrics if metric in stored}
        if not ratios:
            say(f"  baseline {baseline.name} has no session of {name}: it is not compared")
            continue
        fewest = min(map(len, ratios.values()))
        if fewest < FEWEST_SESSIONS:
            raise ConfigurationError(
                f"baseline {baseline.name!r} has {fewest} session of {name}: how much sessions differ is not known; "
                f"save at least {FEWEST_SESSIONS}, better 8, with --baseline-save {baseline.name}"
            )
        found[name] = StoredBaseline(baseline.name, ratios, choice.rules)
    return found
