"""The queue of a port and the memory that ports share, in simulated time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from harness.servers.embedded.options import RunnerOptions
from harness.servers.truth.device import Device
from harness.servers.truth.memory import Memory
from harness.servers.truth.port import Port, Visit
from harness.servers.truth.spec import DeviceSpec, ModelSpec

MS = 1_000_000
S = 1_000 * MS
PLAIN = RunnerOptions()
OTHER = RunnerOptions(num_ctx=8192)
A, B, C = (ModelSpec(f"{name}:latest", 100) for name in "abc")


@dataclass
class World:
    """Two ports of one device, and the timers that they have set."""

    spec: DeviceSpec = field(default_factory=DeviceSpec)
    grants: list[tuple[str, int]] = field(default_factory=list)
    timers: list[tuple[int, Callable[[int], None]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Idle."""
        self.device = Device(self.spec)
        memory = Memory()
        self.ports = [Port(position, self.device, memory, self._call_at) for position in range(2)]

    def _call_at(self, due_ns: int, callback: Callable[[int], None]) -> None:
        self.timers.append((due_ns, callback))

    def come(
        self, name: str, at_ns: int = 0, *, port: int = 0, model: ModelSpec = A, options: RunnerOptions = PLAIN,
        keep_alive_s: float | None = None, slow: bool = False, slot: bool = True,
    ) -> Visit:  # fmt: skip
        """A request arrives."""
        visit = Visit(model, options, wants_slot=slot, keep_alive_s=keep_alive_s, slow=slow)
        visit.granted = lambda at_ns: self.grants.append((name, at_ns))
        self.ports[port].submit(visit, at_ns)
        return visit

    def run(self) -> None:
        """Whatever loads is loaded."""
        while math.isfinite(self.device.next_ns()):
            self.device.run_next()

    def expire(self) -> None:
        """All timers fall due, in order."""
        timers, self.timers = sorted(self.timers, key=lambda timer: timer[0]), []
        for due_ns, callback in timers:
            callback(due_ns)

    def names(self, port: int = 0) -> list[str]:
        """What a port has loaded."""
        return [each.model.name for each in self.ports[port].loaded()]

    def resident(self, port: int = 0) -> dict[str, int]:
        """Bytes that are in the memory, of each model."""
        return {each.model.name: each.resident_bytes for each in self.ports[port].loaded()}


def test_a_cold_model_is_loaded_once_for_all_who_wait() -> None:
    """Both are granted when it is there; the next one finds it warm."""
    world = World(DeviceSpec(load_ms=10))
    world.come("first")
    world.come("second", 4 * MS)
    assert world.grants == []
    assert world.names() == []
    world.run()
    world.come("third", 20 * MS)
    assert world.grants == [("first", 10 * MS), ("second", 10 * MS), ("third", 20 * MS)]


def test_without_a_load_time_a_cold_model_is_there_at_once() -> None:
    """The default costs nothing."""
    world = World()
    world.come("first", 5)
    assert world.grants == [("first", 5)]
    assert world.names() == [A.name]


def test_slots_are_granted_in_order_of_arrival() -> None:
    """One at a time; the next when the one before has left, wherever in the queue somebody gave up."""
    world = World(DeviceSpec(slots=1))
    visits = [world.come(name, at) for at, name in enumerate("abcd")]
    world.ports[0].leave(visits[2], 5)
    world.ports[0].leave(visits[0], 7)
    world.ports[0].leave(visits[0], 8)
    assert world.grants == [("a", 0), ("b", 7)]
    world.ports[0].leave(visits[1], 9)
    assert world.grants[2:] == [("d", 9)]


def test_ports_have_slots_of_their_own() -> None:
    """A full port does not hold up the other."""
    world = World(DeviceSpec(slots=1))
    for name in ("a", "b"):
        world.come(name)
        world.come(name.upper(), port=1)
    assert world.grants == [("a", 0), ("A", 0)]


def test_other_runner_options_wait_for_all_users_and_reload() -> None:
    """Who comes after the one that reloads waits behind it, though the model that is there would do."""
    world = World(DeviceSpec(load_ms=10))
    user = world.come("user")
    world.run()
    world.come("other", 11 * MS, options=OTHER)
    world.come("behind", 12 * MS, options=OTHER)
    assert [name for name, _ in world.grants] == ["user"]
    world.ports[0].leave(user, 30 * MS)
    world.run()
    assert world.grants[1:] == [("other", 40 * MS), ("behind", 40 * MS)]


def test_a_request_that_asks_for_no_layers_takes_those_that_are_there() -> None:
    """num_gpu -1 needs no reload, as in Ollama; another number does."""
    world = World(DeviceSpec(load_ms=10))
    visit = world.come("all", options=RunnerOptions(num_gpu=99))
    world.run()
    world.ports[0].leave(visit, 15 * MS)
    world.come("any", 20 * MS)
    assert world.grants[-1] == ("any", 20 * MS)
    world.come("fewer", 30 * MS, options=RunnerOptions(num_gpu=9))
    assert world.grants[-1] == ("any", 20 * MS)


def test_a_load_is_given_up_when_its_client_leaves() -> None:
    """The next one begins its own load, from the start."""
    world = World(DeviceSpec(load_ms=10))
    first = world.come("first")
    world.come("second", 1 * MS)
    world.ports[0].leave(first, 6 * MS)
    world.run()
    assert world.grants == [("second", 16 * MS)]


def test_a_slow_load_takes_a_hundred_times_as_long_and_at_least_a_second() -> None:
    """Whatever the usual one takes."""
    for load_ms, lasts_ns in ((0, S), (1, S), (50, 5 * S)):
        world = World(DeviceSpec(load_ms=load_ms))
        world.come("slow", slow=True)
        world.run()
        assert world.grants == [("slow", lasts_ns)]


def test_two_loads_slow_each_other_and_those_who_work() -> None:
    """A load is a phase like the others."""
    world = World(DeviceSpec(load_ms=10, interference={"load": {"load": 2.0}}))
    world.come("here")
    world.come("there", port=1)
    world.run()
    assert world.grants == [("here", 20 * MS), ("there", 20 * MS)]


@pytest.mark.parametrize("keep_alive_s", [0.0, 5.0, None])
def test_an_idle_model_goes_when_its_time_is_over(keep_alive_s: float | None) -> None:
    """0 is at once, after the answer; None is five minutes."""
    world = World()
    visit = world.come("only", keep_alive_s=keep_alive_s)
    assert world.names() == [A.name]
    world.ports[0].leave(visit, 7)
    if keep_alive_s == 0.0:
        assert world.names() == []
        return
    assert world.names() == [A.name]
    assert [due_ns for due_ns, _ in world.timers] == [7 + (5 if keep_alive_s else 300) * S]
    world.expire()
    assert world.names() == []


def test_an_endless_keep_alive_never_unloads() -> None:
    """No timer is set."""
    world = World()
    world.ports[0].leave(world.come("only", keep_alive_s=math.inf), 7)
    assert (world.names(), world.timers) == ([A.name], [])


def test_a_timer_that_was_set_before_the_last_use_is_not_meant() -> None:
    """Only the rest that lasts counts."""
    world = World()
    world.ports[0].leave(world.come("first", keep_alive_s=5), 0)
    early = world.timers.pop()
    second = world.come("second", 1 * S)
    early[1](early[0])
    world.ports[0].leave(second, 2 * S)
    early[1](early[0])
    assert world.names() == [A.name]
    world.expire()
    assert world.names() == []


def test_the_longest_keep_alive_is_no_trouble() -> None:
    """A number beyond Go's longest duration is cut to it."""
    world = World()
    world.ports[0].leave(world.come("only", keep_alive_s=1e300), 0)
    assert world.timers[0][0] == 2**63 - 1


def test_an_unload_waits_for_who_works() -> None:
    """Then it is gone at once; of a model that is not there it is no matter."""
    world = World()
    visit = world.come("works")
    world.ports[0].unload(A.name, 1)
    world.ports[0].unload(B.name, 1)
    assert world.names() == [A.name]
    world.ports[0].leave(visit, 2)
    assert world.names() == []


def test_idle_models_of_the_same_port_give_way_oldest_use_first() -> None:
    """As few as are needed."""
    world = World(DeviceSpec(memory_bytes=250))
    for at, model in enumerate((A, B, A)):
        world.ports[0].leave(world.come(model.name, at, model=model), at)
    world.come("new", 5, model=C)
    assert world.names() == [A.name, C.name]
    assert world.resident() == {A.name: 100, C.name: 100}


def test_what_does_not_fit_spills_and_the_other_port_gives_nothing() -> None:
    """Two servers do not coordinate: the idle model of the one stays while the other's spills."""
    world = World(DeviceSpec(memory_bytes=130))
    world.ports[1].leave(world.come("there", port=1), 0)
    here = world.come("here", 1)
    assert world.resident(1) == {A.name: 100}
    assert world.resident(0) == {A.name: 30}
    assert here.loaded is not None
    assert here.loaded.slowdown(3.0) == pytest.approx(1 + 2 * 0.7)


def test_a_model_in_use_is_not_evicted() -> None:
    """The new one spills instead, wholly if nothing is free."""
    world = World(DeviceSpec(memory_bytes=100))
    world.come("works")
    world.come("new", 1, model=B)
    assert world.resident() == {A.name: 100, B.name: 0}


def test_memory_is_free_again_after_an_unload() -> None:
    """For the other port too."""
    world = World(DeviceSpec(memory_bytes=100))
    world.ports[1].leave(world.come("there", port=1, keep_alive_s=0.0), 0)
    world.come("here", 1)
    assert world.resident() == {A.name: 100}


def test_a_thousand_loads_that_end_at_once_need_no_deep_stack() -> None:
    """Each grant ends its request, which moves the queue on."""
    world = World(DeviceSpec(load_ms=1))
    for number in range(3000):
        visit = world.come(str(number), slot=False)
        visit.granted = lambda at_ns, visit=visit: world.ports[0].leave(visit, at_ns)  # type: ignore[misc]
    world.run()
    assert world.names() == [A.name]
