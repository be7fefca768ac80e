"""The log: for each request what was really done, and when."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

PROMPT_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class TrueRequest:
    """One request as it really was. Instants are ns on the monotonic clock, on Linux ``time.perf_counter_ns``.

    Attributes:
        port: The port's number.
        path: As requested.
        prompt: The first 64 characters of the prompt, or of the last message.
        arrived_ns: The kernel's receive stamp of the request's last segment; ``read_ns`` where there is none.
        read_ns: The same in user space, right after the read.
        granted_ns: A slot was granted and the model was there; 0: never.
        head_ns: The response's head was written; 0: never.
        token_ns: For each token (non-empty text) when the write that completed its line left: the kernel's stamp of
            it, or the instant just before its ``send()`` where there is none.
        token_write: For each token the index of its write in its stream; equal for tokens packed in one write.
        ended_ns: The last write, or the fault, or the client's leaving.
        outcome: ``done``, ``cancelled`` (the client left), or the kind of the fault that struck.
    """

    port: int
    path: str
    prompt: str
    arrived_ns: int
    read_ns: int
    granted_ns: int
    head_ns: int
    token_ns: tuple[int, ...]
    token_write: tuple[int, ...]
    ended_ns: int
    outcome: str


@dataclass(slots=True, eq=False)
class Entry:
    """A request while it goes on: what will be logged of it."""

    port: int
    path: str
    prompt: str
    arrived_ns: int
    read_ns: int
    granted_ns: int = 0
    head_ns: int = 0
    token_ns: list[int] = field(default_factory=list)
    token_write: list[int] = field(default_factory=list)
    ended_ns: int = 0
    outcome: str = ""
    writes: int = 0

    def wrote(self, at_ns: int, tokens: int) -> None:
        """A write of the response left whole at ``at_ns`` and completed so many tokens."""
        if not self.head_ns:
            self.head_ns = at_ns
        for _ in range(tokens):
            self.token_ns.append(at_ns)
            self.token_write.append(self.writes)
        self.writes += 1
        self.ended_ns = at_ns

    def frozen(self) -> TrueRequest:
        """What is logged."""
        return TrueRequest(
            port=self.port,
            path=self.path,
            prompt=self.prompt,
            arrived_ns=self.arrived_ns,
            read_ns=self.read_ns,
            granted_ns=self.granted_ns,
            head_ns=self.head_ns,
            token_ns=tuple(self.token_ns),
            token_write=tuple(self.token_write),
            ended_ns=self.ended_ns,
            outcome=self.outcome,
        )


class TrueLog:
    """The requests that have ended."""

    def __init__(self) -> None:
        """An empty log."""
        self._entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """A request has ended."""
        self._entries.append(entry)

    def clear(self) -> None:
        """Forgets all."""
        self._entries.clear()

    def encode(self) -> bytes:
        """A JSON array of :class:`TrueRequest`, by arrival."""
        ordered = sorted(self._entries, key=lambda entry: entry.arrived_ns)
        return msgspec.json.encode([entry.frozen() for entry in ordered])


def decode_log(data: bytes) -> tuple[TrueRequest, ...]:
    """The requests of an encoded log.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(data, type=tuple[TrueRequest, ...])
