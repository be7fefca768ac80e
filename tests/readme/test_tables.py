"""The README's tables say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from harness.plugin.flags import OPTIONS
from tests.readme.text import ROOT, fenced, readme

_ROW = re.compile(r"^\| `(--[a-z0-9-]+)(?: ([^`]*))?` \| (.*) \|$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)]+)\)")


def _slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_option_stands_in_one_table_with_the_text_of_its_help() -> None:
    """In the order of the help; none is missing, none too many."""
    told = [(flag, metavar.replace("\\|", "|") or None, text) for flag, metavar, text in _ROW.findall(readme())]
    assert told == [(flag, metavar, text) for flag, metavar, text in OPTIONS]


def test_every_link_leads_somewhere() -> None:
    """To a heading of the README, or to a file of the project."""
    text = re.sub(r"```.*?```", "", readme(), flags=re.DOTALL)
    anchors = {_slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in _LINK.findall(text):
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        assert not anchor or path or anchor in anchors, target


def test_lines_of_text_can_be_read_in_an_editor() -> None:
    """Tables and code aside, no line is much longer than the code's."""
    text = re.sub(r"^( *)```.*?^\1```", "", readme(), flags=re.DOTALL | re.MULTILINE)
    long = [line for line in text.splitlines() if len(line) > 150 and not line.lstrip().startswith("|")]
    assert long == []


def test_what_the_readme_shows_is_marked_with_its_language() -> None:
    """So that each kind of block is checked by the test of its kind; plain ones show output and file formats."""
    marks = set(re.findall(r"^ *```(\w+)$", readme(), re.MULTILINE))
    assert marks <= {"sh", "toml", "python", "yaml"}
    assert fenced("sh")


def test_files_of_the_house_are_named() -> None:
    """Every room under ``harness/`` stands in the table of rooms."""
    rooms = {path.name for path in Path(ROOT / "harness").iterdir() if (path / "__init__.py").exists()}
    named = set(re.findall(r"`(\w+)/`", readme().partition("## The house")[2]))
    assert rooms <= named


def test_messages_that_troubleshooting_quotes_are_ours() -> None:
    """A message that was worded anew is worded anew there; ``...`` stands for what differs."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "harness").rglob("*.py"))
    table = readme().partition("## When something goes wrong")[2].partition("\n## ")[0]
    quoted = [text for row in table.splitlines() for text in re.findall(r"^\| [^|]*?`([^`]+)`", row)]
    assert quoted
    assert [text for text in quoted if not all(piece in source for piece in text.split("..."))] == []
