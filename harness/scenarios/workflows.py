"""The agents' workflows: what each asks of its model, and the little work it does itself.

The prompts of one workflow are the same in every arm of every block but for the nonce that the measuring side
puts at their start: a prompt made from an earlier answer would make the work of the arms differ.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from statistics import fmean

from harness.records.stream import RequestRecord

Ask = Callable[[str, str], Awaitable[RequestRecord]]
"""``await ask(name, prompt)`` sends one measured request and gives its record."""

Workflow = Callable[[Ask], Awaitable[None]]

RECORDS_CSV = """\
server,tokens,seconds,first
one,96,2,0.4
two,84,2,0.5
one,90,2,0.4
two,72,2,0.7
"""


@dataclass(frozen=True, slots=True)
class BenchmarkRecord:
    """One row that the DataCollector ingests: tokens, seconds, and seconds to the first token."""

    server: str
    tokens: int
    seconds: float
    first: float


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Mean throughput (tok/s) and mean time to first token (s) of one server."""

    server: str
    throughput: float
    first: float


def ingest(text: str) -> tuple[BenchmarkRecord, ...]:
    """Reads benchmark records from CSV text with a header line."""
    return tuple(
        BenchmarkRecord(row["server"], int(row["tokens"]), float(row["seconds"]), float(row["first"]))
        for row in csv.DictReader(text.splitlines())
    )


def aggregate(records: tuple[BenchmarkRecord, ...]) -> tuple[Aggregate, ...]:
    """Mean throughput and time to first token by server, in order of appearance."""
    by_server: dict[str, list[BenchmarkRecord]] = defaultdict(list)
    for record in records:
        by_server[record.server].append(record)
    return tuple(
        Aggregate(server, fmean(r.tokens / r.seconds for r in rows), fmean(r.first for r in rows))
        for server, rows in by_server.items()
    )


def _table(rows: tuple[Aggregate, ...]) -> str:
    return "\n".join(
        f"server {row.server}: {row.throughput:.0f} tokens a second, first {row.first:.2f}" for row in rows
    )


async def data_collector(ask: Ask) -> None:
    """Ingests benchmark records and aggregates them: two calls."""
    records = ingest(RECORDS_CSV)
    listed = "\n".join(f"server {r.server}: {r.tokens} tokens in {r.seconds:.0f} seconds" for r in records)
    await ask("ingest", f"These are benchmark records of two servers.\n{listed}\nDescribe each record at length.")
    await ask(
        "aggregate",
        f"The average of all records is:\n{_table(aggregate(records))}\nWrite a long report of it.",
    )


async def insight(ask: Ask) -> None:
    """Analyses the aggregate it is handed: two calls."""
    handed = _table(aggregate(ingest(RECORDS_CSV)))
    await ask(
        "analyse",
        f"Here is a report of two servers.\n{handed}\nExplain at length which one is better and why.",
    )
    await ask("recommend", f"Two agents run on these servers.\n{handed}\nWrite a long plan of what to change.")


async def only_prefill(ask: Ask) -> None:
    """Has one prompt read after the other until it is cut off; ask for one token each."""
    while True:
        await ask("prefill", "Read this.")


async def only_decode(ask: Ask) -> None:
    """Has one long text written after the other until it is cut off."""
    while True:
        await ask("decode", "Write.")


ONLY_PREFILL, ONLY_DECODE = "only_prefill", "only_decode"
WORKFLOWS: Mapping[str, Workflow] = {"data_collector": data_collector, "insight": insight}
ENDLESS_WORKFLOWS: Mapping[str, Workflow] = {ONLY_PREFILL: only_prefill, ONLY_DECODE: only_decode}
"""Those of agents in the background: they go on until they are cut off."""
