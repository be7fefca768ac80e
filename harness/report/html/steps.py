"""What to do next: the step that a verdict and its largest loss ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.judge import ScenarioSummary, Verdict
from harness.judge.study import StudySummary
from harness.report.judged import JudgedSession
from harness.scenarios.studies import MITIGATION, PATTERN_STUDIES, STUDIES
from harness.scenarios.terms import MOST_RUNS

_REMEDIES: Final[Mapping[str, str]] = {
    "contention_queue": "is spent waiting for a slot: give each agent its own server, or raise OLLAMA_NUM_PARALLEL",
    "contention_prefill": "is lost while prompts are read: shorten them, or start the agents apart (--stagger S)",
    "contention_decode": "is lost while tokens are made: the servers share what makes them (GPU, memory bandwidth, "
    "cores); one server with a slot for each agent, or one agent after the other, may finish sooner",
    "contention_unattributed": "is lost where the servers' own figures tell nothing: look at the timeline, and at what "
    "else runs between client and server",
    "load": "goes into loading models: send the same num_ctx and num_gpu from all agents of a server, and see that "
    "memory holds all models",
    "orchestration_stagger": "is the staggered start that was asked for",
    "orchestration_wait": "is spent waiting for the coordinator: raise --max-concurrent",
    "orchestration_client": "is spent between requests: it is the agents' own work, no server's",
    "orchestration_join": "is spent after the last agent's end: this process is too busy",
    "imbalance_inherent": "is one agent waiting for the other, whose work is longer alone, too: share it out; no "
    "server's setting helps",
    "imbalance_induced": "is one agent waiting for the other, that was slowed down more: look at who slows whom",
}
"""By the largest loss."""
_TOLD = 3


def next_steps(scenario: ScenarioSummary, judged: JudgedSession) -> list[str]:
    """What to do about a scenario's verdict; [] if nothing needs to be done."""
    if scenario.verdict is Verdict.FAIL:
        return _after_fail(scenario, judged)
    if scenario.verdict is Verdict.INCONCLUSIVE:
        return _after_inconclusive(scenario, judged)
    return _after_invalid(scenario) if scenario.verdict is Verdict.INVALID else []


def _largest_loss(scenario: ScenarioSummary) -> str | None:
    loss = scenario.loss
    if loss is None:
        return None
    most = max(_REMEDIES, key=lambda term: float(getattr(loss, term)))
    return most if getattr(loss, most) > 0.01 else None  # noqa: PLR2004 - a hundredth is worth a step


def _after_fail(scenario: ScenarioSummary, judged: JudgedSession) -> list[str]:
    steps = []
    if any(gate.verdict is Verdict.FAIL for gate in scenario.gates):
        term = _largest_loss(scenario)
        steps += [f"{100 * getattr(scenario.loss, term):.0f} % of the time {_REMEDIES[term]}"] if term else []
        names = {study.name for study in judged.studies}
        studies = [name for name in PATTERN_STUDIES if STUDIES[name].scenario == scenario.name]
        if studies and not names.intersection(studies):
            steps.append(f"see which pattern is faster here: pytest perf --scenario {studies[0]}")
        if MITIGATION + scenario.name not in names:
            steps.append("try the guide's remedies, and see what each buys: pytest perf --mitigate")
    failed = [change for change in scenario.changes if change.verdict is Verdict.FAIL]
    if failed:
        against = " and ".join(dict.fromkeys(change.against for change in failed))
        steps.append(f"it is worse than {against}: see the losses for where the time went, and what changed since")
    return steps


def _after_inconclusive(scenario: ScenarioSummary, judged: JudgedSession) -> list[str]:
    steps = []
    if not scenario.gates and not scenario.changes:
        return ["no limit holds for this scenario: set one with --threshold METRIC=NUMBER"]
    open_gates = [gate for gate in scenario.gates if gate.verdict is Verdict.INCONCLUSIVE]
    pairs = [change for change in scenario.changes if change.verdict is Verdict.INCONCLUSIVE]
    if open_gates or any(change.against == "base" for change in pairs):
        more = min(MOST_RUNS, 2 * judged.stopping.runs)
        flag = "--runs" if judged.stopping.fixed else "--max-runs"
        steps.append(f"measure more blocks: {flag} {more}, on a host that does nothing else")
    if any(change.against != "base" for change in pairs):
        steps.append("save more sessions to the baseline (--baseline-save): its sessions are the units")
    return [*steps, "a release must not pass undecided: --inconclusive=fail makes this red"]


def _after_invalid(scenario: ScenarioSummary) -> list[str]:
    every = dict.fromkeys(reason for reasons in scenario.invalid.values() for reason in reasons)
    told = list(every)[:_TOLD]
    more = f" (and {len(every) - len(told)} more: see the invalid blocks)" if len(every) > len(told) else ""
    steps = [f"mend this, and measure again: {'; '.join(told)}{more}"] if told else []
    reasons = [change.reason for change in scenario.changes if change.verdict is Verdict.INVALID]
    return [*steps, *(reason for reason in dict.fromkeys(reasons) if reason)] or ["measure again"]


def study_steps(study: StudySummary) -> list[str]:
    """What to do about a study that says nothing."""
    if not study.unsaid:
        return []
    return ["measure it again with more blocks: --runs 8"] if not study.invalid else ["mend that, and measure it again"]
