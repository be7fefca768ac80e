"""Whether the session's servers are fit to be measured, and for production: an item of the checklist a test."""

from __future__ import annotations

import pytest
import pytest_asyncio

from harness.plugin.checking import BASE_PREFIX, PRODUCTION_ITEMS, perf_session_checklist
from harness.plugin.session import PerfSession
from harness.records.checklist import Checklist
from harness.report.checklist import checklist_lines


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def checklist(perf_session: PerfSession) -> Checklist:
    """The open session's checklist; what is not ok is shown, whatever becomes of its test."""
    found = await perf_session_checklist(perf_session)
    *lines, _count = checklist_lines(Checklist(tuple(item for item in found.items if item.status != "ok")))
    for line in (*lines, checklist_lines(found)[-1]):
        perf_session.say(f"  {line}")
    return found


@pytest.mark.parametrize("name", PRODUCTION_ITEMS)
@pytest.mark.asyncio(loop_scope="session")
async def test_production(checklist: Checklist, name: str) -> None:
    """An item of the checklist did not fail, neither for the servers nor for those of the base."""
    asked = tuple(item for item in checklist.items if item.name.removeprefix(BASE_PREFIX) == name)
    assert asked
    found = Checklist(asked)
    if found.failed:
        pytest.fail("\n".join(checklist_lines(found)), pytrace=False)
