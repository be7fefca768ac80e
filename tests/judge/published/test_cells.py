"""Published cells from raw runs: every kind of cell, every kind of label, and what stands there if it cannot be had."""

from __future__ import annotations

import pytest

from harness.judge.published.cells import CellCheck, check_cells
from harness.records.published import ExpectedCell
from tests.published_rows import Row, judged_dataset, pair_row, timed_row


def _check(cell: ExpectedCell, *rows: Row) -> CellCheck:
    (check,) = check_cells([cell], [judged_dataset(*rows)])
    return check


TESTED = (
    timed_row(10.0, dataset="TR110-x", agent1_ttft_ms=30_250.0, agent2_tok_s=48.0),
    timed_row(16.0, dataset="TR110-x", run=2, agent1_ttft_ms=250.0, agent2_tok_s=49.0),
)


@pytest.mark.parametrize(
    ("column", "printed"),
    [
        ("speedup", "1.625x"),
        ("efficiency", "81.2%"),
        ("ttft_delta", "+15000"),
        ("tp_delta", "-1.50"),
        ("contention", "1/2"),
        ("contention", "Yes"),
    ],
)
def test_cells_of_a_configuration_are_means_over_its_runs(column: str, printed: str) -> None:
    """100 and 62.5 %, TTFTs 30 and 0 s apart, the second agent slower by 2 and 1 tok/s; one run flagged."""
    check = _check(ExpectedCell("TR110", "3.x", "1", column, printed), *TESTED)
    assert (check.got, check.reproduced) == (printed, True)


def test_a_cell_that_is_not_reproduced_says_what_came_instead() -> None:
    """In the printed form."""
    check = _check(ExpectedCell("TR110", "3.x", "1", "efficiency", "81.3%"), *TESTED)
    assert (check.got, check.reproduced) == ("81.2%", False)


def test_a_configuration_without_a_flagged_run_says_no() -> None:
    """TR113 has one run a configuration, and words for its flag."""
    check = _check(ExpectedCell("TR113", "3.x", "test_001", "contention", "No"), pair_row(dataset="TR113"))
    assert check.reproduced


RUNTIME = [
    timed_row(1000 / (80 + i), dataset="TR115v2", run=i + 1, runtime="smol", config_id=f"c{i % 2}") for i in range(20)
]


@pytest.mark.parametrize(
    ("row", "column", "printed"),
    [
        ("smol", "peak", "99.00"),
        ("smol", "mean", "89.50"),
        ("smol", "stdev(sample, runs)", "5.916"),
        ("smol", "min", "80.00"),
        ("smol", "median as sorted[n//2]", "90.00"),
        ("smol", "cv", "6.6%"),
        ("P5", "smol", "81.00%"),
        ("P25", "smol", "85.00%"),
        ("P50 (Median)", "smol", "90.00%"),
        ("P95", "smol", "99.00%"),
    ],
)
def test_cells_of_a_runtime_are_over_its_runs(row: str, column: str, printed: str) -> None:
    """80, 81, ... 99 %: over the 20 runs and not over the two configuration means."""
    assert _check(ExpectedCell("TR115_v2", "3.1", row, column, printed), *RUNTIME).got == printed


@pytest.mark.parametrize(
    ("label", "configuration"),
    [
        ("1", "test_001"),
        ("202", "test_202"),
        ("bvc_g60_c512_t0.6", "bvc_gpu60_ctx512_temp0p6"),
        ("baseline_g80_c512_t0.8", "baseline_gpu80_ctx512_temp0p8"),
        ("homo_g80_c1024_t0.8", "homo_gpu80_ctx1024_temp0p8"),
        ("het_g60/g120", "hetero_het_g60c512t06__g120c1024t08"),
        ("any name", "any name"),
    ],
)
def test_a_rows_label_finds_its_configuration_among_others(label: str, configuration: str) -> None:
    """TR110's numbers, TR113's short names."""
    others = [
        "test_002",
        "test_011",
        "bvc_gpu60_ctx512_temp0p8",
        "bvc_gpu80_ctx512_temp0p8",
        "homo_gpu80_ctx512_temp0p8",
        "hetero_het_g80c512t08__g120c1024t06",
    ]
    rows = [timed_row(20.0, config_id=name) for name in others] + [pair_row(config_id=configuration)]
    assert _check(ExpectedCell("TR999", "3.x", label, "speedup", "2.000x"), *rows).reproduced


@pytest.mark.parametrize(
    ("cell", "got"),
    [
        (ExpectedCell("TR112", "3.x", "1", "speedup", "2.000x"), "no runs of TR112"),
        (ExpectedCell("TR999", "3.x", "7", "speedup", "2.000x"), "0 configurations of that name"),
        (ExpectedCell("TR999", "3.x", "test", "speedup", "2.000x"), "0 configurations of that name"),
        (ExpectedCell("TR999", "3.1", "tokio", "peak", "99.00"), "no runtime of that name"),
        (ExpectedCell("TR999", "4.1", "P5", "tokio", "99.00"), "no runtime of that name"),
        (ExpectedCell("TR999", "3.1", "python-asyncio", "mode", "99.00"), "no figure of that name"),
        (ExpectedCell("TR999", "3.1", "python-asyncio", "cv", "9%"), "nothing: one run has no spread"),
        (ExpectedCell("TR999", "3.x", "1", "speedup", "double"), "2: the printed text is no figure"),
    ],
)
def test_a_cell_that_cannot_be_had_says_why(cell: ExpectedCell, got: str) -> None:
    """It is not reproduced, and not an error: the others are."""
    check = _check(cell, pair_row())
    assert (check.got, check.reproduced) == (got, False)


def test_a_label_that_fits_two_configurations_is_not_guessed() -> None:
    """The same name in two phases, as in TR114."""
    check = _check(ExpectedCell("TR999", "3.x", "1", "speedup", "2.000x"), pair_row(), pair_row(phase="phase2"))
    assert check.got == "2 configurations of that name"
