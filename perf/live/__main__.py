"""``python -m perf.live``: what drawing the live terminal costs the instrument.

Calibrates in turn without a display, with notes on a board that nobody reads, and drawn, in an order that is shuffled
each round; the drawing process shares the measuring one's CPUs. Drawn is on the terminal, or where there is none, on
one whose other end is read and thrown away.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from harness.measure import measuring_loops, rounds_for
from harness.records import Calibration
from harness.report.live.display import Display
from harness.report.text import aligned
from harness.servers.host import apart
from perf.live.arms import ARMS, TITLES, Arm, any_terminal, joined, measure

_COLUMNS = (
    "",
    "tokens",
    "TTFT error p50 us",
    "p99 us",
    "gap error p99 us",
    "in one read %",
    "CPU ms per 1000 tokens",
    "drawing % of a core",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf.live", description=__doc__)
    parser.add_argument("--streams", type=int, default=16, metavar="N", help="streams at the same time (%(default)s)")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="calibrations of each arm (%(default)s)")
    parser.add_argument("--requests", type=int, default=320, metavar="N", help="requests of each one (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of arms (%(default)s)")
    options = parser.parse_args(arguments)
    found = _measured(options.streams, options.rounds, options.requests, options.seed)
    sys.stdout.write("\n".join(table(found, options.streams)) + "\n")
    return 0


def _measured(streams: int, rounds: int, requests: int, seed: int) -> Mapping[str, Arm]:
    parts: dict[str, list[Arm]] = {arm: [] for arm in ARMS}
    order, (factory,) = random.Random(seed), measuring_loops().values()  # noqa: S311 - an order, not a secret
    with (
        apart() as cpus,
        any_terminal() as terminal,
        Display(terminal, streams) as display,
        asyncio.Runner(loop_factory=factory) as runner,
    ):
        for _ in range(rounds):
            for arm in order.sample(ARMS, len(ARMS)):
                parts[arm].append(runner.run(measure(arm, streams, rounds_for(streams, requests), cpus, display)))
    return {arm: joined(each) for arm, each in parts.items()}


def table(found: Mapping[str, Arm], streams: int) -> list[str]:
    """A line for each arm: the median of its rounds, and the least and the most of one."""
    return aligned([_COLUMNS, *(_row(name, arm, streams) for name, arm in found.items())], left=(0,))


def _row(name: str, arm: Arm, streams: int) -> tuple[str, ...]:
    """Medians over the rounds: what else the host does in one of them is no part of the arm."""
    found = arm.results(streams)

    def middle(figure: Callable[[Calibration], float], digits: int) -> str:
        each = sorted(map(figure, found))
        return f"{median(each):.{digits}f} ({each[0]:.{digits}f}..{each[-1]:.{digits}f})"

    return (
        TITLES[name],
        str(sum(each.tokens for each in found)),
        middle(lambda each: 1000 * each.ttft_error_p50_ms, 1),
        middle(lambda each: 1000 * each.ttft_error_p99_ms, 1),
        middle(lambda each: 1000 * each.gap_error_p99_ms, 1),
        middle(lambda each: 100 * each.coalesced_share, 2),
        middle(lambda each: 1000 * each.cpu_s_per_1000_tokens, 1),
        f"{100 * arm.drawn_s / arm.took_s:.2f}",
    )


if __name__ == "__main__":
    sys.exit(main())
