"""The shell commands: ``python -m harness <command>``. A table of wiring, without logic of its own."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from harness.records.errors import HarnessError

_MAX_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except HarnessError as error:
        sys.stderr.write(f"harness {options.command}: {error}\n")
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_serve(commands.add_parser("serve", help="serve a small real model with Ollama's API"))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--threads", type=_positive, default=1, help="threads of a request that names none")
    parser.add_argument("--model", type=Path, help="a GGUF file to serve instead of the one made here")
    parser.add_argument("--cache-dir", type=Path, help="where the made model is kept")
    parser.add_argument("--shape", choices=("standard", "light"), default="standard", help="size of that model")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> NoReturn:
    parent = os.getppid() if options.with_parent else None
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    from harness.servers.embedded.serve import serve  # noqa: PLC0415 - other commands need no engine

    serve(
        options.host,
        options.port,
        model_path=options.model,
        cache_dir=options.cache_dir,
        shape=options.shape,
        threads=options.threads,
        parent=parent,
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to {_MAX_PORT}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads: use 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
