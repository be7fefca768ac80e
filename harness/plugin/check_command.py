"""``python -m harness check``: the checklist of servers that the command line names. Without pytest."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from harness.judge.self_test import contention_item
from harness.records.checklist import CheckItem, Checklist
from harness.records.errors import HarnessError
from harness.report.checklist import checklist_json, checklist_lines
from harness.scenarios import ContentionRules
from harness.servers.api import OllamaApi
from harness.servers.checklist import check_servers
from harness.servers.findings import Asked, Finding, merged
from harness.servers.fleet import Server
from harness.servers.model import model_in_place
from harness.servers.selection import DEFAULT_MODEL, DEFAULT_PORTS, Selection, checked_url

LOADING = "model can be loaded"
"""Name of the item that ``--load`` adds."""


def run_check(options: argparse.Namespace) -> int:
    """``python -m harness check``: prints the checklist; 0, or 1 if an item failed.

    Raises:
        HarnessError: If an option is not one.
    """
    usual = [f"http://127.0.0.1:{port}" for port in DEFAULT_PORTS]
    urls = [checked_url(text, "--url") for text in options.url or usual]
    wanted = {"num_ctx": options.num_ctx, "num_gpu": options.num_gpu}
    runner: dict[str, float] = {name: value for name, value in wanted.items() if value is not None}
    asked = Asked(options.model or DEFAULT_MODEL, dict.fromkeys(urls, (runner,)), gpu=options.gpu)
    checklist = asyncio.run(_check(urls, asked, runner, load=options.load))
    text = checklist_json(checklist) if options.json else "\n".join(checklist_lines(checklist))
    sys.stdout.write(text + "\n")
    return 1 if checklist.failed else 0


async def _check(urls: Sequence[str], asked: Asked, runner: dict[str, float], *, load: bool) -> Checklist:
    async with contextlib.AsyncExitStack() as stack:
        servers = []
        for url in urls:
            api = OllamaApi(url)
            stack.push_async_callback(api.close)
            servers.append(Server(url, "connect", api))
        before: tuple[CheckItem, ...] = ()
        if load:
            findings = await stack.enter_async_context(_loaded(servers, asked.model, runner))
            asked = replace(asked, loaded_now=frozenset(each.subject for each in findings if each.status == "ok"))
            before = (merged(LOADING, findings),) if findings else ()
        found = await check_servers(servers, asked)
        return Checklist((*before, *found.items, contention_item(ContentionRules())))


@asynccontextmanager
async def _loaded(servers: Sequence[Server], model: str, runner: dict[str, float]) -> AsyncIterator[list[Finding]]:
    """The model loaded where it is and was not; unloaded there on exit. A server that does not answer is left out."""
    cold = [server for server in servers if await _is_cold(server, model)]
    async with model_in_place(tuple(cold), Selection("connect", "check", model), lambda _line: None):
        yield [await _load(server, model, runner) for server in cold]


async def _is_cold(server: Server, model: str) -> bool:
    try:
        return await server.api.find(model) is not None and await server.api.find_loaded(model) is None
    except HarnessError:
        return False


async def _load(server: Server, model: str, runner: dict[str, float]) -> Finding:
    try:
        await server.api.load(model, runner)
    except HarnessError as error:
        return Finding(server.url, "failed", str(error), "see the server's log; lower num_ctx, or free memory")
    return Finding(server.url, "ok", "it was not loaded, and could be")
