"""Prompts are made from messages as Ollama makes them."""

from __future__ import annotations

import pytest

from harness.servers.embedded.options import RequestError
from harness.servers.embedded.template import TEMPLATE, Message, parse_template

USER = Message("user", "U")
SYSTEM = Message("system", "S")
REPLY = Message("assistant", "A")


@pytest.mark.parametrize(
    ("template", "messages", "prompt"),
    [
        (TEMPLATE, [USER], "U"),
        (TEMPLATE, [SYSTEM, USER], "S U"),
        (TEMPLATE, [USER, REPLY, USER], "UAU"),
        ("{{ .Prompt }}", [SYSTEM, USER], "U"),
        ("[{{ .System }}|{{ .Prompt }}]{{ .Response }};", [SYSTEM, USER], "[S|U]"),
        ("<{{ .Prompt }}>{{ .Response }};", [USER, REPLY, USER], "<U>A;<U>"),
        ("{{ if .System -}}  {{ .System }} {{- end }} {{ .Prompt }}", [SYSTEM, USER], "S U"),
        ("{{ .Prompt }}", [USER, USER], "U\n\nU"),
    ],
)
def test_render(template: str, messages: list[Message], prompt: str) -> None:
    """A turn at a time, the last one cut where the response belongs."""
    assert parse_template(template).render(messages) == prompt


@pytest.mark.parametrize("template", ["{{ range .Messages }}{{ end }}", "{{ if .System }}", "{{ end }}", "{{ .Prompt"])
def test_what_is_not_understood_is_refused(template: str) -> None:
    """And not rendered as something else."""
    with pytest.raises(RequestError):
        parse_template(template)
