"""The registry: leftovers of dead sessions are ended, and nobody else's process ever is."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.servers import registry as registry_module
from harness.servers.registry import Registry, birth, end_group, group_members, own_entry
from tests.servers.children import STUBBORN, TOKEN, dead_owner, entry, eventually, lives, running


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry of this test's own."""
    return Registry(tmp_path / "state" / "servers")


def _files(registry: Registry) -> list[Path]:
    return list(registry.folder.iterdir())


def test_what_a_dead_session_left_behind_is_ended(registry: Registry) -> None:
    """The process is gone, its number is told, its entry is forgotten; a second look finds nothing."""
    with running(token=TOKEN) as leftover:
        registry.add(entry(leftover.pid))
        assert registry.reap() == [leftover.pid]
        assert not lives(leftover.pid)
        assert _files(registry) == []
        assert registry.reap() == []


def test_a_killed_session_that_nobody_waited_for_is_dead_too(registry: Registry) -> None:
    """In a container without an init a killed owner stays as a zombie for ever."""
    with running() as owner, running(token=TOKEN) as leftover:
        born = birth(owner.pid)
        owner.kill()
        eventually(lambda: not lives(owner.pid))
        registry.add(entry(leftover.pid, (owner.pid, born)))
        assert registry.reap() == [leftover.pid]


def test_the_servers_of_a_living_session_are_left_alone(registry: Registry) -> None:
    """Two sessions of one user may run at the same time."""
    with running() as owner, running(token=TOKEN) as server:
        registry.add(entry(server.pid, (owner.pid, birth(owner.pid))))
        assert registry.reap() == []
        assert lives(server.pid)
        assert len(_files(registry)) == 1


def test_an_owner_whose_number_was_given_to_another_process_is_dead(registry: Registry) -> None:
    """A living process with the owner's number but another birth is not the owner."""
    with running() as other, running(token=TOKEN) as leftover:
        registry.add(entry(leftover.pid, (other.pid, 1.0)))
        assert registry.reap() == [leftover.pid]
        assert lives(other.pid)


@pytest.mark.parametrize("token", [None, "another token"])
def test_a_process_that_got_a_leftovers_number_is_left_alone(registry: Registry, token: str | None) -> None:
    """Same number of process and group, but not our mark: somebody else's, and the entry is out of date."""
    with running(token=token) as stranger:
        registry.add(entry(stranger.pid))
        assert registry.reap() == []
        assert lives(stranger.pid)
        assert _files(registry) == []


def test_a_process_with_the_mark_in_another_group_is_left_alone(registry: Registry) -> None:
    """The mark is inherited by whatever a server starts elsewhere; only its own group is ended."""
    with running(token=TOKEN) as leftover, running(token=TOKEN) as elsewhere:
        registry.add(entry(leftover.pid))
        assert registry.reap() == [leftover.pid]
        assert lives(elsewhere.pid)


def test_entries_of_another_host_are_not_ours_to_judge(registry: Registry) -> None:
    """A state folder may lie on a network's drive."""
    with running(token=TOKEN) as process:
        registry.add(replace(entry(process.pid), host="elsewhere"))
        assert registry.reap() == []
        assert lives(process.pid)
        assert len(_files(registry)) == 1


def test_entries_from_before_a_restart_of_the_host_are_forgotten(registry: Registry) -> None:
    """No process survived it, so whoever has the number now is somebody else."""
    with running(token=TOKEN) as process:
        registry.add(replace(entry(process.pid), boot=1.0))
        assert registry.reap() == []
        assert lives(process.pid)
        assert _files(registry) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"group": "x"}', b"\xff"])
def test_a_damaged_entry_is_thrown_away_and_the_others_are_seen_to(registry: Registry, content: bytes) -> None:
    """One bad file does not keep leftovers alive."""
    with running(token=TOKEN) as leftover:
        registry.add(entry(leftover.pid))
        (registry.folder / "0000.json").write_bytes(content)
        assert registry.reap() == [leftover.pid]
        assert _files(registry) == []


def test_without_a_folder_there_is_nothing_to_end(registry: Registry) -> None:
    """The first session ever."""
    assert registry.reap() == []


def test_an_entry_that_is_gone_can_be_removed_again(registry: Registry) -> None:
    """Two sessions may tidy up at once."""
    own = own_entry(1, TOKEN)
    registry.add(own)
    registry.remove(own)
    registry.remove(own)
    assert _files(registry) == []


def test_an_entry_of_our_own_names_this_process() -> None:
    """Owner, its birth, host and boot are those of now."""
    own = own_entry(5, TOKEN)
    assert (own.group, own.owner_pid, own.owner_born) == (5, os.getpid(), birth(os.getpid()))
    assert (own.host, own.boot) == (platform.node(), psutil.boot_time())


def test_a_process_that_ignores_the_asking_is_killed() -> None:
    """Asked first, killed after the grace."""
    with running(STUBBORN, token=TOKEN) as deaf:
        assert deaf.stdout is not None
        assert deaf.stdout.readline() == b"deaf\n"
        assert [process.pid for process in group_members(deaf.pid, TOKEN)] == [deaf.pid]
        assert end_group(deaf.pid, TOKEN, grace_s=0.2) == [deaf.pid]
        assert not lives(deaf.pid)


def test_a_group_without_members_ends_at_once() -> None:
    """Nobody to end, nobody ended."""
    assert end_group(dead_owner()[0], TOKEN, grace_s=0.0) == []


def test_the_default_folder_is_one_for_all_checkouts() -> None:
    """It does not depend on where pytest was started."""
    folder = registry_module.default_folder()
    assert folder.is_absolute()
    assert folder.name == "servers"
