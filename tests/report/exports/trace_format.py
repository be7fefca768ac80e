"""A strict reader of the Chrome trace event format: what Perfetto drops, bends or guesses at is a problem here.

Written from the format's own document; numbers are doubles, as for every viewer, and are added exactly.
"""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from typing import Any

_FIELDS = {
    "X": {"ph", "pid", "tid", "name", "cat", "ts", "dur"},
    "i": {"ph", "pid", "tid", "name", "ts", "s"},
    "C": {"ph", "pid", "tid", "name", "cat", "ts", "args"},
    "M": {"ph", "pid", "tid", "name", "args"},
    "s": {"ph", "pid", "tid", "name", "ts", "cat", "id"},
    "f": {"ph", "pid", "tid", "name", "ts", "cat", "id", "bp"},
}
Event = dict[str, Any]
Track = tuple[int, int]


def read_trace(data: bytes) -> tuple[dict[str, Any], list[Event]]:
    """The document and its events."""
    document = json.loads(data.decode(), parse_float=_double, parse_int=_double, parse_constant=_refuse)
    return document, document["traceEvents"]


def _double(text: str) -> Fraction:
    return Fraction(float(text))


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def problems(data: bytes) -> list[str]:
    """What is wrong with a trace; [] if nothing is."""
    document, events = read_trace(data)
    found = [] if document["displayTimeUnit"] in {"ms", "ns"} else ["displayTimeUnit"]
    if not all(isinstance(value, str | Fraction) for value in document["otherData"].values()):
        found.append("otherData")
    for event in events:
        found += [f"{problem}: {event}" for problem in _shape(event)]
    return found or [*_tracks(events), *_nesting(events), *_arrows(events)]


def _shape(event: Event) -> list[str]:
    fields = _FIELDS.get(event.get("ph", ""))
    if fields is None:
        return ["an unknown phase"]
    if fields - event.keys() or event.keys() - fields - {"args"}:
        return [f"fields {sorted(event)}"]
    found: list[str] = [
        name for name in ("ts", "dur") if name in fields and not (_number(event[name]) and event[name] >= 0)
    ]
    found += [name for name in ("pid", "tid", "id") if name in fields and not _whole(event[name])]
    found += ["name"] if not isinstance(event["name"], str) else []
    if event["ph"] == "C" and not (event["args"] and all(map(_number, event["args"].values()))):
        found.append("a counter's values")
    if event["ph"] == "i" and event["s"] not in {"g", "p", "t"}:
        found.append("scope")
    return found


def _number(value: object) -> bool:
    return isinstance(value, Fraction)


def _whole(value: object) -> bool:
    return isinstance(value, Fraction) and value.denominator == 1


def _tracks(events: list[Event]) -> list[str]:
    """Every process and thread has one name."""
    used = {(event["pid"], event["tid"]) for event in events if event["ph"] in {"X", "i", "s", "f"}}
    named = [(event["pid"], event["tid"]) for event in events if event["name"] == "thread_name"]
    processes = [event["pid"] for event in events if event["name"] == "process_name"]
    found = [f"named {count} times: {each}" for each, count in Counter(named).items() if count > 1]
    found += [f"process named {count} times: {each}" for each, count in Counter(processes).items() if count > 1]
    if {event["pid"] for event in events} - {*processes}:
        found.append("a process without a name")
    return found + [f"a track without a name, or a name without a track: {each}" for each in used ^ {*named}]


def _slices(events: list[Event]) -> dict[Track, list[tuple[Fraction, Fraction]]]:
    found: dict[Track, list[tuple[Fraction, Fraction]]] = {}
    for event in events:
        if event["ph"] == "X":
            spans = found.setdefault((event["pid"], event["tid"]), [])
            spans.append((event["ts"], event["ts"] + event["dur"]))
    return found


def _nesting(events: list[Event]) -> list[str]:
    """Slices of a track lie in each other or apart; in the file an outer one comes first."""
    found = []
    for track, spans in _slices(events).items():
        if spans != sorted(spans, key=lambda span: (span[0], -span[1])):
            found.append(f"out of order: {track}")
        around: list[tuple[Fraction, Fraction]] = []
        for start, end in spans:
            while around and around[-1][1] <= start:
                around.pop()
            if around and end > around[-1][1]:
                found.append(f"overlap in part on {track}: {around[-1]} and {(start, end)}")
            around.append((start, end))
    return found


def _arrows(events: list[Event]) -> list[str]:
    """Every arrow has a start and an end, each in a slice."""
    slices = _slices(events)
    ends = {phase: Counter(event["id"] for event in events if event["ph"] == phase) for phase in "sf"}
    found = [] if ends["s"] == ends["f"] and all(n == 1 for n in ends["s"].values()) else ["arrows without an end"]
    starts = {track: {start for start, _ in spans} for track, spans in slices.items()}
    return found + [
        f"an arrow outside of slices: {event}"
        for event in events
        if event["ph"] in {"s", "f"} and event["ts"] not in starts[event["pid"], event["tid"]]
    ]
