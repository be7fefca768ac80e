"""What is asked of servers, what was found of each, and how the findings of many become one item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.records.checklist import CheckItem, Status, heaviest


@dataclass(frozen=True, slots=True)
class Asked:
    """What the servers of a checklist are to be like.

    Attributes:
        model: The model, on all of them.
        options: By URL the Ollama options of each agent that works there; the server can hold the model with the
            options of one agent at a time, so what is loaded must be as any of them asks.
        ports: Ports in the order of the servers; 0, or none at all: any will do.
        gpu: The whole model must be in GPU memory.
        slots: Requests that a server works on at once, where that is not known (``OLLAMA_NUM_PARALLEL``).
        loaded_now: URLs of servers that hold the model only because of this check.
    """

    model: str
    options: Mapping[str, tuple[Mapping[str, float], ...]] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    gpu: bool = False
    slots: int = 1
    loaded_now: frozenset[str] = frozenset()

    def values(self, url: str, name: str) -> tuple[int | None, ...]:
        """An option as each agent on a server asks for it; None by those who leave it to the server."""
        asked = (options.get(name) for options in self.options.get(url, ()))
        return tuple(None if value is None else int(value) for value in asked)


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question for one server (``subject`` is its URL), or for something else of this name."""

    subject: str
    status: Status
    found: str
    advice: str = ""


def merged(name: str, findings: Sequence[Finding]) -> CheckItem:
    """One item of all findings, with the worst status; what several have in common is said once."""
    by_words: dict[str, list[str]] = {}
    for each in findings:
        by_words.setdefault(each.found, []).append(each.subject)
    if len(by_words) == 1:
        found = next(iter(by_words))
    else:
        found = "; ".join(f"{', '.join(subjects)}: {words}" for words, subjects in by_words.items())
    advice = dict.fromkeys(each.advice for each in findings if each.advice)
    return CheckItem(name, heaviest(*(each.status for each in findings)), found, "; ".join(advice))


def mib(size: float) -> str:
    """Bytes in words."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
