"""Gates as gauges: from the summary that is judged anyway."""

from __future__ import annotations

import pytest

from harness.report.live.gates import gauges_of, standing
from harness.scenarios import Stopping
from tests.report.scenarios import INVALID, OVERLAPPING, compared

SEQUENTIAL, FIXED = Stopping(30), Stopping(3, fixed=True)


def test_each_gate_is_a_gauge_in_the_units_of_its_limit() -> None:
    """Efficiencies and rates in %, factors as such; interval, limit and verdict are the gate's."""
    efficiency, speedup, rate = gauges_of(OVERLAPPING, SEQUENTIAL)
    assert (efficiency.name, efficiency.unit, efficiency.limit, efficiency.at_least) == (
        "guide's efficiency",
        "%",
        80.0,
        True,
    )
    assert efficiency.low is not None
    assert efficiency.high is not None
    assert efficiency.low <= efficiency.point <= efficiency.high
    assert (speedup.name, speedup.unit, speedup.limit) == ("measured speedup", "x", 1.0)
    assert (rate.name, rate.unit, rate.point, rate.limit, rate.at_least) == ("contention rate", "%", 100.0, 33.0, False)
    assert [gauge.verdict for gauge in (efficiency, speedup, rate)] == [g.verdict.value for g in OVERLAPPING.gates]


def test_a_comparison_with_the_base_is_a_gauge_too() -> None:
    """In per cent of the base's, its limit is how much worse it may be; what was stored closes in on nothing."""
    gauges = gauges_of(compared(1.5), SEQUENTIAL)[3:]
    assert [gauge.name for gauge in gauges] == [
        "wall time of the concurrent run, of the base's",
        "slowdown, of the base's",
    ]
    assert [(gauge.limit, gauge.at_least) for gauge in gauges] == [(105.0, False)] * 2
    assert gauges[0].point == pytest.approx(150.0)


def test_what_is_judged_once_has_no_verdict_before() -> None:
    """A look that does not count shows none; the note says when there is one."""
    assert [gauge.verdict for gauge in gauges_of(OVERLAPPING, FIXED)] == ["", "", ""]
    assert standing(OVERLAPPING, FIXED) == "95 % intervals after 3 blocks; judged once, after 3"
    assert standing(OVERLAPPING, SEQUENTIAL) == "95 % intervals after 3 blocks"


def test_blocks_that_could_not_be_judged_are_told() -> None:
    """Also where there is no gate yet."""
    assert gauges_of(INVALID, SEQUENTIAL) == ()
    assert standing(INVALID, SEQUENTIAL) == "1 could not be judged"
