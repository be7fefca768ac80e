"""The script that makes the table of levels, and the table."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import stdev

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.judge import levels
from harness.judge.sequential import Design, level, mde, p_value
from harness.scenarios import FIRST_LOOK, MOST_RUNS
from perf.verdicts.levels import (
    GATES,
    MAX_RUNS,
    OUT,
    Tables,
    find_levels,
    level_parts,
    look_p_values,
    main,
    render,
    smallest_p,
)

PATHS = 20_000


def _silent(line: str) -> None:
    pass


def test_many_paths_at_once_have_the_p_that_judges() -> None:
    """Each look of 30 random paths, against the function that verdicts use (and that is tested against scipy)."""
    values = np.random.default_rng(5).normal(0.2, 1.0, (60, 30))
    seen = []
    for n, p in look_p_values(values):
        seen.append(n)
        assert p == pytest.approx([p_value(path[:n].tolist()) for path in values.T], rel=1e-9)
    assert seen == list(range(FIRST_LOOK, 61))


def test_the_smallest_p_is_kept_for_every_number_of_runs() -> None:
    """One row for each that the table has, the last one over all looks."""
    values = np.random.default_rng(6).normal(0.0, 1.0, (60, 10))
    every = np.array([p for _, p in look_p_values(values)])
    smallest = smallest_p(values)
    assert smallest.shape == (len(MAX_RUNS), 10)
    for row, runs in enumerate(MAX_RUNS):
        assert (smallest[row] == every[: runs - FIRST_LOOK + 1].min(axis=0)).all()


@pytest.mark.parametrize(
    ("smallest", "level_of_it"),
    [
        ([0.01, 0.02, 0.03, 0.04], 0.03),
        ([0.01, 0.02, 0.02, 0.02], 0.02),
        ([0.02, 0.02, 0.02, 0.04], 0.02),
        ([0.1, 0.3, 0.5, 0.6], 0.2),
    ],
)
def test_a_level_stays_below_the_first_path_too_many(smallest: list[float], level_of_it: float) -> None:
    """Of ten paths two may err at 20 %: the third smallest p is just not reached, ties with it neither."""
    parts = level_parts(np.array(smallest), 0.2, 10)
    found = 0.2 * parts / levels.PARTS
    assert found == pytest.approx(level_of_it, abs=0.2 / levels.PARTS)
    assert found < smallest[2]
    assert parts == levels.PARTS or 0.2 * (parts + 1) / levels.PARTS >= smallest[2]
    assert sum(p <= found for p in smallest) <= 2


def test_the_table_is_what_the_script_wrote() -> None:
    """Rendered again from its own figures it is the same file, and it was made with enough paths."""
    text = OUT.read_text("utf-8")
    first = text.splitlines()[2]  # "N simulated paths for the levels and N for the MDE, seed N, DATE."
    words = first.replace(",", "").rstrip(".").split()
    rows = [tuple(tuple(table[runs]) for runs in MAX_RUNS) for table in (levels.LEVELS, levels.FACTORS)]
    tables = Tables((int(words[0]), int(words[7])), int(words[12]), words[13], *rows)
    assert render(tables) == text
    assert tables.paths[0] >= 1_000_000


def test_other_paths_give_the_same_levels() -> None:
    """A small simulation with a seed of its own, within the standard errors of its few paths."""
    found = find_levels(PATHS, 12345, _silent)
    for runs in (10, 20, 30, 60):
        row = found[MAX_RUNS.index(runs)]
        for column, allowed in ((GATES.index(1), 0.10), (GATES.index(5), 0.25)):
            assert row[column] == pytest.approx(levels.LEVELS[runs][column], rel=allowed)


@pytest.mark.parametrize(
    ("runs", "five", "one", "detectable"),
    [(10, 0.0171, 0.0027, 1.76), (15, 0.0128, 0.00195, 1.28), (20, 0.0104, 0.0017, 1.05), (30, 0.0084, 0.00126, 0.83)],
)
def test_the_table_agrees_with_the_designs(runs: int, five: float, one: float, detectable: float) -> None:
    """The figures that the design was written down with, at 5 % and 1 %, and the MDE at 1 %."""
    assert level(0.05, runs, fixed=False) == pytest.approx(five, rel=0.02)
    assert level(0.01, runs, fixed=False) == pytest.approx(one, rel=0.05)
    assert levels.FACTORS[runs][GATES.index(5)] / levels.FACTOR_PARTS == pytest.approx(detectable, abs=0.006)


def test_more_looks_and_smaller_error_rates_never_loosen_a_level() -> None:
    """Along both sides of the table; and the MDE shrinks with more runs and grows with a smaller error rate.

    But for 3 %, where one more block makes another signed-rank sum possible and the level has to pay for it.
    """
    found = np.array([[level(alpha, runs, fixed=False) for alpha in levels.ALPHAS] for runs in MAX_RUNS])
    factors = np.array([levels.FACTORS[runs] for runs in MAX_RUNS])
    assert (np.diff(found, axis=0) <= 0).all()
    assert (np.diff(found, axis=1) < 0).all()
    assert (np.diff(factors, axis=0) <= 0.03 * factors[:-1]).all()
    assert (np.diff(factors, axis=1) >= 0).all()


def test_every_suite_of_up_to_forty_gates_has_a_level() -> None:
    """5 % over the number of gates, and little of it is given away by rounding to the table."""
    for gates in range(1, 41):
        alpha = 0.05 / gates
        assert Design(30, fixed=False, alpha_fail=alpha, alpha_pass=0.05).level_fail > 0
        assert max(known for known in levels.ALPHAS if known <= alpha * 1.000001) > 0.7 * alpha
    assert all(first < second for first, second in pairwise(GATES))
    assert (MAX_RUNS[0], MAX_RUNS[-1]) == (FIRST_LOOK, MOST_RUNS)


Noise = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


def _pairs_of_skewed(generator: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float64]:
    base, candidate = (generator.lognormal(0.0, 0.5, shape) for _ in range(2))
    return np.asarray(candidate - base)


@pytest.mark.parametrize(
    "noise",
    [lambda generator, shape: generator.standard_t(3, shape), _pairs_of_skewed],
    ids=["heavy tails", "pairs of skewed values"],
)
@pytest.mark.parametrize("gates", [1, 5])
def test_the_levels_hold_for_noise_that_is_not_normal(noise: Noise, gates: int) -> None:
    """Symmetric noise of any tails keeps the error rate, and so do base and candidate of the same skewed noise.

    What does not keep it: skewed values against a limit (a lognormal SD of 0.5 errs at up to 6 % for 1 %), and blocks
    that depend on each other (a correlation of 0.3 from block to block errs at 4.6 %).
    """
    values = noise(np.random.default_rng(gates), (60, PATHS))
    alpha = 0.05 / gates
    for runs in (10, 30):
        erring = smallest_p(values)[MAX_RUNS.index(runs)] <= level(alpha, runs, fixed=False)
        assert erring.mean() <= alpha + 3 * (alpha / PATHS) ** 0.5


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.01), (12, 0.01), (20, 0.00125), (30, 0.05)])
def test_one_look_detects_what_it_says(n: int, alpha: float) -> None:
    """The approximate power of the signed-rank test (and the t test's) is right within a point, in 50,000 sessions."""
    values = [1.0, -1.0] * (n // 2) + [0.0] * (n % 2)
    detectable = mde(values, Design(n, fixed=True, alpha_fail=alpha, alpha_pass=0.05))
    assert detectable is not None
    paths = np.random.default_rng(n).normal(detectable / stdev(values), 1.0, (n, 50_000))
    *_, (last, p) = look_p_values(paths)
    assert last == n
    assert (p <= alpha).mean() == pytest.approx(0.9, abs=0.008)


def test_the_script_writes_a_module_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From simulation to file, the same one for the same seed; it says how it was made."""
    out, again = tmp_path / "levels.py", tmp_path / "again.py"
    assert main(["--paths", "2000", "--seed", "3", "--out", str(out)]) == 0
    assert "written" in capsys.readouterr().err
    made = runpy.run_path(str(out))
    assert set(made["LEVELS"]) == set(made["FACTORS"]) == set(made["MAX_RUNS"]) == set(MAX_RUNS)
    assert all(len(row) == len(made["ALPHAS"]) for table in ("LEVELS", "FACTORS") for row in made[table].values())
    assert made["LEVELS"][30][0] == pytest.approx(levels.LEVELS[30][0], rel=0.3)
    assert made["FACTORS"][30][0] == pytest.approx(levels.FACTORS[30][0], rel=0.05)
    text = out.read_text("utf-8")
    assert "2000 simulated paths" in text
    assert "seed 3" in text
    assert max(map(len, text.splitlines())) <= 120
    main(["--paths", "2000", "--seed", "3", "--out", str(again)])
    assert runpy.run_path(str(again))["LEVELS"] == made["LEVELS"]


def test_too_few_paths_are_refused(tmp_path: Path) -> None:
    """The smallest error rate must be a path at least; nothing is written."""
    with pytest.raises(SystemExit):
        main(["--paths", "1999", "--out", str(tmp_path / "levels.py")])
    assert not list(tmp_path.iterdir())
