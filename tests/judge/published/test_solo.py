"""A solo rate beside published runs: what the guide's symptoms would have said, and what they cannot say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.metrics import guide_efficiency_pct
from harness.judge.published.runs import run_figures
from harness.judge.published.solo import (
    SoloRate,
    estimated_efficiency_pct,
    estimated_solo_ns,
    given_rate,
    solo_rates,
    solo_symptoms,
)
from harness.records.published import PublishedSession
from harness.scenarios import ContentionRules
from harness.store.published.rows import SoloRow, row_of
from tests.published_rows import Row, judged_dataset, pair_row, published_run, solo_row, timed_row

RULES = ContentionRules()


def _session(*rows: Row) -> PublishedSession:
    solos = [row for row in map(row_of, rows) if isinstance(row, SoloRow)]
    return PublishedSession("TR998-solo", (), tuple(row.record() for row in solos))


def test_two_agents_at_half_their_solo_rate_gain_nothing() -> None:
    """500 tokens at 50 tok/s fill the 10 s: the guide says 100 %, alone at 100 tok/s they would take 5 s, so 50 %."""
    run = published_run(pair_row())
    assert run_figures(run).efficiency_pct == 100.0
    assert estimated_solo_ns(run, 100.0) == (5e9, 5e9)
    assert estimated_efficiency_pct(run, 100.0) == 50.0


def test_time_that_was_not_decoding_is_taken_as_it_was() -> None:
    """8 of 10 s decode: 400 tokens at 50 tok/s. Alone 4 s decode and the same 2 s of other time, so 60 %."""
    run = published_run(pair_row(agent1_tokens=400, agent2_tokens=400))
    assert estimated_efficiency_pct(run, 100.0) == pytest.approx(60.0)


@given(st.floats(1.0, 1000.0), st.floats(10.0, 100.0))
def test_at_the_rate_they_had_the_estimate_is_the_guides_efficiency(tok_s: float, wall_s: float) -> None:
    """A rate alone equal to the one together means that nothing was lost but overlap."""
    run = published_run(timed_row(wall_s, agent1_tok_s=tok_s, agent2_tok_s=tok_s))
    guide = guide_efficiency_pct([agent.duration_ns for agent in run.run.agents], run.run.wall_ns)
    assert estimated_efficiency_pct(run, tok_s) == pytest.approx(guide, rel=1e-9)


@pytest.mark.parametrize(
    ("solo_tok_s", "rules"),
    [
        (50.0, []),
        (62.5, []),
        (62.6, ["throughput", "throughput", "efficiency"]),
        (100.0, ["throughput", "throughput", "efficiency"]),
    ],
)
def test_symptoms_fire_beyond_their_limits(solo_tok_s: float, rules: list[str]) -> None:
    """50 tok/s are 20 % below 62.5: the limit itself is no symptom. TTFT is never one: nothing is known of it alone."""
    run = published_run(pair_row(agent1_ttft_ms=60_000.0))
    assert [symptom.rule for symptom in solo_symptoms(run, solo_tok_s, RULES)] == rules


def test_a_drop_of_exactly_the_limit_is_no_symptom() -> None:
    """50 tok/s are 50 % below 100."""
    run = published_run(pair_row())
    rules = [ContentionRules(throughput_drop_pct=limit, efficiency_pct=1.0) for limit in (50.0, 49.9)]
    assert [len(solo_symptoms(run, 100.0, each)) for each in rules] == [0, 2]


def test_a_symptom_names_its_agent_value_and_limit() -> None:
    """One slow agent is enough for the guide's second symptom."""
    (slow,) = solo_symptoms(published_run(pair_row(agent2_tok_s=35.0)), 50.0, ContentionRules(efficiency_pct=1.0))
    assert (slow.role, slow.limit) == ("insight", 20.0)
    assert slow.value == pytest.approx(30.0)


def test_the_solo_rate_is_the_mean_over_the_solo_runs_of_the_model() -> None:
    """With their number and spread; each model has its own."""
    rows = [solo_row(run=1, tok_s=90.0), solo_row(run=2, tok_s=110.0), solo_row(run=3, model="other", tok_s=7.0)]
    found = solo_rates([PublishedSession("TR999", (published_run(pair_row()),)), _session(*rows)])
    assert found.keys() == {"gemma3:latest", "other"}
    assert found["other"] == SoloRate(7.0, 1, None, "TR998-solo")
    rate = found["gemma3:latest"]
    assert (rate.tok_s, rate.n, rate.dataset) == (100.0, 2, "TR998-solo")
    assert rate.sd == pytest.approx(200**0.5)


def test_the_first_data_set_with_solo_runs_of_a_model_gives_its_rate() -> None:
    """Rates of two studies are not mixed."""
    sessions = [_session(solo_row(tok_s=90.0)), _session(solo_row(tok_s=110.0))]
    assert solo_rates(sessions)["gemma3:latest"].tok_s == 90.0


def test_a_given_rate_is_for_every_model() -> None:
    """It says of itself that it was given: it is a mean of no runs."""
    session = PublishedSession("TR999", (published_run(pair_row()), published_run(pair_row(run=2, model="other"))))
    assert given_rate(80.0, [session]) == {"gemma3:latest": SoloRate(80.0), "other": SoloRate(80.0)}


def test_runs_are_counted_by_what_would_have_flagged_them() -> None:
    """Of four runs two have a slow agent, one a poor overlap, one nothing."""
    slow = [pair_row(run=run, agent1_tok_s=30.0, agent1_tokens=1) for run in (1, 2)]
    solo = judged_dataset(*slow, timed_row(14.0, run=3), pair_row(run=4), solo_tok_s=50.0).whole.solo
    assert solo is not None
    assert (solo.slow, solo.inefficient, solo.flagged) == (2, 1, 3)


def test_runs_of_several_models_have_no_common_rate() -> None:
    """Each configuration has its model's; the data set as a whole has none."""
    rows = [pair_row(), pair_row(config_id="test_002", model="other")]
    found = judged_dataset(*rows, solo_tok_s=100.0)
    assert found.whole.solo is None
    assert all(means.solo is not None for means in found.configurations)
