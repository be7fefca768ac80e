"""The event loop: instants in order and never early, sockets in between."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.servers.truth.clock import monotonic_ns
from harness.servers.truth.loop import Loop, Timers

MS = 1_000_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@given(instants=st.lists(st.integers(0, 100), max_size=20))
def test_timers_run_in_order_and_equal_ones_as_they_were_set(instants: list[int]) -> None:
    """Each is told its own instant."""
    timers = Timers()
    calls: list[tuple[int, int]] = []
    for number, instant in enumerate(instants):
        timers.call_at(instant, lambda at, number=number: calls.append((at, number)))  # type: ignore[misc]
    while timers.next_ns() <= 100:
        timers.run_next()
    assert calls == sorted((instant, number) for number, instant in enumerate(instants))


def test_nothing_runs_before_its_instant() -> None:
    """By the clock, however short the wait."""
    timers = Timers()
    loop = Loop(timers)
    early: list[int] = []

    def again(at_ns: int) -> None:
        early.append(monotonic_ns() - at_ns)
        if len(early) == 50:
            loop.stop()
        timers.call_at(at_ns + len(early) * 10_000, again)

    timers.call_at(monotonic_ns(), again)
    loop.run()
    assert min(early) >= 0


def test_a_socket_wakes_a_loop_that_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    """Long before the next instant."""
    timers = Timers()
    loop = Loop(timers)
    started = monotonic_ns()
    loop.watch(pair[0], lambda _: loop.stop())
    timers.call_at(started + 3600 * 1000 * MS, lambda _: loop.stop())
    timers.call_at(started + MS, lambda _: pair[1].sendall(b"x"))
    loop.run()
    assert monotonic_ns() - started < 1000 * 1000 * MS


def test_sockets_are_heard_while_timers_are_always_due(pair: tuple[socket.socket, socket.socket]) -> None:
    """An overloaded server still reads."""
    timers = Timers()
    loop = Loop(timers)
    calls = 0

    def always(at_ns: int) -> None:
        nonlocal calls
        calls += 1
        timers.call_at(at_ns, always)

    loop.watch(pair[0], lambda _: loop.stop())
    timers.call_at(0, always)
    pair[1].send(b"x")
    loop.run()
    assert calls < 10_000


def test_what_falls_due_is_not_run_within_itself() -> None:
    """A callback that catches up does not start the next one in its midst."""
    timers = Timers()
    loop = Loop(timers)
    order: list[str] = []

    def first(at_ns: int) -> None:
        loop.catch_up(at_ns + 10)
        order.append("first")

    timers.call_at(1, first)
    timers.call_at(2, lambda _: order.append("second"))
    loop.catch_up(5)
    assert order == ["first", "second"]
