"""``python -m perf.verdicts``: how often verdicts on changes are wrong, and how often they find what is there.

Records A/A sessions and sessions with a known change, and judges the same recordings by our gates and by
pytest-benchmark's own comparison.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.records.errors import HarnessError
from perf.verdicts.session import Request, judge_all, record, to_stderr, write_result

_USUAL = Request()


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("a number, 0 or more")
    return count


def _some(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("a number, 1 or more")
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m perf.verdicts", description=__doc__)

    def number(option: str, usual: int, meaning: str, *, least: int = 1) -> None:
        kind = _some if least else _count
        parser.add_argument(option, type=kind, default=usual, metavar="N", help=f"{meaning} ({usual})")

    number("--sessions", _USUAL.sessions, "A/A sessions of each paced world", least=0)
    number("--injected", _USUAL.injected, "sessions of each paced world and change", least=0)
    number("--embedded-sessions", _USUAL.embedded, "A/A sessions on the embedded engine", least=0)
    number("--pairs", _USUAL.pairs, "pairs of blocks in a paced session, at most in an embedded one")
    number("--fewest-pairs", _USUAL.fewest_pairs, "pairs in an embedded session, at least")
    number("--num-predict", _USUAL.num_predict, "tokens of an embedded request")
    number("--lanes", _USUAL.lanes, "paced sessions at the same time")
    parser.add_argument("--seed", type=int, default=None, help="of the dialled noise (random, and printed)")
    parser.add_argument("--out", type=Path, default=Path(".perf/verdicts"), metavar="DIR", help=".perf/verdicts")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR", help="judge what is recorded there again")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parsed = _parser().parse_args(arguments)
    request = Request(
        sessions=parsed.sessions,
        injected=parsed.injected,
        embedded=parsed.embedded_sessions,
        pairs=parsed.pairs,
        fewest_pairs=parsed.fewest_pairs,
        num_predict=parsed.num_predict,
        lanes=parsed.lanes,
        seed=secrets.randbelow(2**31) if parsed.seed is None else parsed.seed,
    )
    out = parsed.source or parsed.out
    try:
        if parsed.source is None:
            record(request, out, to_stderr)
        result = judge_all(out)
        written = write_result(result, out)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    seed = "" if parsed.source else f"seed {request.seed}; "
    sys.stdout.write(f"{result.text()}\n{seed}{written}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
