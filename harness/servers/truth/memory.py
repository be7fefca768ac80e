"""The device's memory: which models are loaded for which port, what is evicted, what spills. Pure."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from harness.servers.embedded.options import DEFAULT_KEEP_ALIVE_S, RunnerOptions
from harness.servers.truth.spec import ModelSpec


@dataclass(slots=True, eq=False)
class Loaded:
    """A model in memory, for one port.

    Attributes:
        port: Position of its port.
        model: Which model.
        options: What it was loaded with; a change of any is a reload.
        resident_bytes: What of it is in the device's memory; the rest has spilled.
        ready: False while it is being loaded.
        users: Requests that work with it or wait for a slot.
        keep_alive_s: How long it stays when idle; infinite: for ever.
        used: When it was last used, as a running number.
        rests: How often it has fallen idle; tells a timer whether it is still meant.
        expires_ns: When it goes, wall clock, ns.
    """

    port: int
    model: ModelSpec
    options: RunnerOptions
    resident_bytes: int
    ready: bool = False
    users: int = 0
    keep_alive_s: float = DEFAULT_KEEP_ALIVE_S
    used: int = 0
    rests: int = 0
    expires_ns: int = 0

    def slowdown(self, spill_slowdown: float) -> float:
        """Factor on its work, from the share that has spilled."""
        return 1 + (spill_slowdown - 1) * (1 - self.resident_bytes / self.model.size_bytes)


class Memory:
    """What is loaded. The ports share the bytes and know nothing of each other, as two Ollama servers do."""

    def __init__(self) -> None:
        """An empty memory."""
        self.loaded: list[Loaded] = []
        self._uses = itertools.count(1)

    def find(self, port: int, name: str) -> Loaded | None:
        """The model of that name that a port has loaded, or is loading."""
        return next((each for each in self.loaded if each.port == port and each.model.name == name), None)

    def of_port(self, port: int) -> list[Loaded]:
        """What a port has loaded, ready or not."""
        return [each for each in self.loaded if each.port == port]

    def place(self, port: int, model: ModelSpec, options: RunnerOptions, limit: int | None) -> Loaded:
        """Makes room for a model, out of ``limit`` bytes, and takes it; idle models of the SAME port give way."""
        while model.size_bytes > self._free(limit):
            idle = [each for each in self.of_port(port) if not each.users and each.ready]
            if not idle:
                break
            self.drop(min(idle, key=lambda each: each.used))
        resident = min(model.size_bytes, max(0, self._free(limit)))
        loaded = Loaded(port, model, options, int(resident))
        self.loaded.append(loaded)
        return loaded

    def touch(self, loaded: Loaded) -> None:
        """Notes that it is used now."""
        loaded.used = next(self._uses)

    def drop(self, loaded: Loaded) -> None:
        """Frees it; one that is not there is no matter."""
        if loaded in self.loaded:
            self.loaded.remove(loaded)

    def _free(self, limit: int | None) -> float:
        if limit is None:
            return math.inf
        return limit - sum(each.resident_bytes for each in self.loaded)
