"""Text of servers, models and users in GitHub's Markdown: shown as it is, and nothing but shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.report.text import printable

_PLAIN = frozenset(" ,;()%+-/'?=")
_SPLIT = frozenset("@#")
"""What makes a mention or a reference of the word after it; as code it makes none."""


def _entities(text: str) -> str:
    """Every character that could mean something where it stands as a numeric entity."""
    around = f" {text} "
    return "".join(c if _means_nothing(*around[place : place + 3]) else f"&#{ord(c)};" for place, c in enumerate(text))


def _means_nothing(before: str, c: str, after: str) -> bool:
    """True of a letter, and of what makes no markup, link or emoji between these two."""
    if c == ":":
        return after == " "
    if c == ".":
        return not (before.isalpha() and after.isalnum())
    if c == "_":
        return before.isalnum() and after.isalnum()
    return c.isalnum() or c in _PLAIN or not c.isascii()


def code(text: str) -> str:
    """A name as code, in which GitHub looks for no markup, mention, reference, emoji or link."""
    shown = printable(text)
    if not shown.strip():
        return "(no name)"
    if shown.strip() == shown and not {"`", "|", "\\"} & {*shown}:
        return f"`{shown}`"
    return f"<code>{_entities(shown)}</code>"


def prose(text: str) -> str:
    """A sentence of ours with names in it: their characters mean nothing."""
    shown = _entities(printable(text))
    for c in _SPLIT:
        shown = shown.replace(f"&#{ord(c)};", f"<code>&#{ord(c)};</code>")
    return shown


def code_block(lines: Iterable[str]) -> list[str]:
    """Lines as a block of code; its fence is longer than any in it."""
    shown = [printable(line) for line in lines]
    fence = "```"
    while any(fence in line for line in shown):
        fence += "`"
    return [fence, *shown, fence]


def table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A table of cells that are Markdown already; the first ``left`` columns flush left, the others flush right."""
    marks = ["---" if place < left else "---:" for place in range(len(rows[0]))]
    return [f"| {' | '.join(cells)} |" for cells in (rows[0], marks, *rows[1:])]
