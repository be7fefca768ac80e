"""The gate on a small recording: it raises no false alarms, and finds what is there.

Run it by its path: ``pytest perf/verdicts``. The full benchmark is ``python -m perf.verdicts``.
"""

from __future__ import annotations

import pytest
from scipy.stats import binom

from perf.verdicts.rows import BOTH, OURS, Row
from perf.verdicts.session import Request, Result, judge_all, record, to_stderr

SESSIONS = Request(sessions=12, injected=6, embedded=0)
FALSE_ALARMS = 0.01
CHANCE = 0.999  # so many sound gates in a thousand recordings are not called unsound
LEAST_FOUND = 0.9
NEAR_PCT = 1.0


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One recording of both paced worlds, judged."""
    out = tmp_path_factory.mktemp("verdicts")
    record(SESSIONS, out, to_stderr)
    found = judge_all(out)
    to_stderr(found.text())
    return found


def _ours(result: Result, world: str, change_pct: int) -> Row:
    return next(row for row in result.rows if (row.world, row.change_pct, row.judge) == (world, change_pct, OURS))


def test_every_session_could_be_judged(result: Result) -> None:
    """No pair was lost, so that no verdict is missing from the counts."""
    assert sum(row.invalid for row in result.rows) == 0
    assert _ours(result, BOTH, 0).judged == 2 * 2 * SESSIONS.sessions


def test_the_same_program_raises_no_alarm(result: Result) -> None:
    """At most 1 % of the A/A gates fail, plus what chance allows of so few."""
    row = _ours(result, BOTH, 0)
    assert row.alarms <= binom.ppf(CHANCE, row.judged, FALSE_ALARMS)


def test_ten_percent_are_found_on_a_quiet_host(result: Result) -> None:
    """By at least nine gates in ten, and in fewer pairs than were allowed."""
    row = _ours(result, "quiet", 10)
    assert row.alarms >= LEAST_FOUND * row.judged
    assert row.pairs is not None
    assert row.pairs < SESSIONS.pairs


def test_the_change_is_in_the_recordings(result: Result) -> None:
    """What was dialled in is what the wall time and the slowdown of the quiet world got worse by."""
    quiet = [dial for dial in result.dials if dial.world == "quiet"]
    assert [dial.change_pct for dial in quiet] == [0, 5, 10]
    for dial in quiet:
        for found in dial.found_pct.values():
            assert found == pytest.approx(dial.change_pct, abs=NEAR_PCT)
