"""The hooks that users implement, in a conftest.py or in an installed plugin, to bring what is theirs."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.scenarios import Scenario
from harness.servers.kinds import ServerKind


@pytest.hookspec()
def pytest_concurrency_scenarios(config: pytest.Config) -> Iterable[Scenario] | None:
    """Scenarios of one's own, which ``--scenario`` and ``--sweep`` then know beside the guide's.

    Called once, before the options are read. The argument may be left out.
    """


@pytest.hookspec()
def pytest_concurrency_servers(config: pytest.Config) -> Iterable[ServerKind] | None:
    """Kinds of servers of one's own, which ``--server`` and ``--base-server`` then know.

    Called once, before the options are read. The argument may be left out.
    """
