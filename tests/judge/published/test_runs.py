"""Figures of published runs: by the same formulas as measured blocks, and by the recorded rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import metrics
from harness.judge.published.runs import RunMeans, configuration_name, run_figures, run_means
from harness.scenarios import ContentionRules
from tests.published_rows import Row, pair_row, published_run, timed_row

SECONDS = st.floats(0.1, 100.0)


def _means(*rows: Row) -> RunMeans:
    return run_means([run_figures(published_run(row)) for row in rows], {}, ContentionRules())


@given(SECONDS, st.floats(10.0, 1000.0))
def test_speedup_and_efficiency_are_the_guides_formulas(second_s: float, wall_s: float) -> None:
    """No special path: the functions that judge every measured block, on durations in integer ns."""
    run = published_run(timed_row(wall_s, second_s))
    durations = [agent.duration_ns for agent in run.run.agents]
    found = run_figures(run)
    assert found.speedup == metrics.guide_speedup(durations, run.run.wall_ns)
    assert found.efficiency_pct == metrics.guide_efficiency_pct(durations, run.run.wall_ns)
    assert found.efficiency_pct == pytest.approx(50 * (10 + second_s) / wall_s, rel=1e-6)


def test_deltas_have_the_signs_of_the_reports() -> None:
    """TTFT: the first agent's less the second one's. Throughput: the second one's less the first one's."""
    row = pair_row(agent1_ttft_ms=900.0, agent2_ttft_ms=200.0, agent1_tok_s=40.0, agent2_tok_s=43.5)
    found = run_figures(published_run(row))
    assert (found.ttft_delta_ms, found.throughput_delta_tok_s, found.tok_s) == (700.0, 3.5, 41.75)


@pytest.mark.parametrize(("second_s", "flagged"), [(5.1, False), (5.0, False), (4.9, True)])
def test_a_run_is_flagged_below_a_speedup_of_one_and_a_half(second_s: float, flagged: bool) -> None:
    """The recorded rule, whatever flag stands in the row; 10 and 5 s within 10 s are exactly 1.5."""
    assert run_figures(published_run(timed_row(10.0, second_s, contention=not flagged))).flagged is flagged


def test_means_over_runs_and_their_sample_sd() -> None:
    """100 and 80 % are 90 +- 14.14 pp, one of them flagged at 62.5 %."""
    found = _means(timed_row(10.0), timed_row(12.5))
    assert (found.efficiency_pct, found.speedup, found.flagged) == (90.0, 1.8, 0)
    assert found.sd_pp == pytest.approx(200**0.5)
    assert _means(timed_row(10.0), timed_row(16.0)).flagged == 1


def test_one_run_has_no_sd_and_without_a_rate_no_comparison() -> None:
    """Not zero: nothing is known."""
    found = _means(pair_row())
    assert (found.sd_pp, found.solo) == (None, None)


def test_a_configuration_is_named_by_runtime_phase_and_name() -> None:
    """TR114 has the same name in two phases, TR115 in five runtimes."""
    assert configuration_name(published_run(pair_row())) == "python-asyncio/phase1/test_001"
    assert configuration_name(published_run(pair_row(runtime="", phase=""))) == "test_001"
