"""Prompts from messages, as Ollama makes them with a template of the older kind (no ``.Messages``).

Only the part of Go's template language is understood that such templates need: ``{{ .System }}``,
``{{ .Prompt }}``, ``{{ .Response }}``, ``{{ if .Name }} ... {{ end }}`` and the trim marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.servers.embedded.options import RequestError

TEMPLATE = "{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }}"
_NAMES = {"System", "Prompt", "Response"}
_ACTION = re.compile(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class _Node:
    """Text, or the variable to print, under the conditions of the ``if`` blocks around it."""

    text: str
    variable: str | None
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    nodes: tuple[_Node, ...]

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt: one rendering a turn, the last one cut where the response belongs."""
        prompt = ""
        turn: dict[str, str] = {}
        for message in _merged(messages):
            begins_anew = {"system": ("Prompt", "Response"), "user": ("Response",)}.get(message.role, ())
            if any(turn.get(name) for name in begins_anew):
                prompt += self._fill(turn)
                turn = {}
            name = {"system": "System", "user": "Prompt", "assistant": "Response"}.get(message.role)
            if name is not None:
                turn[name] = message.content
        return prompt + self._fill(turn, cut=True)

    def _fill(self, turn: dict[str, str], cut: bool = False) -> str:
        parts: list[str] = []
        for node in self.nodes:
            if all(turn.get(name) for name in node.conditions):
                parts.append(node.text if node.variable is None else turn.get(node.variable, ""))
            if cut and node.variable == "Response":
                break
        return "".join(parts)


def parse_template(source: str) -> Template:
    """The template that ``source`` is; without a place for the response it gets one at its end.

    Raises:
        RequestError: it uses more of Go's template language than is understood here.
    """
    nodes: list[_Node] = []
    conditions: list[str] = []
    end = 0
    trimmed = False
    for action in _ACTION.finditer(source):
        trim_left, words, trim_right = action.groups()
        text = source[end : action.start()]
        text = text.lstrip() if trimmed else text
        nodes.append(_Node(text.rstrip() if trim_left else text, None, tuple(conditions)))
        trimmed, end = bool(trim_right), action.end()
        match words.split():
            case [name] if name.startswith(".") and name[1:] in _NAMES:
                nodes.append(_Node("", name[1:], tuple(conditions)))
            case ["if", name] if name.startswith(".") and name[1:] in _NAMES:
                conditions.append(name[1:])
            case ["end"] if conditions:
                conditions.pop()
            case _:
                raise RequestError(
                    400,
                    f"template action {words!r} is not understood by the embedded server; use .System, "
                    ".Prompt, .Response, 'if' and 'end' only",
                )
    if "{{" in source[end:]:
        raise RequestError(400, "template: unclosed action")
    if conditions:
        raise RequestError(400, "template: unexpected EOF: an 'if' has no 'end'")
    nodes.append(_Node(source[end:].lstrip() if trimmed else source[end:], None, ()))
    if not any(node.variable == "Response" for node in nodes):
        nodes.append(_Node("", "Response", ()))
    return Template(tuple(nodes))


def _merged(messages: Sequence[Message]) -> list[Message]:
    """Neighbours of one role as one message."""
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role and message.role != "tool":
            merged[-1] = Message(message.role, f"{merged[-1].content}\n\n{message.content}")
        else:
            merged.append(message)
    return merged
