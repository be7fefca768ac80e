"""The checklist as text and as JSON."""

from __future__ import annotations

import json

from harness.records.checklist import CheckItem, Checklist
from harness.report.checklist import checklist_json, checklist_lines

WHOLE = Checklist(
    (
        CheckItem("servers answer", "ok", "it answers", "nothing of this is shown"),
        CheckItem("context", "failed", "512 tokens, asked 1024", "load it again"),
        CheckItem("keep-alive", "warning", "short", "set OLLAMA_KEEP_ALIVE=-1"),
        CheckItem("parallel requests", "unchecked", "cannot be asked"),
    )
)


def test_items_stand_in_columns_with_their_advice_below() -> None:
    """What is not ok says what to do; what could not be asked is said loudly; the last line counts."""
    assert checklist_lines(WHOLE) == [
        "ok           servers answer     it answers",
        "FAILED       context            512 tokens, asked 1024",
        "             -> load it again",
        "warning      keep-alive         short",
        "             -> set OLLAMA_KEEP_ALIVE=-1",
        "NOT CHECKED  parallel requests  cannot be asked",
        "checklist: 1 FAILED, 1 warning, 1 NOT CHECKED, 1 ok",
    ]


def test_an_empty_checklist_says_so() -> None:
    """No columns of nothing."""
    assert checklist_lines(Checklist(())) == ["checklist: nothing was asked"]


def test_what_a_server_said_cannot_steer_the_terminal() -> None:
    """Its words, and the advice that quotes them, are escaped."""
    lines = checklist_lines(Checklist((CheckItem("a", "failed", "\x1b[2J", "\x1b[31m"),)))
    assert "\x1b" not in "".join(lines)
    assert lines[0].endswith("\\x1b[2J")


def test_the_json_has_every_field_of_every_item() -> None:
    """With the worst status of all."""
    document = json.loads(checklist_json(WHOLE))
    assert document["worst"] == "failed"
    assert [item["status"] for item in document["items"]] == ["ok", "failed", "warning", "unchecked"]
    assert document["items"][1] == {
        "name": "context",
        "status": "failed",
        "found": "512 tokens, asked 1024",
        "advice": "load it again",
    }
