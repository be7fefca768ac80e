"""Published runs: what their records can and cannot hold."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from harness.records.published import PublishedSession
from tests.published_rows import pair_row, published_run


def test_a_published_run_has_no_requests() -> None:
    """Only totals over an agent's requests were recorded, so none is made up."""
    run = published_run(pair_row())
    assert [agent.requests for agent in run.run.agents] == [(), ()]
    assert [totals.calls for totals in run.totals] == [2, 2]


def test_a_published_session_cannot_be_changed() -> None:
    """What was published stays as it was read."""
    with pytest.raises(FrozenInstanceError):
        PublishedSession("TR999", ()).dataset = "TR110"  # type: ignore[misc]
