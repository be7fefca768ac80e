"""A clock that moves only when it is told to, or by a fixed step at each reading."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """Stands in for :data:`harness.measure.monotonic_ns`.

    Attributes:
        now_ns: The present instant, ns.
        step_ns: By how much each reading moves it, ns; 0 stands still.
    """

    now_ns: int = 0
    step_ns: int = 0

    def __call__(self) -> int:
        """The present instant, ns; the step follows the reading."""
        reading = self.now_ns
        self.now_ns += self.step_ns
        return reading

    def advance(self, duration_ns: int) -> None:
        """Moves the clock by a duration, ns."""
        self.now_ns += duration_ns
