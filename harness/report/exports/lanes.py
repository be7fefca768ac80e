"""Slices of a trace, nested and dealt out to lanes so that no two of a lane overlap in part.

Viewers take a slice for the child of the one that it lies in, and drop or bend slices that overlap in part. Records may
hold anything (an agent with several requests in flight, an end before its start), so nothing is taken for granted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

GRID_NS = 125
"""Instants are told to an eighth of a microsecond: exact as a binary fraction, so that no viewer's rounding makes
neighbouring slices overlap."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A named stretch of time.

    Attributes:
        name: What it is.
        start: Its start, in steps of the grid.
        end: Its end, not before its start, in steps of the grid.
        args: What a viewer tells of it.
        inside: Slices that lie in it, in the order of time, and do not overlap.
        marks: Instants in it and how often each, in steps of the grid.
        arrow: Number of the arrow that starts at its start (above 0), or ends there (below 0); 0 is none.
    """

    name: str
    start: int
    end: int
    args: Mapping[str, object] = field(default_factory=dict)
    inside: tuple[Slice, ...] = ()
    marks: tuple[tuple[int, int], ...] = ()
    arrow: int = 0


def stretch(name: str, start_ns: int, end_ns: int, args: Mapping[str, object] | None = None) -> Slice:
    """A slice between two instants, ns; one that ends before it starts has no length."""
    start = steps_of(start_ns)
    return Slice(name, start, max(start, steps_of(end_ns)), args or {})


def nested(outer: Slice, others: Iterable[Slice]) -> list[Slice]:
    """The outer slice with those of the others in it that fit, and the rest beside it."""
    inside: list[Slice] = []
    beside: list[Slice] = []
    reached = outer.start
    for each in sorted(others, key=_order):
        if each.start >= reached and each.end <= outer.end:
            inside.append(each)
            reached = each.end
        else:
            beside.append(each)
    return [replace(outer, inside=tuple(inside)), *beside]


def in_lanes(slices: Iterable[Slice]) -> list[list[Slice]]:
    """The slices in as few lanes as their start times allow, each in the first one that is free."""
    lanes: list[list[Slice]] = []
    for each in sorted(slices, key=_order):
        free = next((lane for lane in lanes if lane[-1].end <= each.start), None)
        if free is None:
            lanes.append([each])
        else:
            free.append(each)
    return lanes


def steps_of(instant_ns: int) -> int:
    """An instant in steps of the grid."""
    return instant_ns // GRID_NS


def flattened(slices: Iterable[Slice]) -> Iterator[Slice]:
    """Every slice, an outer one before those in it."""
    for each in slices:
        yield each
        yield from flattened(each.inside)


def _order(each: Slice) -> tuple[int, int]:
    return each.start, -each.end
