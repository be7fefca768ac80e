"""``python -m perf.fidelity``: measures the measuring clients."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.records.errors import HarnessError
from perf.fidelity.loads import STALLS, STREAMS, load_of
from perf.fidelity.session import NAMES, Request, run_benchmark, to_stderr, write_result


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(NAMES)}")
    return names


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(int(part) for part in text.split(","))
    if min(counts) < 1:
        raise argparse.ArgumentTypeError("a number of streams is at least 1")
    return counts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf.fidelity", description=__doc__)
    parser.add_argument("--streams", type=_counts, default=STREAMS, metavar="N,N", help=f"default {STREAMS}")
    parser.add_argument("--clients", type=_names, default=NAMES, metavar="NAME,NAME", help=f"default {','.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="the figures are medians over them (3)")
    parser.add_argument(
        "--burst", action=argparse.BooleanOptionalAction, default=True, help="all streams start at once"
    )
    parser.add_argument(
        "--stalls", action=argparse.BooleanOptionalAction, default=True, help="the load with stalls too"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the order of the clients (random, and printed)")
    parser.add_argument("--out", type=Path, default=Path(".perf/fidelity"), metavar="DIR", help=".perf/fidelity")
    parser.add_argument("--guidellm", metavar="PATH", help="the guidellm program (on PATH)")
    parser.add_argument("--aiperf", metavar="PATH", help="the aiperf program (on PATH)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    loads = [load_of(streams) for streams in parsed.streams]
    if not parsed.burst:
        loads = [load.spread() for load in loads]
    if parsed.stalls:
        loads.append(STALLS)
    request = Request(
        loads=tuple(loads),
        clients=parsed.clients,
        rounds=parsed.rounds,
        seed=secrets.randbelow(2**31) if parsed.seed is None else parsed.seed,
        programs={name: path for name in ("guidellm", "aiperf") if (path := getattr(parsed, name))},
    )
    try:
        result = run_benchmark(request, to_stderr)
        written = write_result(result, parsed.out)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{result.table()}\nseed {request.seed}; {written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
