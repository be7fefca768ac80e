"""The summary for programs: its keys are a contract, so each is written down here once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.judge import ScenarioSummary
from harness.report import SUMMARY_FORMAT, JudgedSession, session_summary, summary_text
from harness.scenarios import Stopping
from harness.testing import build_session
from tests.report.scenarios import GOOD, INVALID, OVERLAPPING, UNDECIDED, blocks, compared, judged

FIGURES = {
    "guide_efficiency_pct",
    "guide_speedup",
    "measured_efficiency_pct",
    "measured_speedup",
    "efficiency_bound_pct",
    "slowdown",
    "ttft_ratio",
    "fairness",
    "contention_rate",
    "aggregate_tok_s",
    "concurrent_wall_s",
    "sequential_estimate_s",
    "sequential_measured_s",
    "ttft_delta_ms",
    "ttft_delta_signed_ms",
    "throughput_delta_tok_s",
    "throughput_delta_signed_tok_s",
}
SESSION = {
    "format",
    "server",
    "model",
    "profile",
    "seed",
    "stopping",
    "calibration",
    "base",
    "journal",
    "scenarios",
    "studies",
}
SCENARIO = FIGURES | {
    "interference",
    "resources",
    "changes",
    "loss",
    "ledgers",
    "verdict",
    "blocks",
    "intervals",
    "overlap_only",
    "agents",
    "gates",
    "symptoms",
    "invalid_blocks",
}
ARM = {
    "ttft_ms",
    "end_to_end_ms",
    "tpot_ms",
    "itl_p50_ms",
    "itl_p99_ms",
    "tokens",
    "tok_s",
    "decode_tok_s",
    "load_ms",
    "queue_ms",
    "prompt_ms",
    "eval_ms",
}
AGENT_ITSELF = {"role", "slowdown", "wait_ms"}
AGENT = AGENT_ITSELF | {f"{arm}_{name}" for arm in ("solo", "concurrent") for name in ARM}
GATE = {
    "metric",
    "side",
    "limit",
    "verdict",
    "point",
    "interval",
    "n",
    "method",
    "decided_at",
    "mde_pct",
    "worst_block",
    "worst_value",
    "outliers",
    "verdict_without_outliers",
    "drift_p",
}
CHANGE = {
    "metric",
    "against",
    "verdict",
    "ratio",
    "interval",
    "n",
    "method",
    "worse",
    "worse_pct",
    "noise_pct",
    "decided_at",
    "mde_pct",
    "too_good",
    "reason",
}
LOSS = {"useful", "contention", "load", "orchestration", "imbalance", "split"}


def _read_back(*scenarios: ScenarioSummary) -> dict[str, Any]:
    document = session_summary(JudgedSession(build_session(), "j.jsonl", Stopping(5, fixed=True), tuple(scenarios)))
    loaded: dict[str, Any] = json.loads(summary_text(document))
    return loaded


def test_the_format_and_the_facts_stand_beside_the_scenarios() -> None:
    """Format 3: a change of meaning needs a new number."""
    document = _read_back(GOOD)
    assert SUMMARY_FORMAT == 3
    assert set(document) == SESSION
    assert (document["format"], document["server"], document["seed"]) == (3, "embedded", 7)
    assert document["stopping"] == {"runs": 5, "fixed": True}


@pytest.mark.parametrize("scenario", [GOOD, OVERLAPPING, UNDECIDED, INVALID], ids=lambda s: s.name)
def test_a_scenario_has_exactly_the_documented_keys(scenario: ScenarioSummary) -> None:
    """Whatever the verdict, every key is there."""
    found = _read_back(scenario)["scenarios"][scenario.name]
    assert set(found) == SCENARIO
    assert found["verdict"] == scenario.verdict.value
    assert found["blocks"] == len(scenario.blocks)


def test_agents_and_gates_have_exactly_the_documented_keys() -> None:
    """One entry for each agent in order, one for each limit."""
    found = _read_back(GOOD)["scenarios"]["pair"]
    assert [agent["role"] for agent in found["agents"]] == ["A", "B"]
    assert all(set(agent) == AGENT for agent in found["agents"])
    assert len(found["gates"]) == 3
    assert all(set(gate) == GATE for gate in found["gates"])


def test_losses_and_ledgers_stand_in_shares_and_milliseconds() -> None:
    """The five terms sum to 1, for all agents and over the agents' parts; a ledger for each arm of each agent."""
    found = _read_back(OVERLAPPING)["scenarios"]["overlapping"]
    assert set(found["loss"]) == LOSS | {"agents"}
    assert sum(found["loss"][term] for term in LOSS - {"split"}) == pytest.approx(1, abs=1e-12)
    parts = found["loss"]["agents"]
    assert all(set(part) == LOSS | {"role"} for part in parts)
    assert sum(part["contention"] for part in parts) == pytest.approx(found["loss"]["contention"], abs=1e-12)
    assert [each["role"] for each in found["ledgers"]] == ["A", "B"]
    assert found["ledgers"][0]["concurrent"]["decode_ms"] > found["ledgers"][0]["solo"]["decode_ms"]


def test_changes_have_exactly_the_documented_keys() -> None:
    """One for each metric compared with the base, one for each with the stored baseline."""
    found = _read_back(compared(1.1))["scenarios"]["compared"]["changes"]
    assert all(set(change) == CHANGE for change in found)
    assert [(each["metric"], each["against"]) for each in found] == [
        ("concurrent_wall_s", "base"),
        ("slowdown", "base"),
        ("slowdown", "baseline main"),
    ]
    assert found[0]["ratio"] == pytest.approx(1.1)
    assert found[0]["verdict"] == "FAIL"


def test_the_figures_are_those_of_the_judge() -> None:
    """Undisturbed agents with ten tokens a second each."""
    found = _read_back(judged(blocks(2)))["scenarios"]["pair"]
    assert found["measured_speedup"] == pytest.approx(2.0)
    assert found["guide_efficiency_pct"] == pytest.approx(100.0)
    assert found["contention_rate"] == 0.0
    assert found["agents"][0]["solo_tok_s"] == pytest.approx(10.0, rel=1e-2)
    assert found["intervals"]["measured_speedup"] == [pytest.approx(2.0), pytest.approx(2.0)]


def test_where_there_is_no_figure_there_is_null() -> None:
    """An invalid scenario has no averages and no gates, and says which blocks were lost and why."""
    found = _read_back(INVALID)["scenarios"]["broken"]
    assert {found[name] for name in FIGURES} == {None}
    assert (found["agents"], found["gates"], found["intervals"]) == ([], [], {})
    assert found["invalid_blocks"] == {"1": ["the server died"]}


def test_where_there_is_no_interval_there_is_null() -> None:
    """One block gives points without intervals."""
    found = _read_back(UNDECIDED)["scenarios"]["undecided"]
    assert found["measured_speedup"] is not None
    assert found["intervals"]["measured_speedup"] is None
    assert found["gates"][0]["interval"] is None


def test_symptoms_are_listed_by_block() -> None:
    """Rule, agent, value and limit of each."""
    found = _read_back(OVERLAPPING)["scenarios"]["overlapping"]
    assert set(found["symptoms"]) == {"1", "2", "3"}
    assert all(set(symptom) == {"rule", "role", "value", "limit"} for symptom in found["symptoms"]["1"])
    assert found["overlap_only"] is True


@pytest.mark.parametrize("key", sorted(SESSION | SCENARIO | ARM | AGENT_ITSELF | GATE | CHANGE | LOSS))
def test_the_readme_documents_every_key(key: str) -> None:
    """Programs read the summary by what the README says of it."""
    readme = Path(__file__).parents[2] / "README.md"
    assert f'"{key}"' in readme.read_text("utf-8") or f"`{key}`" in readme.read_text("utf-8")
