"""What to do next."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from harness.judge import Verdict
from harness.judge.loss import Loss
from harness.report.html.steps import _REMEDIES, next_steps
from harness.scenarios import Stopping
from harness.testing import build_session
from tests.report.html.sessions import blocks, every_verdict, judged, terms

SESSION = every_verdict()
FAILED = next(scenario for scenario in SESSION.scenarios if scenario.name == "chimera_homo")


def loss(**terms: float) -> Loss:
    """Where nothing was lost but this."""
    return Loss(**{field.name: terms.get(field.name, 0.0) for field in fields(Loss)})


@pytest.mark.parametrize("term", _REMEDIES)
def test_the_largest_loss_has_a_remedy(term: str) -> None:
    """Its share is said with it."""
    steps = next_steps(replace(FAILED, loss=loss(**{term: 0.3, "load": 0.1} | {term: 0.3})), SESSION)
    assert steps[0] == f"30 % of the time {_REMEDIES[term]}"


def test_every_term_of_a_loss_is_known() -> None:
    """But for what is useful and the sums."""
    sums = {"useful", "contention", "orchestration", "imbalance"}
    assert set(_REMEDIES) == {field.name for field in fields(Loss)} - sums


def test_a_study_is_suggested_until_it_was_made() -> None:
    """The patterns, and the ladder of remedies."""
    alone = judged(build_session(), {"chimera_homo": blocks("chimera_homo", 2.4, 6)})
    before, after = (next_steps(FAILED, session) for session in (alone, SESSION))
    assert "see which pattern is faster here: pytest perf --scenario patterns" in before
    assert not any("patterns" in step for step in after)
    assert any("--mitigate" in step for step in after)


def test_a_worse_candidate_is_not_sent_to_the_patterns() -> None:
    """Its gates passed: what changed is the question."""
    scenario = next(scenario for scenario in SESSION.scenarios if scenario.name == "with_base")
    (step,) = next_steps(scenario, SESSION)
    assert step.startswith("it is worse than base")


def test_undecided_asks_for_more_blocks() -> None:
    """By the option that was used, up to what the levels know."""
    scenario = next(scenario for scenario in SESSION.scenarios if scenario.verdict is Verdict.INCONCLUSIVE)
    assert "--runs 12" in next_steps(scenario, SESSION)[0]
    assert "--max-runs 60" in next_steps(scenario, replace(SESSION, stopping=Stopping(40)))[0]


def test_a_scenario_without_limits_asks_for_one() -> None:
    """Nothing else could decide it."""
    free = judged(build_session(), {"s": blocks("s", 1.0, 3)}, by_terms={"s": terms(3, limits=())})
    assert "--threshold" in next_steps(free.scenarios[0], free)[0]


def test_invalid_says_what_to_mend_once() -> None:
    """The same reason in every block is one step."""
    scenario = SESSION.scenarios[-1]
    assert next_steps(scenario, SESSION) == ["mend this, and measure again: the server died"]
    many = replace(scenario, invalid={index: (f"reason {index}",) for index in range(5)})
    (step,) = next_steps(many, SESSION)
    assert step.endswith("reason 0; reason 1; reason 2 (and 2 more: see the invalid blocks)")


def test_nothing_is_to_be_done_about_a_pass() -> None:
    """No step."""
    assert next_steps(SESSION.scenarios[0], SESSION) == []
