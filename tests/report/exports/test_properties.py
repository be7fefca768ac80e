"""Properties for JUnit's XML: verdict, figures and reasons as texts that XML can hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import Verdict
from harness.judge.study import StudySummary
from harness.report.exports.properties import (
    Property,
    scenario_properties,
    session_properties,
    study_properties,
)
from tests.report.exports.sessions import GOOD, HOSTILE, SESSIONS


def all_of(name: str) -> list[Property]:
    """Every property of a session."""
    judged = SESSIONS[name]
    found = [*session_properties(judged.session, judged.journal)]
    for scenario in judged.scenarios:
        found += scenario_properties(scenario, judged.journal)
    for study in judged.studies:
        found += study_properties(study, judged.journal)
    return found


@pytest.mark.parametrize("name", SESSIONS)
def test_every_property_is_a_text_that_xml_can_hold(name: str) -> None:
    """Printable names and values, whatever a model or a server was called."""
    found = all_of(name)
    assert found
    assert all(part.isprintable() and HOSTILE not in part for each in found for part in each)


def test_a_scenario_tells_its_figures_with_intervals_and_its_gates() -> None:
    """Numbers that can be read back to the last digit, an agent's with its role, gates in words."""
    (scenario,) = GOOD.scenarios
    found = dict(scenario_properties(scenario, GOOD.journal))
    estimate = scenario.estimates["measured_efficiency_pct"]
    assert (found["verdict"], found["blocks"], found["journal"]) == ("PASS", "5", "/journals/j.jsonl")
    ends = [float(found[f"measured_efficiency_pct{end}"]) for end in ("", "_low", "_high")]
    assert ends == [estimate.point, estimate.low, estimate.high]
    assert len(set(ends)) == 3
    assert float(found["A.ttft_ms"]) == 100.0
    assert found["gate.measured_speedup"].startswith("PASS: measured speedup 1.96x")


def test_an_invalid_scenario_has_reasons_and_no_figures() -> None:
    """Nothing that is not to be trusted stands among the numbers."""
    (scenario,) = SESSIONS["odd"].scenarios
    (invalid,) = SESSIONS["invalid"].scenarios
    assert "deadline" in dict(scenario_properties(scenario, ""))["invalid_block.2"]
    found = dict(scenario_properties(invalid, ""))
    assert found["verdict"] == "INVALID"
    assert not any(name.startswith(("measured", "gate")) for name in found)
    incomparable = replace(GOOD.scenarios[0], verdict=Verdict.INVALID)
    assert not any(name.startswith("measured") for name, _ in scenario_properties(incomparable, ""))


def test_a_session_tells_what_it_measured_with_what() -> None:
    """Model, servers, profile, seed, instrument and the base."""
    found = dict(session_properties(SESSIONS["compared"].session, "/j.jsonl"))
    assert found["model"] == "embedded"
    assert found["server_2"] == "embedded 0.1 at http://127.0.0.1:2"
    assert (found["base_model"], found["seed"], found["profile"]) == ("other-model", "7", "embedded")
    assert found["instrument"].startswith("instrument: TTFT")


def test_a_study_tells_its_answer_and_who_won() -> None:
    """The first line of its report, the arm that was shown to be first, and how long each took."""
    (study,) = SESSIONS["study"].studies
    found = dict(study_properties(study, "/j.jsonl"))
    assert found["answer"].startswith("patterns: dual finishes the work first")
    assert (found["winner"], found["blocks"]) == ("dual", "4")
    assert float(found["single.wall_s"]) == pytest.approx(2.1)
    assert dict(study_properties(StudySummary("s", "t", "nothing was measured"), ""))["blocks"] == "0"
