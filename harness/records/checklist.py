"""What was found before work is trusted to some servers: one item a question, each with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["ok", "unchecked", "warning", "failed"]
BY_WEIGHT: Final[tuple[Status, ...]] = ("ok", "unchecked", "warning", "failed")
"""All statuses, the lightest first; ``unchecked`` weighs more than ``ok``: nobody knows."""


def heaviest(*statuses: Status) -> Status:
    """The worst of these; ``ok`` of none."""
    return max(statuses, key=BY_WEIGHT.index, default="ok")


@dataclass(frozen=True, slots=True)
class CheckItem:
    """One question and its answer.

    Attributes:
        name: The question.
        status: ``ok``; ``unchecked`` (it could not be asked; why stands in ``found``); ``warning``; ``failed``.
        found: What was found, in words.
        advice: What to do; empty if nothing needs to be done.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """All items, in the order of asking."""

    items: tuple[CheckItem, ...]

    @property
    def worst(self) -> Status:
        """The worst status of any item."""
        return heaviest(*(item.status for item in self.items))

    @property
    def failed(self) -> tuple[CheckItem, ...]:
        """The items that failed."""
        return tuple(item for item in self.items if item.status == "failed")

    def item(self, name: str) -> CheckItem:
        """The item of this name.

        Raises:
            LookupError: If there is none.
        """
        found = next((item for item in self.items if item.name == name), None)
        if found is None:
            raise LookupError(f"no item {name!r} in the checklist")
        return found
