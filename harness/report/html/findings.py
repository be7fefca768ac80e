"""The verdicts in words that a person can act on: what was found, why, and what to do next.

Nothing is claimed that an interval does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from harness.judge import Estimate, ScenarioSummary, Verdict, overall
from harness.judge.interference import strongest
from harness.judge.study import StudySummary
from harness.report.html.steps import next_steps, study_steps
from harness.report.interference import conclusion
from harness.report.judged import JudgedSession
from harness.report.study import study_answer
from harness.report.verdicts import change_line, gate_line, overlap_words
from harness.scenarios.studies import DUAL, PATTERN_STUDIES, STUDIES

MEANING: Final = {
    Verdict.PASS: "every limit was shown to be kept",
    Verdict.FAIL: "a limit was shown to be missed",
    Verdict.INCONCLUSIVE: "neither that all limits are kept nor that one is missed was shown: this is no pass",
    Verdict.INVALID: "the figures are not to be trusted, and nothing is said of the agents",
}
SIGNS: Final = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.INCONCLUSIVE: "?", Verdict.INVALID: "!"}
"""A sign for each verdict: its colour says nothing that this does not."""
_WORST_FIRST: Final = (Verdict.INVALID, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one scenario or study.

    Attributes:
        name: Whose.
        verdict: Its verdict; "STUDY" of a study.
        sign: A sign for it.
        meaning: What the verdict means.
        sentences: What was found, the most telling first.
        reasons: Lines of gates and comparisons that the verdict rests on.
        steps: What to do next.
    """

    name: str
    verdict: str
    sign: str
    meaning: str
    sentences: tuple[str, ...]
    reasons: tuple[str, ...]
    steps: tuple[str, ...]


def headline(judged: JudgedSession) -> tuple[str, str, str]:
    """The whole session's verdict, its sign, and how many scenarios have which."""
    verdicts = [scenario.verdict for scenario in judged.scenarios]
    if not verdicts:
        studies = len(judged.studies)
        said = f"{studies} {_plural('study', studies)}, no scenario" if studies else "nothing was measured"
        return ("STUDY", "i", said) if studies else ("EMPTY", "!", said)
    whole = overall(verdicts)
    counts = [f"{verdicts.count(each)} {each.value}" for each in _WORST_FIRST if each in verdicts]
    many = f"{len(verdicts)} {_plural('scenario', len(verdicts))}"
    if len(verdicts) == 1:
        return whole.value, SIGNS[whole], judged.scenarios[0].name
    return whole.value, SIGNS[whole], f"{many}: {', '.join(counts)}"


def _plural(word: str, count: int) -> str:
    if count == 1:
        return word
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def findings(judged: JudgedSession) -> list[Finding]:
    """A finding for each scenario, those that need somebody first, and then for each study."""
    ranked = sorted(judged.scenarios, key=lambda each: _WORST_FIRST.index(each.verdict))
    return [*(_scenario(each, judged) for each in ranked), *map(_study, judged.studies)]


def _scenario(scenario: ScenarioSummary, judged: JudgedSession) -> Finding:
    verdict = scenario.verdict
    gates = [gate for gate in scenario.gates if gate.verdict is verdict]
    changes = [change for change in scenario.changes if change.verdict is verdict or change.too_good]
    reasons = [*map(gate_line, gates), *map(change_line, changes)]
    if verdict is Verdict.PASS:
        reasons = [*map(gate_line, scenario.gates), *map(change_line, scenario.changes)]
    return Finding(
        name=scenario.name,
        verdict=verdict.value,
        sign=SIGNS[verdict],
        meaning=MEANING[verdict],
        sentences=tuple(_sentences(scenario, judged)),
        reasons=tuple(reasons),
        steps=tuple(next_steps(scenario, judged)),
    )


def _sentences(scenario: ScenarioSummary, judged: JudgedSession) -> list[str]:
    if not scenario.estimates:
        total = len(scenario.blocks) + len(scenario.invalid)
        return [f"{len(scenario.blocks)} of {total} blocks could be judged"]
    found = scenario.estimates
    said = [overlap_words(scenario) if scenario.overlap_only else _reached(scenario)]
    said.append(_gain(found["measured_speedup"]))
    said += [text for study in judged.studies if (text := pattern_words(study, scenario.name))]
    if scenario.interference and strongest(scenario.interference) is not None:
        said.append(conclusion(scenario.interference))
    if scenario.invalid:
        one = len(scenario.invalid) == 1
        blocks = "1 further block" if one else f"{len(scenario.invalid)} further blocks"
        said.append(f"{blocks} could not be judged and {'is' if one else 'are'} left out")
    return said


def _reached(scenario: ScenarioSummary) -> str:
    found = scenario.estimates["measured_efficiency_pct"]
    slow = ", ".join(f"{agent.role} {agent.slowdown:.2f}x its time alone" for agent in scenario.agents)
    span = "" if found.low is None or found.high is None else f" (95 % interval {found.low:.0f} to {found.high:.0f} %)"
    return f"against their solo baselines the agents reach {found.point:.0f} %{span} of perfect parallel work: {slow}"


def _gain(speedup: Estimate) -> str:
    """What running together gains over one after the other; only what its interval shows."""
    if speedup.low is None or speedup.high is None:
        return (
            f"one block: together took {1 / speedup.point:.2f} times as long as one after the other; nothing is shown"
        )
    span = f"{speedup.low:.2f} to {speedup.high:.2f}"
    if speedup.low > 1:
        return f"together they finish {speedup.point:.2f} times as fast as one after the other ({span})"
    if speedup.high < 1:
        return (
            f"together they are slower than one after the other: {1 / speedup.point:.2f} times as long "
            f"(speedup {speedup.point:.2f}, {span})"
        )
    return (
        f"together they were not shown to finish sooner than one after the other (speedup {speedup.point:.2f}, {span})"
    )


def pattern_words(study: StudySummary, scenario: str) -> str:
    """Which pattern beat a server for each agent, and by how much; empty where the study does not show it.

    Args:
        study: A study of the session.
        scenario: The scenario that it is told beside: the study's agents must be this scenario's.
    """
    known = STUDIES.get(study.name)
    if study.name not in PATTERN_STUDIES or known is None or known.scenario != scenario or study.ranking is None:
        return ""
    ranking = study.ranking
    if ranking.winner == DUAL:
        return f"no other pattern was as fast as a server for each agent (study {study.name})"
    dual = ranking.ratios.get(DUAL)
    if dual is None or dual.low is None or dual.high is None or DUAL in ranking.ties:
        return ""
    others = f", and cannot be told from {', '.join(ranking.ties)}" if ranking.ties else ""
    return (
        f"the {ranking.fastest} pattern was {dual.point:.1f} times faster than a server for each agent "
        f"({dual.low:.2f} to {dual.high:.2f}; study {study.name}){others}"
    )


def _study(study: StudySummary) -> Finding:
    blocks = f"{study.blocks} blocks" + (f", {len(study.invalid)} invalid" if study.invalid else "")
    return Finding(
        name=study.name,
        verdict="NOTHING SAID" if study.unsaid else "STUDY",
        sign="!" if study.unsaid else "i",
        meaning=f"{study.title}? ({blocks})",
        sentences=(study_answer(study),),
        reasons=_invalid(study),
        steps=tuple(study_steps(study)),
    )


def _invalid(study: StudySummary) -> tuple[str, ...]:
    lines = (f"block {index}: {'; '.join(why)}" for index, why in study.invalid.items())
    return tuple(lines) if study.unsaid else ()
