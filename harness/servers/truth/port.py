"""One port's queue, as Ollama's scheduler keeps it: first the model must be there (the grant), then a slot be free.

Who needs a load or a reload holds up everybody behind it. A reload waits for all who use the model.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from harness.servers.embedded.options import RunnerOptions
from harness.servers.truth.device import Device, Job
from harness.servers.truth.memory import Loaded, Memory
from harness.servers.truth.spec import NS_PER_MS, ModelSpec

_FOREVER_NS = 2**63 - 1  # Go's longest duration, 292 years
_NS_PER_S = 1_000_000_000
_SLOWER = 100

CallAt = Callable[[int, Callable[[int], None]], None]
"""Calls something at an instant, ns; it is told the instant."""


@dataclass(slots=True, eq=False)
class Visit:
    """One request's way through the port.

    Attributes:
        model: What it needs ...
        options: ... and how it must be loaded.
        wants_slot: False for a request that only loads.
        keep_alive_s: As asked, or None.
        slow: Whether a cold load takes it 100 times as long as usual, and at least a second.
        cold: Whether it had to load the model.
        loaded: The model, once it is there.
        loaded_ns: Since when.
        stage: Where it stands: ``pending`` (for the model), ``waiting`` (for a slot), ``running``; else empty.
        granted: Called when the model is there and the slot is free, with the instant, ns.
    """

    model: ModelSpec
    options: RunnerOptions
    wants_slot: bool = True
    keep_alive_s: float | None = None
    slow: bool = False
    cold: bool = False
    loaded: Loaded | None = None
    loaded_ns: int = 0
    stage: str = ""
    granted: Callable[[int], None] = lambda _: None


class Port:
    """The queue of one port. Instants are ns."""

    def __init__(self, position: int, device: Device, memory: Memory, call_at: CallAt) -> None:
        """A port with nothing loaded."""
        self.position = position
        self._device = device
        self._memory = memory
        self._call_at = call_at
        self._pending: deque[Visit] = deque()
        self._waiting: deque[Visit] = deque()
        self._running = 0
        self._loading: tuple[Visit, Loaded, Job] | None = None
        self._moving = False

    def submit(self, visit: Visit, at_ns: int) -> None:
        """A request comes."""
        visit.stage = "pending"
        self._pending.append(visit)
        self.move(at_ns)

    def leave(self, visit: Visit, at_ns: int) -> None:
        """A request is answered, or its client has left, wherever it stands. A second time is no matter."""
        stage, visit.stage = visit.stage, ""
        if stage == "pending":
            if self._loading is not None and self._loading[0] is visit:
                self._abort_load(at_ns)
            self._pending.remove(visit)
        elif stage == "waiting":
            self._waiting.remove(visit)
        elif stage == "running" and visit.wants_slot:
            self._running -= 1
        if stage in ("waiting", "running") and visit.loaded is not None:
            visit.loaded.users -= 1
            self._rest(visit.loaded, at_ns)
        self.move(at_ns)

    def unload(self, name: str, at_ns: int) -> None:
        """The model goes as soon as nobody uses it."""
        loaded = self._memory.find(self.position, name)
        if loaded is not None:
            loaded.keep_alive_s = 0.0
            self._rest(loaded, at_ns)
            self.move(at_ns)

    def unload_all(self, at_ns: int) -> None:
        """Every model goes as soon as nobody uses it."""
        for loaded in self.loaded():
            self.unload(loaded.model.name, at_ns)

    def loaded(self) -> list[Loaded]:
        """The models that are ready."""
        return [each for each in self._memory.of_port(self.position) if each.ready]

    def move(self, at_ns: int) -> None:
        """Lets everybody go on who can."""
        if self._moving:  # a grant may end a request at once, and that comes back here
            return
        self._moving = True
        while self._step(at_ns):
            pass
        self._moving = False

    def _step(self, at_ns: int) -> bool:
        """Moves one request on; False if none can move."""
        slots = self._device.spec.slots
        if self._waiting and (not slots or self._running < slots):
            visit = self._waiting.popleft()
            self._running += 1
            visit.stage = "running"
            visit.granted(at_ns)
            return True
        if self._pending and self._loading is None:
            return self._seat(self._pending[0], at_ns)
        return False

    def _seat(self, visit: Visit, at_ns: int) -> bool:
        loaded = self._memory.find(self.position, visit.model.name)
        if loaded is not None and not loaded.options.serves(visit.options):
            if loaded.users:
                return False
            self._memory.drop(loaded)
            loaded = None
        if loaded is None:
            self._load(visit, at_ns)
            return True
        self._pending.popleft()
        self._memory.touch(loaded)
        loaded.users += 1
        if visit.keep_alive_s is not None:
            loaded.keep_alive_s = visit.keep_alive_s
        loaded.expires_ns = _expiry_ns(loaded.keep_alive_s)
        visit.loaded, visit.loaded_ns = loaded, at_ns
        if visit.wants_slot:
            visit.stage = "waiting"
            self._waiting.append(visit)
        else:
            visit.stage = "running"
            visit.granted(at_ns)
        return True

    def _load(self, visit: Visit, at_ns: int) -> None:
        visit.cold = True
        limit = self._device.spec.memory_bytes
        loaded = self._memory.place(self.position, visit.model, visit.options, limit)
        load_ns = self._device.spec.load_ms * NS_PER_MS
        if visit.slow:
            load_ns = max(_SLOWER * load_ns, _NS_PER_S)
        if not load_ns:
            loaded.ready = True
            return
        job = Job(self._loaded)
        self._loading = (visit, loaded, job)
        self._device.enter(job, "load", load_ns, at_ns)

    def _loaded(self, at_ns: int) -> None:
        if self._loading is not None:
            _, loaded, job = self._loading
            self._loading = None
            loaded.ready = True
            self._device.leave(job, at_ns)
            self.move(at_ns)

    def _abort_load(self, at_ns: int) -> None:
        if self._loading is not None:
            _, loaded, job = self._loading
            self._loading = None
            self._device.leave(job, at_ns)
            self._memory.drop(loaded)

    def _rest(self, loaded: Loaded, at_ns: int) -> None:
        """If nobody uses it any more, its time to live begins."""
        if loaded.users or not loaded.ready:
            return
        loaded.rests += 1
        loaded.expires_ns = _expiry_ns(loaded.keep_alive_s)
        if loaded.keep_alive_s <= 0:
            self._memory.drop(loaded)
        elif math.isfinite(loaded.keep_alive_s):
            self._call_at(at_ns + _lasts_ns(loaded.keep_alive_s), partial(self._expire, loaded, loaded.rests))

    def _expire(self, loaded: Loaded, rests: int, at_ns: int) -> None:
        if not loaded.users and loaded.rests == rests:
            self._memory.drop(loaded)


def _lasts_ns(keep_alive_s: float) -> int:
    return int(min(keep_alive_s * _NS_PER_S, _FOREVER_NS))


def _expiry_ns(keep_alive_s: float) -> int:
    """When a model expires that falls idle now, wall clock, ns."""
    return time.time_ns() + _lasts_ns(keep_alive_s)
