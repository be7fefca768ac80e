"""The summary for programs: its keys are a contract, so each is written down here once more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.judge import ScenarioSummary
from harness.report import SUMMARY_FORMAT, session_summary
from tests.report.scenarios import GOOD, INVALID, OVERLAPPING, UNDECIDED, blocks, judged

FIGURES = {
    "guide_efficiency_pct",
    "guide_speedup",
    "measured_efficiency_pct",
    "measured_speedup",
    "efficiency_bound_pct",
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
SCENARIO = FIGURES | {
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
AGENT = {"role", "slowdown", "wait_ms"} | {f"{arm}_{name}" for arm in ("solo", "concurrent") for name in ARM}
GATE = {
    "metric",
    "side",
    "limit",
    "verdict",
    "point",
    "interval",
    "n",
    "method",
    "worst_block",
    "worst_value",
}


def _read_back(*scenarios: ScenarioSummary) -> dict[str, Any]:
    document = session_summary(scenarios, {"server": "embedded", "seed": 7})
    loaded: dict[str, Any] = json.loads(msgspec.json.encode(document))
    return loaded


def test_the_format_and_the_facts_stand_beside_the_scenarios() -> None:
    """Format 1: a change of meaning needs a new number."""
    document = _read_back(GOOD)
    assert SUMMARY_FORMAT == 1
    assert set(document) == {"format", "server", "seed", "scenarios"}
    assert (document["format"], document["server"], document["seed"]) == (1, "embedded", 7)


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


@pytest.mark.parametrize("key", sorted(SCENARIO | ARM | {"role", "slowdown", "wait_ms"}))
def test_the_readme_documents_every_key(key: str) -> None:
    """Programs read the summary by what the README says of it."""
    readme = Path(__file__).parents[2] / "README.md"
    assert f'"{key}"' in readme.read_text("utf-8") or f"`{key}`" in readme.read_text("utf-8")
