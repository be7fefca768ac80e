"""``python -m harness watch``: servers live, until a symptom has held for long enough. Without pytest."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.live import Live

from harness.judge.watch import JudgedRound, RoundJudge
from harness.measure import measuring_client, measuring_loops, monotonic_ns
from harness.measure.looking import Looker
from harness.measure.probing import Prober, watch_rounds
from harness.records.errors import ConfigurationError
from harness.report.watch import fired_line, watch_json, watch_lines
from harness.report.watch_screen import watch_screen
from harness.scenarios.options import Reader, read_contention
from harness.scenarios.terms import ContentionRules
from harness.scenarios.watching import (
    SYMPTOMS,
    ProbeSettings,
    WatchRules,
    parse_probe_options,
    probe_deadline_s,
)
from harness.servers.api import OllamaApi
from harness.servers.fleet import Server
from harness.servers.nvml import open_nvml
from harness.servers.selection import DEFAULT_PORTS, checked_url

_QUIET, _SYMPTOM, _DOWN = 0, 1, 3
_INTERRUPTED, _UNREAD, _ENDED = 130, 141, 143
_NS = 1e9
_HUNDRED = 100.0

T = TypeVar("T")
Show = Callable[[JudgedRound], None]


def run_watch(options: argparse.Namespace) -> int:
    """``python -m harness watch``: shows rounds; how it ended is the exit status.

    0 after ``--duration`` or ``--rounds``, 1 for a symptom that has held, 3 for a server that was down for as long, 130
    after Ctrl-C, 143 after SIGTERM, 141 if nobody reads the output any more.

    Raises:
        HarnessError: If an option is not one.
    """
    watch = _Watch(options)
    (factory,) = measuring_loops().values()
    try:
        with asyncio.Runner(loop_factory=factory) as runner, _shown(watch.header(), as_json=options.json) as show:
            return runner.run(watch.run(show))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except asyncio.CancelledError:
        return _ENDED
    except BrokenPipeError:  # what Python flushes at its end would fail too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD


class _Watch:
    """What the command line asks for."""

    def __init__(self, options: argparse.Namespace) -> None:
        read = Reader(lambda flag: vars(options)[flag[2:].replace("-", "_")])
        usual = [f"http://127.0.0.1:{port}" for port in DEFAULT_PORTS]
        self.urls = list(dict.fromkeys(checked_url(text, "--url") for text in options.url or usual))
        self.interval_s = _or(read.real("--interval", 0.0), 5.0)
        self.share = _or(read.real("--share", 0.0), 20.0) / _HUNDRED
        self.hold_s = _or(read.real("--for", 0.0), 30.0)
        self.duration_s = read.real("--duration", 0.0)
        self.rounds = read.integer("--rounds", 1)
        self.ignored = frozenset(read.texts("--ignore"))
        contention = read_contention(read, ContentionRules())
        window = read.integer("--window", WatchRules().reference_from)
        self.rules = WatchRules(
            contention,
            window=_or(window, WatchRules().window),
            foreign_cores=_or(read.real("--foreign-cores", 0.0), WatchRules().foreign_cores),
        )
        self.probes = ProbeSettings(
            tokens=_or(read.integer("--tokens", 2), ProbeSettings().tokens),
            model=read.text("--model"),
            options=parse_probe_options(read.texts("--option")),
            deadline_s=probe_deadline_s(contention),
        )
        self.probing = not options.no_probe
        if not 0 < self.share <= 1:
            raise ConfigurationError(f"--share {_HUNDRED * self.share:g}: write a share of the time, above 0 up to 100")
        unknown = sorted(self.ignored.difference(SYMPTOMS))
        if unknown:
            raise ConfigurationError(f"--ignore {unknown[0]!r}: choose one of {', '.join(SYMPTOMS)}")

    def header(self) -> list[str]:
        """What is watched, how, and what it costs."""
        ends = f"exit 1 when a symptom has held for {self.hold_s:g} s, 3 when a server was down for as long"
        if not self.probing:
            return [f"harness watch: every {self.interval_s:g} s, without probes; {ends}"]
        arms = "alone and together" if len(self.urls) > 1 else "alone"
        return [
            f"harness watch: every {self.interval_s:g} s; {ends}",
            f"probes: {self.probes.tokens} tokens, {arms}, at most {_HUNDRED * self.share:g} % of the time. They load "
            "no model, but begin a loaded model's keep-alive again, and take a slot's prompt cache",
        ]

    async def run(self, show: Show) -> int:
        """Watches until something ends it."""
        task = asyncio.current_task()
        if task is not None and sys.platform != "win32":
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        judge = RoundJudge(self.rules)
        begun_ns = monotonic_ns()

        def left_s(now_ns: int) -> float:
            return math.inf if self.duration_s is None else self.duration_s - (now_ns - begun_ns) / _NS

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(max(0.0, min(seconds, left_s(monotonic_ns()))))

        async with contextlib.AsyncExitStack() as stack:
            prober = await self._prober(stack)
            rounds = watch_rounds(prober.round, interval_s=self.interval_s, share=self.share, sleep=sleep)
            async for made in await stack.enter_async_context(contextlib.aclosing(rounds)):
                judged = judge.judge(made)
                show(judged)
                held = judged.held(self.hold_s, self.ignored)
                if held is not None:
                    sys.stderr.write(f"harness watch: {fired_line(judged, held)}\n")
                    return _DOWN if held.rule == "down" else _SYMPTOM
                if made.index == self.rounds or left_s(made.ended_ns) <= 0:
                    break
        return _QUIET

    async def _prober(self, stack: contextlib.AsyncExitStack) -> Prober:
        servers, clients = [], {}
        for url in self.urls:
            api = OllamaApi(url)
            stack.push_async_callback(api.close)
            clients[url] = await stack.enter_async_context(measuring_client(url))
            servers.append(Server(url, "connect", api))
        looker = Looker(servers, stack.enter_context(open_nvml()))
        return Prober(servers, clients, looker, self.probes if self.probing else None, seed=time.time_ns())


def _or(value: T | None, usual: T) -> T:
    return usual if value is None else value


@contextlib.contextmanager
def _shown(header: Sequence[str], *, as_json: bool) -> Iterator[Show]:
    """What shows a round: JSON Lines, a live screen on a terminal, or plain lines."""
    if as_json or not sys.stdout.isatty():
        if not as_json:
            _write(header)
        yield lambda judged: _write([watch_json(judged)] if as_json else watch_lines(judged))
        return
    console = Console(highlight=False)
    with Live(console=console, auto_refresh=False) as live:
        yield lambda judged: live.update(watch_screen(judged, header), refresh=True)


def _write(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
