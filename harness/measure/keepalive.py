"""Whose time a loaded model lives on: its users', or only that which our own probes have given it.

A request without ``keep_alive`` leaves a loaded model's keep-alive as it is, and lets its time begin again when it
ends. Probes at an interval would so keep a model in memory for ever that nobody else wants any more. What others have
given it is told by ``expires_at``, which moves with every request: also with ours, and that much is known.

Source: Ollama's ``server/sched.go`` (``useLoadedRunner``, ``processCompleted``), v0.24 and v0.33.
"""

from __future__ import annotations

from harness.records.watch import HeldModel


class Lease:
    """The time to live of one loaded model, as others have set it."""

    def __init__(self, model: HeldModel) -> None:
        """The model as it was found: all its time was given by others."""
        self._theirs_ns = model.expires_ns
        self._last = model.expires_at
        self._unsettled = False

    def seen(self, model: HeldModel) -> bool:
        """Notes it before a round's probes; True if somebody else has used it since."""
        moved = model.expires_at != self._last
        others = moved and not self._unsettled
        if others:
            self._theirs_ns = model.expires_ns
        self._last, self._unsettled = model.expires_at, False
        return others

    def probed(self, model: HeldModel | None) -> None:
        """Notes it after a round's probes; what does not show yet is seen by the next :meth:`seen`."""
        moved = model is not None and model.expires_at != self._last
        self._unsettled = not moved
        if model is not None:
            self._last = model.expires_at

    def is_over(self, unix_ns: int) -> bool:
        """True if nobody but our probes keeps it loaded at this instant of the wall clock, ns."""
        return self._theirs_ns is not None and unix_ns >= self._theirs_ns
