"""A checklist's verdict on itself."""

from __future__ import annotations

import pytest

from harness.records.checklist import BY_WEIGHT, CheckItem, Checklist, Status, heaviest


def _list(*statuses: Status) -> Checklist:
    return Checklist(tuple(CheckItem(f"item {i}", status, "") for i, status in enumerate(statuses)))


def test_the_worst_item_decides() -> None:
    """Failed over warning over unchecked over ok, wherever it stands."""
    for position, status in enumerate(BY_WEIGHT):
        assert _list(*BY_WEIGHT[position::-1]).worst == status
        assert heaviest(*BY_WEIGHT[: position + 1]) == status
    assert _list().worst == "ok"


def test_failed_are_those_that_failed() -> None:
    """A warning is none, and neither is what could not be asked."""
    assert [item.name for item in _list("failed", "warning", "unchecked", "ok", "failed").failed] == [
        "item 0",
        "item 4",
    ]


def test_an_item_is_found_by_its_name() -> None:
    """One that is not there is an error."""
    assert _list("ok", "failed").item("item 1").status == "failed"
    with pytest.raises(LookupError, match="no item 'x'"):
        _list("ok").item("x")
