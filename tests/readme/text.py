"""The README taken apart: its fenced blocks, and the shell commands in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True, slots=True)
class Fenced:
    """A fenced block: its language, its text, and the heading that it stands under."""

    language: str
    text: str
    heading: str


def readme() -> str:
    """The README's text."""
    return (ROOT / "README.md").read_text("utf-8")


def fenced(language: str) -> list[Fenced]:
    """Its blocks in a language, in order."""
    text = readme()
    found = []
    for match in _FENCE.finditer(text):
        if match[2] == language:
            headings = re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)
            found.append(Fenced(language, textwrap.dedent(match[3]), headings[-1] if headings else ""))
    return found


def commands() -> list[str]:
    """Its shell commands, a line each; a comment behind one is left out, and each is there once."""
    found = []
    for block in fenced("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            command = _COMMENT.sub("", line).strip()
            if command and not command.startswith("#"):
                found.append(re.sub(r"\s+", " ", command))
    return list(dict.fromkeys(found))
