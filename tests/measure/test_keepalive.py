"""Whose time a loaded model lives on."""

from __future__ import annotations

from dataclasses import replace

from harness.measure.keepalive import Lease
from harness.records.watch import HeldModel

MODEL = HeldModel("m:latest", expires_at="10:00", expires_ns=1000)


def _at(text: str, instant: int) -> HeldModel:
    return replace(MODEL, expires_at=text, expires_ns=instant)


def test_what_our_probes_add_is_not_theirs() -> None:
    """Its time is over when it was at first, however often we have probed."""
    lease = Lease(MODEL)
    assert not lease.seen(MODEL)
    lease.probed(_at("10:05", 1500))
    assert not lease.seen(_at("10:05", 1500))
    lease.probed(_at("10:10", 2000))
    assert not lease.is_over(999)
    assert lease.is_over(1000)


def test_what_others_add_is() -> None:
    """It is seen as theirs, and the model lives as long as they want it to."""
    lease = Lease(MODEL)
    lease.probed(_at("10:05", 1500))
    assert lease.seen(_at("10:07", 1700))
    assert not lease.is_over(1699)
    assert lease.is_over(1700)
    assert not lease.seen(_at("10:07", 1700))


def test_a_probe_whose_effect_shows_late_is_not_taken_for_somebody_else() -> None:
    """The server notes the end of a request after it has answered: the next look finds it."""
    lease = Lease(MODEL)
    lease.probed(MODEL)
    assert not lease.seen(_at("10:05", 1500))
    assert lease.is_over(1000)
    assert lease.seen(_at("10:06", 1600))


def test_a_server_that_did_not_tell_after_the_probe_is_treated_alike() -> None:
    """What moved meanwhile may have been ours."""
    lease = Lease(MODEL)
    lease.probed(None)
    assert not lease.seen(_at("10:05", 1500))


def test_what_cannot_be_read_is_never_over() -> None:
    """Nothing is known of it."""
    assert not Lease(replace(MODEL, expires_ns=None)).is_over(2**62)
