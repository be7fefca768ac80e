"""The result as text: for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from perf.fidelity.loads import Load
from perf.fidelity.rows import Row

_NONE = "-"

_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("client", lambda row: row.client),
    ("TTFT err p50 ms", lambda row: _number(row.ttft_p50_ms)),
    ("TTFT err p99 ms", lambda row: _number(row.ttft_p99_ms)),
    ("TTFT bias ms", lambda row: _number(row.ttft_bias_ms, sign=True)),
    ("gap err p99 ms", lambda row: _number(row.gap_p99_ms)),
    ("ITL p99 ms (true)", lambda row: f"{_number(row.itl_p99_ms)} ({_number(row.true_itl_p99_ms)})"),
    ("tok/s err p99 %", lambda row: _number(row.throughput_p99_pct)),
    ("coalesced %", lambda row: _number(_pct(row.coalesced_share))),
    ("start span ms", lambda row: _number(row.burst_span_ms)),
    ("tokens", lambda row: str(row.tokens)),
    ("lost", lambda row: str(row.lost)),
    ("failed", lambda row: f"{row.failed}/{row.requests}"),
    ("preempted", lambda row: _NONE if row.preempted is None else f"{row.preempted:.0f}"),
    ("CPU s/1000 tok", lambda row: _number(row.cpu_s_per_1000) + _net(row)),
)

NOTES = (
    "Error = |reported - true|; the bias keeps its sign. Medians over the rounds; tokens, lost and failed are sums.",
    "TTFT runs from the request's arrival (kernel stamp) to the first token's write on the server, and from what the "
    "client calls sent to its first token. Gaps: between tokens that the server sent in different writes.",
    "Coalesced: gaps that the client reports at less than a tenth of their length. Start span: from the first to the "
    "last arrival at the server of the requests that were started together (the starts themselves may be spread).",
    "Preempted: how often the kernel took the client's CPU away for something else; high counts are a busy host, and "
    "stamps in user space pay for it.",
    "CPU: user and system time of the measured bursts with the parsing; of a whole tool the whole run, and in brackets "
    "less a run of one request.",
    "A whole tool's errors are of its own records of each request; its ITL p99 is its summary's.",
)


def heading(load: Load, rounds: int) -> str:
    """A load in words."""
    stalls = f", {load.stall_ms:g} ms more once in 32" if load.stall_ms else ""
    start = f"starts over {load.spread_ms:g} ms" if load.spread_ms else "all start at one instant"
    times = f"{load.bursts} burst{'s' if load.bursts != 1 else ''}"
    pace = f"{load.tokens} tokens every {load.gap_ms:g} ms{stalls}"
    return f"{load.streams} streams, {pace}, {times}, {start}; {rounds} round{'s' if rounds != 1 else ''}"


def terminal_table(rows: Sequence[Row], loads: Sequence[Load], rounds: int, left_out: Mapping[str, str]) -> str:
    """Tables with aligned columns, one a load."""
    lines: list[str] = []
    for load, header, cells in _tables(rows, loads):
        widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
        lines += [heading(load, rounds), ""]
        for line in (header, *cells):
            first, *others = (
                text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(line, widths, strict=True))
            )
            lines.append("  ".join([first, *others]).rstrip())
        lines.append("")
    lines += [*_summaries(rows), *_warnings(rows, left_out), *NOTES]
    return "\n".join(lines) + "\n"


def markdown(
    rows: Sequence[Row],
    loads: Sequence[Load],
    rounds: int,
    left_out: Mapping[str, str],
    settings: Mapping[str, str],
    host: str,
) -> str:
    """The same as Markdown, with the plot and the settings of each client."""
    lines = ["# Fidelity of measuring clients", "", host, "", "![Errors and CPU over streams](fidelity.png)", ""]
    for load, header, cells in _tables(rows, loads):
        lines += [f"## {heading(load, rounds)}", "", _bar(header), _bar(["---"] + ["---:"] * (len(header) - 1))]
        lines += [*(_bar(line) for line in cells), ""]
    remarks = [*_summaries(rows), *_warnings(rows, left_out), *NOTES]
    lines += ["## Remarks", "", *(f"- {line}" for line in remarks if line), ""]
    lines += ["## How each client is used", "", *(f"- **{name}**: {text}" for name, text in settings.items()), ""]
    return "\n".join(lines)


def _tables(rows: Sequence[Row], loads: Sequence[Load]) -> list[tuple[Load, list[str], list[list[str]]]]:
    header = [title for title, _ in _COLUMNS]
    return [
        (load, header, [[show(row) for _, show in _COLUMNS] for row in rows if row.load == load.name]) for load in loads
    ]


def _summaries(rows: Sequence[Row]) -> list[str]:
    """What the whole tools' summaries are off by."""
    lines = [
        f"{row.client}, {row.load}: its summary's TTFT is off by {_number(row.summary_ttft_p50_ms, sign=True)} ms at "
        f"p50 and {_number(row.summary_ttft_p99_ms, sign=True)} ms at p99; it gives an ITL p99 of "
        f"{_number(row.itl_p99_ms)} ms where the gaps' true p99 is {_number(row.true_itl_p99_ms)} ms."
        for row in rows
        if row.summary_ttft_p50_ms is not None
    ]
    return [*lines, ""] if lines else []


def _warnings(rows: Sequence[Row], left_out: Mapping[str, str]) -> list[str]:
    lines = [f"LEFT OUT: {name}: {reason}" for name, reason in left_out.items()]
    lines += [
        f"FAILED: {row.client}, {row.load}: {' / '.join(row.failure.splitlines())}" for row in rows if row.failure
    ]
    return [*lines, ""] if lines else []


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _net(row: Row) -> str:
    """Of a whole tool: its CPU less its start-up, in brackets."""
    return "" if row.summary_ttft_p50_ms is None else f" ({_number(row.cpu_net_s_per_1000)})"


def _pct(share: float | None) -> float | None:
    return None if share is None else share * 100


def _number(value: float | None, *, sign: bool = False) -> str:
    """Three significant digits, never in powers of ten."""
    if value is None:
        return _NONE
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3  # noqa: PLR2004 - significant digits
    return f"{value:{'+' if sign else ''}.{digits}f}"
