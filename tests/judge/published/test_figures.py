"""A published data set in figures: the unit is always named."""

from __future__ import annotations

import pytest

from harness.judge.published.figures import dataset_figures
from harness.records.published import PublishedSession
from harness.scenarios import ContentionRules
from tests.published_rows import judged_dataset, pair_row, timed_row


def test_runs_and_configuration_means_are_different_units() -> None:
    """100 and 80 % in one configuration, 70 % in the other: peak 100 over runs, 90 over configuration means."""
    rows = [timed_row(10.0), timed_row(12.5, run=2), timed_row(100 / 7, config_id="test_002")]
    found = judged_dataset(*rows)
    assert (found.over_runs.over, found.over_runs.n) == ("runs", 3)
    assert (found.over_runs.peak, found.over_runs.peak_at) == (100.0, "python-asyncio/phase1/test_001 run 1")
    assert found.over_runs.mean == pytest.approx(250 / 3)
    means = found.over_configurations
    assert (means.over, means.n, means.peak_at) == ("configuration means", 2, "python-asyncio/phase1/test_001")
    assert [means.peak, means.mean] == pytest.approx([90.0, 80.0])


def test_the_same_name_in_another_phase_is_another_configuration() -> None:
    """As in TR114."""
    assert len(judged_dataset(pair_row(), pair_row(phase="phase2")).configurations) == 2


def test_scenarios_and_runtimes_are_told_apart() -> None:
    """Each with its own runs."""
    found = judged_dataset(pair_row(), pair_row(run=2, scenario="chimera_homo"), timed_row(12.5, runtime="smol"))
    assert {name: len(means.runs) for name, means in found.scenarios.items()} == {
        "baseline_vs_chimera": 2,
        "chimera_homo": 1,
    }
    assert {name: spread.mean for name, spread in found.by_runtime.items()} == {"python-asyncio": 100.0, "smol": 80.0}


def test_a_runtime_that_never_ran_agents_at_the_same_time_is_left_out_of_the_guides_figures() -> None:
    """Every run of it flagged, as TR115's async-std; one run that is not flagged keeps a runtime in."""
    smol = [pair_row(runtime="smol"), timed_row(20.0, run=2, runtime="smol")]
    found = judged_dataset(*smol, timed_row(20.0, runtime="async-std"), timed_row(20.0, run=2, runtime="async-std"))
    assert {means.first.runtime for means in found.in_parallel} == {"smol"}
    assert found.whole.flagged == 3


def test_a_data_set_that_is_flagged_throughout_is_kept() -> None:
    """There is nothing else to judge."""
    assert len(judged_dataset(timed_row(20.0)).in_parallel) == 1


def test_rows_that_contradict_themselves_are_counted() -> None:
    """A recorded speedup that its durations do not give, and a flag that its rule does not."""
    rows = [pair_row(), pair_row(run=2, speedup=1.9), pair_row(run=3, contention=True)]
    found = judged_dataset(*rows)
    assert (found.same_speedup, found.same_flag) == (2, 2)


def test_ttfts_that_lie_apart_are_counted_by_run_and_configuration() -> None:
    """The guide's snippet: more than 10 s between the agents, whichever is the slower one."""
    rows = [
        pair_row(agent1_ttft_ms=10_250.1),
        pair_row(run=2, agent2_ttft_ms=10_250.1),
        pair_row(run=3, agent1_ttft_ms=10_250.0),
        pair_row(config_id="test_002"),
    ]
    assert judged_dataset(*rows).ttft_apart == (2, 1)


def test_a_data_set_of_solo_runs_alone_has_no_figures() -> None:
    """It is a rate for the others."""
    assert dataset_figures(PublishedSession("TR109", ()), {}, ContentionRules()) is None
