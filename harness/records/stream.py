"""What one streamed request looked like from the client's side, and what the server said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

StampedBy = Literal["kernel", "user"]
"""Who stamped the reads of a stream: the kernel when they arrived, or this process when it got to read them."""


def encodable(text: str) -> str:
    """The text with lone surrogates escaped, so that a journal can hold it (arguments, foreign exceptions)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Chunk(NamedTuple):
    """Bytes of one read from the socket, stamped before anything else is done with them.

    A tuple, as there is one a token, and a frozen dataclass takes four times as long to make.

    Attributes:
        position: Of the read in its stream, from 0.
        received_ns: Monotonic instant of the read, ns.
        data: The bytes as they came; lines may be split or packed.
    """

    position: int
    received_ns: int
    data: bytes


class TokenEvent(NamedTuple):
    """One non-empty piece of generated text; pieces of one read share its instant and its chunk's position."""

    chunk: int
    received_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class ServerDurations:
    """The server's own figures from the last line of a stream; 0 means absent on the wire.

    Attributes:
        total_ns: From the request's arrival to its end, ns.
        load_ns: From arrival to the grant of a runner (load, reload, eviction), ns; not 0 on a warm server.
        prompt_eval_ns: Prefill with the first token's decode, ns.
        eval_ns: Decode of the other tokens, ns.
        prompt_eval_count: Tokens of the prompt.
        eval_count: Tokens generated.
    """

    total_ns: int
    load_ns: int
    prompt_eval_ns: int
    eval_ns: int
    prompt_eval_count: int
    eval_count: int


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request of an agent.

    Attributes:
        name: The call's name in the agent's workflow.
        nonce: The unique text at the start of the prompt.
        asked_ns: The agent handed the request to the client, ns.
        sent_ns: Just before the write of the request's last byte (stock httpx: after it), ns; equal to
            ``asked_ns`` where the transport does not tell.
        ended_ns: The stream ended, or failed, ns.
        connected: True if a connection had to be opened for it (its set-up is then inside the latencies).
        token_ns: Receive instant of each token event, n values, ns, in order.
        token_chunk: Index of the read each token event came in, n values.
        text: The generated text.
        done_reason: ``stop``, ``length`` ... or None if the stream had no last line.
        server: The server's own figures, or None if it sent none.
        error: Why the request failed, or None.
        stamped_by: Whose the receive instants are.
        read_lag_max_ns: The longest that received bytes lay in the kernel before this process read them, ns; None
            without the kernel's stamps.
    """

    name: str
    nonce: str
    asked_ns: int
    sent_ns: int
    ended_ns: int
    connected: bool
    token_ns: tuple[int, ...]
    token_chunk: tuple[int, ...]
    text: str
    done_reason: str | None
    server: ServerDurations | None
    error: str | None
    stamped_by: StampedBy = "user"
    read_lag_max_ns: int | None = None
