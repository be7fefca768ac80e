"""Runs and blocks: what can be read off them without judging."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from harness.records import errors
from harness.records.session import CONCURRENT, solo_arm
from harness.testing import build_agent_run, build_block, build_run


def test_the_wait_is_no_part_of_the_duration() -> None:
    """An agent that waited 300 ms and worked 700 ms has exactly these two figures."""
    run = build_agent_run(wait_ms=300, duration_ms=700)
    assert (run.wait_ns, run.duration_ns) == (300_000_000, 700_000_000)


def test_the_wall_time_reaches_from_the_start_to_the_last_end() -> None:
    """A run's wall time is its own, not the sum of its agents'."""
    run = build_run(CONCURRENT, [build_agent_run("A", 500), build_agent_run("B", 900)])
    assert run.wall_ns == 900_000_000


@pytest.mark.parametrize("arm", [CONCURRENT, solo_arm("A"), solo_arm("B")])
def test_a_block_finds_its_arms_by_name(arm: str) -> None:
    """Each arm that was run is found, in whatever order the arms came."""
    block = build_block()
    turned = replace(block, runs=block.runs[::-1])
    found = turned.run(arm)
    assert found is not None
    assert found.arm == arm


def test_an_arm_that_was_not_run_is_none() -> None:
    """A block that ended early has no run for its later arms."""
    assert replace(build_block(), runs=()).run(CONCURRENT) is None


def test_records_cannot_be_changed() -> None:
    """An observation stays as it was seen."""
    with pytest.raises(FrozenInstanceError):
        build_block().index = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (errors.ConfigurationError, errors.HarnessError),
        (errors.ServerError, errors.HarnessError),
        (errors.PortInUseError, errors.ServerError),
        (errors.ModelError, errors.HarnessError),
        (errors.ProtocolError, errors.HarnessError),
        (errors.JournalError, errors.HarnessError),
    ],
)
def test_whose_fault_it_is_stands_in_the_type(kind: type[Exception], parent: type[Exception]) -> None:
    """Every error of ours is a HarnessError, and a port in use is a server's."""
    assert issubclass(kind, parent)
