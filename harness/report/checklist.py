"""A checklist for people and for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import msgspec

from harness.records.checklist import BY_WEIGHT, Checklist, Status
from harness.report.text import aligned, printable

_SHOWN: dict[Status, str] = {"ok": "ok", "unchecked": "NOT CHECKED", "warning": "warning", "failed": "FAILED"}


def checklist_lines(checklist: Checklist) -> list[str]:
    """A line an item in columns, what to do below each that is not ok, and a last line that counts them."""
    lines: list[str] = []
    names = aligned([(_SHOWN[item.status], item.name) for item in checklist.items], left=(0, 1)) or []
    indent = " " * (max((len(_SHOWN[item.status]) for item in checklist.items), default=0) + 2)
    width = max(map(len, names), default=0)
    for item, name in zip(checklist.items, names, strict=True):
        lines.append(f"{name.ljust(width)}  {printable(item.found)}".rstrip())
        if item.status != "ok" and item.advice:
            lines.append(f"{indent}-> {printable(item.advice)}")
    return [*lines, _count(checklist)]


def preflight_lines(checklist: Checklist) -> list[str]:
    """How many items are what, and each that is not ok, for the header of a session."""
    odd = [item for item in checklist.items if item.status != "ok"]
    lines = [
        f"  pre-flight: {_SHOWN[item.status]}: {printable(item.name)}: {printable(item.found)}"
        + (f" -> {printable(item.advice)}" if item.advice else "")
        for item in odd
    ]
    return [f"  pre-flight: {_count(checklist).removeprefix('checklist: ')}", *lines]


def _count(checklist: Checklist) -> str:
    counts = Counter(item.status for item in checklist.items)
    told = [f"{counts[status]} {_SHOWN[status]}" for status in reversed(BY_WEIGHT) if counts[status]]
    return f"checklist: {', '.join(told) or 'nothing was asked'}"


def checklist_json(checklist: Checklist) -> str:
    """The checklist as JSON: ``worst``, and ``items`` with ``name``, ``status``, ``found`` and ``advice``."""
    document = {"worst": checklist.worst, "items": [asdict(item) for item in checklist.items]}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
