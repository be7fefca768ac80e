"""``python -m perf.verdicts.levels``: makes ``harness/judge/levels.py``, the levels of sequential verdicts.

Under the null hypothesis (normal values of mean 0) a path of blocks is looked at from the fourth block on, as
``harness.judge.sequential`` looks, and its smallest p up to each number of runs is kept. The level for an error rate
is then the largest p that at most this share of the paths ever reaches, for all error rates from the same paths. For
the MDE other paths are shifted step by step, until 90 % of them fall to the level.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from harness.judge.statistics import SIGNED_RANK_FROM, signed_rank_survival
from harness.scenarios import FIRST_LOOK

Array = NDArray[np.float64]

SUITE_ALPHA = 0.05
GATES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 60, 100)
"""Numbers of gates that share 5 %: they make the table's error rates."""
MAX_RUNS = (*range(FIRST_LOOK, 31), 40, 50, 60)
PARTS = 10_000
FACTOR_PARTS = 1000
POWER = 0.9
SHIFTS = np.geomspace(0.3, 20.0, 211)
OUT = Path(__file__).parents[2] / "harness" / "judge" / "levels.py"
FEWEST_PATHS = 2000
"""With fewer there is not one path that errs at the smallest error rate."""
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Tables:
    """What was found.

    Attributes:
        paths: Simulated paths of each of the two simulations: of the levels, and of each shift for the MDE.
        seed: Seed of the random numbers.
        made: Date.
        levels: One row for each number of runs: the level over the error rate, in 1 / PARTS, rounded down.
        factors: Likewise the MDE in SD of the values, in 1 / FACTOR_PARTS, rounded up.
    """

    paths: tuple[int, int]
    seed: int
    made: str
    levels: tuple[tuple[int, ...], ...]
    factors: tuple[tuple[int, ...], ...]


def alphas() -> tuple[float, ...]:
    """The table's error rates, the largest first."""
    return tuple(SUITE_ALPHA / gates for gates in GATES)


def look_p_values(values: Array) -> Iterator[tuple[int, Array]]:
    """Each look's number of blocks with its p of every path: what ``sequential.p_value`` says, for many at once.

    Args:
        values: One row a block, one column a path; values without ties.
    """
    rank_sum = np.zeros(values.shape[1], dtype=np.int64)
    for n, newest in enumerate(values, 1):
        rank_sum += (values[:n] > -newest).sum(axis=0)  # pairwise means above 0, those with the newest value
        if n >= SIGNED_RANK_FROM:
            yield n, signed_rank_survival(n)[rank_sum]
        elif n >= FIRST_LOOK:
            spread = values[:n].std(axis=0, ddof=1)
            yield n, stdtr(n - 1, -values[:n].mean(axis=0) * sqrt(n) / spread)


def smallest_p(values: Array) -> Array:
    """The smallest p of all looks, one row for each entry of ``MAX_RUNS``, one column a path."""
    found, smallest = [], np.ones(values.shape[1])
    for n, p in look_p_values(values):
        smallest = np.minimum(smallest, p)
        if n in MAX_RUNS:
            found.append(smallest)
    return np.array(found)


def _batches(paths: int, seed: int, stream: int) -> Iterator[Array]:
    """Standard normal paths in batches, each from a generator of its own."""
    for batch in range(ceil(paths / _BATCH)):
        generator = np.random.default_rng([seed, stream, batch])
        yield generator.standard_normal((MAX_RUNS[-1], min(_BATCH, paths - batch * _BATCH)))


def level_parts(smallest: Array, alpha: float, paths: int) -> int:
    """The largest level that at most a share ``alpha`` of the paths reaches, over ``alpha``, in 1 / PARTS.

    Args:
        smallest: The smallest p of each path, sorted; paths far above ``alpha`` may be left out.
        alpha: The error rate.
        paths: Number of all paths.
    """
    too_many = float(smallest[int(alpha * paths)])  # with this path there would be one more than allowed
    parts = min(PARTS, ceil(too_many / alpha * PARTS))
    return parts if alpha * parts / PARTS < too_many else parts - 1


def find_levels(paths: int, seed: int, tell: Callable[[str], None]) -> tuple[tuple[int, ...], ...]:
    """Rows of levels, one for each entry of ``MAX_RUNS``; the first look alone needs none below the error rate."""
    kept: list[list[Array]] = [[] for _ in MAX_RUNS]
    for values in _batches(paths, seed, stream=0):
        for row, smallest in zip(kept, smallest_p(values), strict=True):
            row.append(smallest[smallest <= 2 * SUITE_ALPHA])
    tell(f"levels: {paths} paths simulated")
    ordered = [np.sort(np.concatenate(row)) for row in kept]
    rows = [tuple(level_parts(smallest, alpha, paths) for alpha in alphas()) for smallest in ordered[1:]]
    return (tuple(PARTS for _ in GATES), *rows)


def find_factors(
    levels: Sequence[Sequence[int]], paths: int, seed: int, tell: Callable[[str], None]
) -> tuple[tuple[int, ...], ...]:
    """Rows of MDE factors for these levels: the shift at which ``POWER`` of the paths fall to the level."""
    limits = np.array(levels) * np.array(alphas()) / PARTS
    power = np.zeros((SHIFTS.size, *limits.shape))
    for values in _batches(paths, seed, stream=1):
        for step, shift in enumerate(SHIFTS):
            power[step] += (smallest_p(values + shift)[:, None, :] <= limits[:, :, None]).sum(axis=2)
        tell(f"MDE: {values.shape[1]} of {paths} paths simulated at {SHIFTS.size} shifts")
    power /= paths

    def parts(row: int, column: int) -> int:
        return ceil(float(np.interp(POWER, power[:, row, column], SHIFTS)) * FACTOR_PARTS)

    return tuple(tuple(parts(row, column) for column in range(len(GATES))) for row in range(len(MAX_RUNS)))


def _rows(name: str, rows: Sequence[Sequence[int]]) -> str:
    lines = [f"{name}: Final[dict[int, tuple[int, ...]]] = {{"]
    for runs, row in zip(MAX_RUNS, rows, strict=True):
        parts = "(PARTS,) * len(GATES)" if set(row) == {PARTS} else f"({', '.join(map(str, row))})"
        lines.append(f"    {runs}: {parts},")
    return "\n".join([*lines, "}"])


def render(tables: Tables) -> str:
    """The module's text, as ``ruff format`` leaves it."""
    largest, smallest = (
        f"{100 * sqrt((1 - alpha) / alpha / tables.paths[0]):.1f} % of itself at {100 * alpha:g} %"
        for alpha in (alphas()[0], alphas()[-1])
    )
    return f'''"""Levels of sequential verdicts: generated data, made anew by ``python -m perf.verdicts.levels``.

{tables.paths[0]} simulated paths for the levels and {tables.paths[1]} for the MDE, seed {tables.seed}, {tables.made}.
Standard error of the error rate that a level keeps: {largest}, {smallest}.
"""

from typing import Final

GATES: Final = ({", ".join(map(str, GATES))})
"""Numbers of gates that share {100 * SUITE_ALPHA:g} %."""

ALPHAS: Final = tuple({SUITE_ALPHA} / gates for gates in GATES)
"""Error rates over all looks: the columns of both tables, the largest first."""

MAX_RUNS: Final = (*range({FIRST_LOOK}, {MAX_RUNS[-4] + 1}), {", ".join(map(str, MAX_RUNS[-3:]))})
"""Numbers of blocks at which it ends undecided, looked at from block {FIRST_LOOK} on: the rows of both tables."""

PARTS: Final = {PARTS}
FACTOR_PARTS: Final = {FACTOR_PARTS}
POWER: Final = {POWER}

# By number of blocks and error rate: the level of one look over the error rate, in 1 / PARTS.
{_rows("LEVELS", tables.levels)}

# By number of blocks and error rate: the shift, in SD of the values, that is found with POWER, in 1 / FACTOR_PARTS.
{_rows("FACTORS", tables.factors)}
'''


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf.verdicts.levels", description=__doc__)
    parser.add_argument("--paths", type=int, default=1_000_000, metavar="N", help="simulated paths (1000000)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random numbers (1)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="harness/judge/levels.py")
    parsed = parser.parse_args(arguments)
    if parsed.paths < FEWEST_PATHS:
        parser.error(f"--paths {parsed.paths}: below {FEWEST_PATHS} the smallest error rate is not even one path")

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    few = max(FEWEST_PATHS, parsed.paths // 10)  # the power is near 90 %, where fewer paths are enough
    levels = find_levels(parsed.paths, parsed.seed, tell)
    factors = find_factors(levels, few, parsed.seed, tell)
    made = datetime.now(UTC).date().isoformat()
    parsed.out.write_text(render(Tables((parsed.paths, few), parsed.seed, made, levels, factors)), "utf-8")
    tell(f"written: {parsed.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
