"""Tidied rows: what becomes of each field, and what is no row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records import AgentRun, Run
from harness.records.published import AgentTotals, RecordedFigures
from harness.store.published.rows import SoloRow, row_of
from tests.published_rows import pair_row, published_run, solo_row

S = 1_000_000_000


def test_a_paired_row_becomes_a_run_of_both_agents_in_nanoseconds() -> None:
    """Durations become integer ns, the agents the collector and the insight, in their order."""
    run = published_run(pair_row(concurrent_wall_s=12.25, agent2_total_s=1.001, agent2_url="http://b"))
    collector = AgentRun("collector", "http://localhost:11434", 0, 0, 10 * S, ())
    insight = AgentRun("insight", "http://b", 0, 0, 1_001_000_000, ())
    assert run.run == Run("concurrent", 0, 12_250_000_000, (collector, insight))


def test_totals_are_kept_and_a_null_is_absent() -> None:
    """An option that was not sent is no option; a server's duration that was not recorded is None, not zero."""
    first, second = published_run(pair_row(agent2_load_s=0.25, agent2_eval_s=0.0)).totals
    assert first == AgentTotals("baseline", {}, 2, 500, 250.0, 50.0, 9_500_000_000, None, None, None)
    assert second.options == {"num_gpu": 80, "num_ctx": 512, "temperature": 0.5}
    assert (second.load_ns, second.prompt_eval_ns, second.eval_ns) == (250_000_000, None, 0)


def test_the_publishers_own_figures_are_kept_beside_the_durations() -> None:
    """They are what the recomputed ones are held against; TR110 recorded no efficiency."""
    run = published_run(pair_row(speedup=1.25, contention=True, throughput_delta=-1.5, ttft_delta_ms=7.0))
    assert run.recorded == RecordedFigures(1.25, None, True, -1.5, 7.0)
    assert published_run(pair_row(efficiency_pct=62.5)).recorded.efficiency_pct == 62.5


@pytest.mark.parametrize(("commit", "source"), [("0123abcd", "a/metrics.json at 0123abcd"), ("", "a/metrics.json")])
def test_a_run_names_its_file_and_commit(commit: str, source: str) -> None:
    """So that every figure can be traced."""
    assert published_run(pair_row(source_path="a/metrics.json", source_commit=commit)).source == source


def test_a_solo_row_becomes_a_solo_arm() -> None:
    """The agent's duration is its workflow's, the arm's that of its process."""
    row = row_of(solo_row())
    assert isinstance(row, SoloRow)
    solo = row.record()
    assert solo.run == Run("solo:baseline", 0, 5_500_000_000, (AgentRun("baseline", "", 0, 0, 5 * S, ()),))
    assert (solo.totals.tok_s, solo.totals.tokens, solo.model) == (100.0, 500, "gemma3:latest")


@pytest.mark.parametrize("item", [None, 3, "text", [], {}, {"type": "session", "format": 2}, {"agent": "a"}])
def test_what_is_no_published_run_is_no_row(item: object) -> None:
    """Such as a line of one of our own journals."""
    assert row_of(item) is None


@given(st.sampled_from(sorted(pair_row().keys() - {"sequential_estimated_s"})))
def test_a_paired_row_without_a_field_is_refused(name: str) -> None:
    """Each field is needed; only the sum of the durations can be had from the others."""
    row = pair_row()
    del row[name]
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        row_of(row)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (pair_row(), {"agent1_total_s": None}),
        (pair_row(), {"agent1_total_s": "10"}),
        (pair_row(), {"agent1_total_s": True}),
        (pair_row(), {"agent2_tok_s": 0.0}),
        (pair_row(), {"agent2_tokens": 0}),
        (pair_row(), {"agent2_tokens": 10**400}),
        (pair_row(), {"agent2_ttft_ms": -1.0}),
        (pair_row(), {"concurrent_wall_s": 0.0}),
        (pair_row(), {"concurrent_wall_s": -1.0}),
        (pair_row(), {"concurrent_wall_s": 1e300}),
        (pair_row(), {"contention": 1}),
        (pair_row(), {"contention": None}),
        (pair_row(), {"run": 0}),
        (pair_row(), {"config_id": 3}),
        (solo_row(), {"workflow_s": None}),
        (solo_row(), {"tok_s": "fast"}),
        (solo_row(), {"duration_s": None}),
    ],
)
def test_a_null_a_wrong_type_or_an_impossible_value_is_refused(row: dict[str, Any], change: dict[str, Any]) -> None:
    """Nothing is guessed: such a run has no figures."""
    with pytest.raises(msgspec.ValidationError):
        row_of(row | change)
