"""A round of ``harness watch`` for a terminal, with rich. Nothing that a server said is read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from harness.judge.watch import JudgedRound, JudgedServer
from harness.report.text import printable
from harness.report.watch import (
    clock_time,
    compared_words,
    contention_words,
    fired_line,
    gpu_words,
    model_words,
    probe_words,
    progress_words,
    reference_words,
    tree_words,
)


def watch_screen(judged: JudgedRound, header: Sequence[str]) -> RenderableType:
    """All that is known after a round.

    Args:
        judged: The round.
        header: Lines about the watch itself, to stand above.
    """
    parts: list[RenderableType] = [Text(line, "dim") for line in (*header, progress_words(judged))]
    parts.append(_symptoms(judged))  # first: what does not fit on a small terminal is cut off below
    parts += [_server(judged, server) for server in judged.servers]
    parts += [Text(f"GPU {gpu_words(gpu)}") for gpu in judged.made.gpus]
    return Group(*parts)


def _server(judged: JudgedRound, server: JudgedServer) -> Panel:
    look, made = server.look, judged.made
    up = look.trouble is None
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(ratio=1, overflow="fold")
    for name, words in _rows(judged, server):
        rows.add_row(name, Text(words))
    version = f" {printable(look.version)}" if up else ""
    title = Text.assemble(
        f"{printable(look.url)}{version} ",
        ("up" if up else "DOWN", "bold green" if up else "bold red"),
        f" since {clock_time(made, server.since_ns)}",
    )
    fires = any(each.url == look.url for each in judged.fired)
    return Panel(rows, title=title, title_align="left", border_style="red" if fires else "green")


def _rows(judged: JudgedRound, server: JudgedServer) -> Iterator[tuple[str, str]]:
    look = server.look
    if look.trouble is not None:
        yield "trouble", printable(look.trouble)
        return
    for model in look.models:
        yield "model", model_words(model, judged.made.unix_ns)
    if not look.models:
        yield "model", "none loaded"
    yield "uses", tree_words(server)
    yield "probes", probe_words(server)
    if server.target is not None:
        yield "alone", reference_words(server)
        compared = compared_words(judged, look.url)
        if compared:
            yield "together", compared
    yield "others", ", ".join(map(printable, server.others)) or "none seen"


def _symptoms(judged: JudgedRound) -> Text:
    lines = [(f"SYMPTOM {fired_line(judged, fired)}", "bold red") for fired in judged.fired]
    lines = lines or [("no symptom", "bold green")]
    lines.append((contention_words(judged), "" if judged.comparisons else "yellow"))
    return Text("\n").join(Text(words, style) for words, style in lines)
