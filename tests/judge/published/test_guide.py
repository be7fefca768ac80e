"""The guide's comparison table against raw runs: what is reproduced, over which unit, and who wins."""

from __future__ import annotations

import pytest

from harness.judge.published.claims import CONTENTION, MEAN, PEAK, SPREAD, Claim, check_claim
from harness.judge.published.guide import ComparisonRow, guide_comparison, report_checks
from tests.published_rows import Row, judged_dataset, pair_row, timed_row

TWO = (timed_row(10.0), timed_row(12.5, run=2), timed_row(16.0, config_id="test_002"))
"""100, 80 and 62.5 %: two configurations, the second one flagged."""


@pytest.mark.parametrize(
    ("statistic", "printed", "over"),
    [
        (PEAK, "100.0%", "best of 3 runs"),
        (PEAK, "90.0%", "best of 2 configuration means"),
        (PEAK, "95.0%", None),
        (MEAN, "~80.8%", "over 3 runs"),
        (MEAN, "76.2%", "over 2 configuration means"),
        (SPREAD, "18.8pp", "over 3 runs"),
        (SPREAD, "19.4pp", "over 2 configuration means"),
        (CONTENTION, "33%", "1 of 3 runs"),
        (CONTENTION, "50%", "1 of 2 configurations"),
        (CONTENTION, "74%", None),
    ],
)
def test_a_figure_is_reproduced_over_the_unit_that_gives_it(statistic: str, printed: str, over: str | None) -> None:
    """Runs or configuration means: whichever rounds to what is printed, and it is named."""
    check = check_claim(Claim(statistic, printed, "made up"), judged_dataset(*TWO))  # type: ignore[arg-type]
    assert (check.reproduced.over if check.reproduced else None) == over


def test_a_figure_that_is_not_reproduced_keeps_what_the_runs_say() -> None:
    """Over both units, the runs first."""
    check = check_claim(Claim(PEAK, "95.0%", "made up"), judged_dataset(*TWO))
    assert [each.over for each in check.candidates] == ["best of 3 runs", "best of 2 configuration means"]
    assert [each.value for each in check.candidates] == pytest.approx([100.0, 90.0])


def test_the_mean_over_equally_large_configurations_is_said_once() -> None:
    """It is the mean over runs."""
    check = check_claim(
        Claim(MEAN, "95.0%", "made up"), judged_dataset(timed_row(10.0), timed_row(16.0, config_id="b"))
    )
    assert [each.over for each in check.candidates] == ["over 2 runs"]


def test_one_run_has_no_spread_to_compare() -> None:
    """Nothing is said, and it is not reproduced."""
    check = check_claim(Claim(SPREAD, "0.0pp", "made up"), judged_dataset(pair_row()))
    assert (check.candidates, check.reproduced) == ((), None)


def test_a_runtime_that_failed_does_not_count() -> None:
    """TR115's figures are those of the runtimes that work."""
    rows = [pair_row(runtime="smol"), timed_row(20.0, runtime="async-std")]
    check = check_claim(Claim(CONTENTION, "0%", "made up"), judged_dataset(*rows))
    assert check.reproduced is not None
    assert check.reproduced.over == "0 of 1 runs"


def _rows(name: str, *walls_s: float) -> list[Row]:
    return [timed_row(wall_s, dataset=name, run=run) for run, wall_s in enumerate(walls_s, start=1)]


def _row(statistic: str, **walls_s: list[float]) -> ComparisonRow:
    datasets = [judged_dataset(*_rows(name.replace("_", "-"), *walls)) for name, walls in walls_s.items()]
    return next(row for row in guide_comparison(datasets).rows if row.statistic == statistic)


@pytest.mark.parametrize(
    ("statistic", "python", "rust", "winner"),
    [
        (PEAK, [10.0, 14.0], [11.0, 11.0], "Python"),
        (PEAK, [11.0, 11.0], [10.0, 14.0], "Rust"),
        (MEAN, [10.0, 12.0], [12.0, 12.0], "Python"),
        (SPREAD, [10.0, 12.0], [11.0, 11.5], "Rust"),
        (SPREAD, [11.0, 11.5], [10.0, 12.0], "Python"),
        (CONTENTION, [10.0, 16.0], [11.0, 11.0], "Rust"),
        (CONTENTION, [10.0, 10.0], [10.0, 16.0], "Python"),
    ],
)
def test_the_winner_is_who_wins_over_runs(statistic: str, python: list[float], rust: list[float], winner: str) -> None:
    """More is better of peak and mean, less of spread and contention."""
    found = _row(statistic, TR110_python=python, TR115v2=rust, TR114_rust=rust)
    assert found.winner is not None
    assert found.winner.language == winner


def test_without_the_runs_of_a_column_nobody_wins() -> None:
    """Its figures cannot be checked, those of the others can."""
    found = _row(PEAK, TR110_python=[10.0], TR115v2=[10.0])
    assert (found.winner, [check.column for check in found.checks]) == (None, ["Python (TR110)", "Rust (TR115)"])


@pytest.mark.parametrize(("names", "behind"), [(["TR115v2", "TR115v1"], "TR115v1"), (["TR115v2"], "TR115v2")])
def test_the_runs_that_the_guides_figures_are_of_go_first(names: list[str], behind: str) -> None:
    """The guide prints TR115 v1's figures; those of v2 stand in where v1's runs are not there."""
    comparison = guide_comparison([judged_dataset(*_rows(name, 10.0)) for name in names])
    dataset = comparison.columns[1][1]
    assert dataset is not None
    assert dataset.report == behind


def test_the_guides_table_has_a_source_for_every_figure() -> None:
    """Three columns of four figures, each with the report that prints it first."""
    columns = [column for column, _ in guide_comparison([]).columns]
    assert [len(column.claims) for column in columns] == [4, 4, 4]
    assert all(claim.source for column in columns for claim in column.claims)


def test_reports_figures_are_checked_where_their_runs_are() -> None:
    """TR113's are no part of the guide's table."""
    checks = report_checks([judged_dataset(*_rows("TR113-x", 12.5, 16.0)), judged_dataset(*_rows("TR110-x", 10.0))])
    assert [(check.dataset, check.column, check.claim.printed) for check in checks] == [
        ("TR113-x", "", printed) for printed in ("82.2%", "72.4%", "5.5pp", "74%")
    ]
