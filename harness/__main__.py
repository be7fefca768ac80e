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
_MIN_RATE, _MAX_RATE = 1e-9, 1e12
_MISUSE, _INVALID = 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except HarnessError as error:
        sys.stderr.write(f"harness {options.command}: {error}\n")
        return _MISUSE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_serve(commands.add_parser("serve", help="serve a small real model with Ollama's API"))
    _add_truth(commands.add_parser("truth", help="serve tokens at known times, to check what a client measures"))
    _add_calibrate(commands.add_parser("calibrate", help="measure what this machine's measuring client is off by"))
    _add_judge(commands.add_parser("judge", help="judge a session again from its journal, without a server"))
    _add_published(commands.add_parser("published", help="print published tables again from their raw runs"))
    _add_check(commands.add_parser("check", help="check running servers before work is trusted to them"))
    _add_watch(commands.add_parser("watch", help="watch running servers, until a symptom of contention holds"))
    return parser


def _add_watch(parser: argparse.ArgumentParser) -> None:
    from harness.scenarios.watching import REPEATED_WATCH_OPTIONS, WATCH_OPTIONS  # noqa: PLC0415

    add = parser.add_argument
    for flag, metavar, text in WATCH_OPTIONS:
        add(flag, metavar=metavar, help=text, action="append" if flag in REPEATED_WATCH_OPTIONS else "store")
    add("--no-probe", action="store_true", help="ask the servers for nothing but their state")
    add("--json", action="store_true", help="print a line of JSON each round")
    parser.set_defaults(run=_watch)


def _watch(options: argparse.Namespace) -> int:
    from harness.plugin.watch_command import run_watch  # noqa: PLC0415 - other commands draw nothing

    return run_watch(options)


def _add_check(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--url", action="append", metavar="URL", help="a server; repeatable (Ollama's two usual ports, 11434 and 11435)"
    )
    add("--model", metavar="NAME", help="the model (gemma3:latest)")
    add("--num-ctx", type=_positive, metavar="N", help="context length that it is to be loaded with")
    add("--num-gpu", type=_layers, metavar="N", help="layers that are to be in GPU memory; 0: none")
    add("--gpu", action="store_true", help="the whole model is to be in GPU memory")
    add("--load", action="store_true", help="load the model where it is not loaded, and unload it there at the end")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from harness.plugin.check_command import run_check  # noqa: PLC0415 - other commands need no servers

    return run_check(options)


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--streams", type=_positive, default=2, help="streams at the same time (%(default)s)")
    parser.add_argument("--requests", type=_positive, default=200, help="requests in all, at least (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415 - the servers' commands start faster without

    from harness.judge import calibration_faults, calibration_of  # noqa: PLC0415
    from harness.measure import measuring_loops, rounds_for, run_calibration  # noqa: PLC0415
    from harness.report import calibration_json, calibration_line  # noqa: PLC0415
    from harness.scenarios import InstrumentLimits  # noqa: PLC0415
    from harness.servers.host import allow_open_files, apart  # noqa: PLC0415

    streams: int = options.streams
    allow_open_files(2 * streams)
    (factory,) = measuring_loops().values()
    with apart() as server_cpus, asyncio.Runner(loop_factory=factory) as runner:
        run = runner.run(run_calibration(streams, rounds_for(streams, options.requests), server_cpus))
    found = calibration_of(run.pairs, streams=streams, cpu_s=run.cpu_s, loop_lag=run.loop_lag, loop=run.loop)
    sys.stdout.write((calibration_json(found) if options.json else calibration_line(found).strip()) + "\n")
    faults = calibration_faults(found, InstrumentLimits())
    for fault in faults:
        sys.stderr.write(f"harness calibrate: worse than its limit: {fault}\n")
    return 1 if faults else 0


def _add_judge(parser: argparse.ArgumentParser) -> None:
    from harness.scenarios.options import OUTPUT_OPTIONS, REPEATED_TERMS_OPTIONS, TERMS_OPTIONS  # noqa: PLC0415

    add = parser.add_argument
    add("journal", type=Path, metavar="FILE", help="the session's journal")
    for flag, text in OUTPUT_OPTIONS:
        add(flag, type=Path, metavar="FILE", help=text)
    add(
        "--inconclusive", choices=("pass", "fail"), default="pass", help="what an INCONCLUSIVE verdict is (%(default)s)"
    )
    for flag, metavar, text in TERMS_OPTIONS:
        add(flag, metavar=metavar, help=text, action="append" if flag in REPEATED_TERMS_OPTIONS else "store")
    parser.set_defaults(run=_judge)


def _judge(options: argparse.Namespace) -> int:
    from harness.judge import Verdict, judge_session  # noqa: PLC0415
    from harness.judge.session import judge_studies  # noqa: PLC0415
    from harness.report import JudgedSession, judged_lines, write_outputs  # noqa: PLC0415
    from harness.report.outputs import checked_outputs  # noqa: PLC0415
    from harness.scenarios.options import Reader, read_again  # noqa: PLC0415
    from harness.store import read_journal, read_thresholds  # noqa: PLC0415

    read = Reader(lambda flag: vars(options)[flag[2:].replace("-", "_")])
    paths = checked_outputs(read.text)
    stored = read_journal(options.journal)
    table = read_thresholds(Path(options.thresholds) if options.thresholds else None, None)
    session = stored.session
    if unknown := table.names_beside(session.options):  # perhaps another scenario of the user's, perhaps misspelt
        sys.stderr.write(f"harness judge: {options.thresholds}: limits of {', '.join(unknown)}: not in the journal\n")
    terms = read_again(read, table, session.profile, stored.terms_or_usual(table))
    summaries = judge_session(session, terms, stored.faults)
    studies = judge_studies(session, stored.studies, stored.faults)
    stoppings = [each.stopping for each in terms.values()] + [each.stopping for each in stored.studies.values()]
    judged = JudgedSession(session, str(stored.path.resolve()), stoppings[0], summaries, studies, terms)
    write_outputs(judged, paths)
    sys.stdout.write("\n".join(judged_lines(session, summaries, studies, cut=stored.cut)) + "\n")
    verdicts = {summary.verdict for summary in summaries}
    if Verdict.INVALID in verdicts or any(study.failed for study in studies):
        return _INVALID
    strict = options.inconclusive == "fail"
    return 1 if Verdict.FAIL in verdicts or (strict and Verdict.INCONCLUSIVE in verdicts) else 0


def _add_published(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, metavar="FOLDER", help="*.jsonl, or a tree with the public metrics.json files")
    add("--cells", type=Path, metavar="FILE", help="published cells (CSV); the last line: how many came out")
    add("--solo-tok-s", type=_rate, metavar="RATE", help="decode rate alone (default: that of solo runs there)")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_published)


def _published(options: argparse.Namespace) -> int:
    from harness.judge.published import judge_published  # noqa: PLC0415
    from harness.report.published import published_json, published_text  # noqa: PLC0415
    from harness.store.published import read_expected_cells, read_published  # noqa: PLC0415

    cells = None if options.cells is None else read_expected_cells(options.cells, options.folder)
    judged = judge_published(read_published(options.folder), cells, options.solo_tok_s)
    sys.stdout.write(published_json(judged) if options.json else published_text(judged))
    return 1 if judged.missed else 0


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, required=True, help="port to listen on; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--threads", type=_positive, default=1, help="threads of a request that names none")
    parser.add_argument("--parallel", type=_positive, help="requests at once (default: $OLLAMA_NUM_PARALLEL, else 1)")
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
        parallel=options.parallel,
        parent=parent,
    )


def _add_truth(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--port", type=_port, action="append", required=True, help="port to listen on; 0 takes a free one; repeatable")
    add("--config", type=Path, help="a configuration in JSON (see GET /truth/config); other options go over it")
    add("--ttft-ms", type=float, help="prefill: from the grant of a slot to the first token")
    add("--gap-ms", type=float, help="from token to token: the value, the mean, or a gap without its stall")
    add("--gaps", choices=("fixed", "exponential", "stalls"), help="how gaps are drawn")
    add("--stall-ms", type=float, help="added to one gap in every --stall-every")
    add("--stall-every", type=int, help="see --stall-ms")
    add("--trace", type=Path, help="a JSON list of gaps in ms that are replayed")
    add("--tokens", type=int, help="tokens of an answer; by default what the request asks for, or 128")
    add("--slowdown", type=float, help="how many times slower a request is while another one runs")
    add("--pool-tok-s", type=float, help="tokens a second that all requests share")
    add("--memory-mib", type=float, help="the device's memory")
    add("--model", action="append", metavar="NAME[=MIB]", help="a model and its size; repeatable")
    add("--load-ms", type=float, help="a cold load of a model")
    add("--spill-slowdown", type=float, help="how many times slower a model is that is wholly outside the memory")
    add("--slots", type=int, help="requests that a port works on at once; 0: no limit")
    add("--fault", metavar="KIND", help="what goes wrong in every answer, such as reset or packed_lines")
    add("--fault-after", type=int, help="tokens sent before the fault strikes")
    add("--no-nodelay", action="store_true", help="leave Nagle's algorithm on")
    add("--seed", type=int, help="of everything drawn")
    add("--with-parent", action="store_true", help="end when the process that started this one ends")
    parser.set_defaults(run=_truth)


def _truth(options: argparse.Namespace) -> int:
    parent = os.getppid() if options.with_parent else None
    logging.basicConfig(stream=sys.stderr, level=logging.ERROR)
    from harness.servers.truth.command import config_of  # noqa: PLC0415 - other commands need no server
    from harness.servers.truth.serve import serve  # noqa: PLC0415

    serve(options.port, config_of(options), parent=parent)
    return 0


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 0 to {_MAX_PORT}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0: use 1 or more")
    return int(text)


def _layers(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of layers: use 0 or more")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not _MIN_RATE <= rate <= _MAX_RATE:  # false for NaN too
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate above 0: use tokens per second")
    return rate


if __name__ == "__main__":
    sys.exit(main())
