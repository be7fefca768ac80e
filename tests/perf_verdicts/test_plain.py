"""``--benchmark-compare-fail=mean:5%`` as it is applied to recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from perf.verdicts.plain import DEFAULT_ROUNDS, EXPRESSION, alarms

BASE = (1.0, 1.1, 0.9, 1.0, 1.0)
JUST_BELOW = (1.0499, 1.1, 1.0, 1.0499, 1.0499)
JUST_ABOVE = (1.0502, 1.1, 1.0, 1.0502, 1.0502)
OTHER_TEST = """
import json
from pathlib import Path

import pytest

DURATIONS = json.loads(Path("durations.json").read_text("utf-8"))

class Timer:
    now_s = 0.0

    def __call__(self):
        return self.now_s

    def advance(self, duration_s):
        self.now_s += duration_s

timer = Timer()

@pytest.mark.benchmark(timer=timer)
def test_run(benchmark):
    durations = iter(DURATIONS)
    benchmark.pedantic(lambda: timer.advance(next(durations)), rounds=len(DURATIONS), iterations=1)
"""


def _session(pytester: pytest.Pytester, durations: Sequence[float], *options: str) -> pytest.RunResult:
    pytester.path.joinpath("durations.json").write_text(json.dumps(durations), "utf-8")
    return pytester.runpytest_subprocess(*options)


def test_whole_sessions_of_it_say_the_same(pytester: pytest.Pytester) -> None:
    """pytest itself, with a stored base and recorded durations: red beyond 5 %, green below."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(test_other=OTHER_TEST)
    _session(pytester, BASE, "--benchmark-save=base").assert_outcomes(passed=1)
    options = ("--benchmark-compare=0001", f"--benchmark-compare-fail={EXPRESSION}")
    for durations, alarm in ((JUST_BELOW, False), (JUST_ABOVE, True)):
        assert alarms(BASE, durations) is alarm
        result = _session(pytester, durations, *options)
        assert (result.ret != 0) is alarm
        assert ("Performance has regressed" in result.stderr.str() + result.stdout.str()) is alarm


def test_its_default_rounds_are_its_own(pytestconfig: pytest.Config) -> None:
    """As many as pytest-benchmark takes of a long run when nothing is set."""
    assert pytestconfig.getoption("benchmark_min_rounds") == DEFAULT_ROUNDS


@pytest.mark.parametrize(("durations", "alarm"), [(JUST_BELOW, False), (JUST_ABOVE, True), ((0.5,) * 5, False)])
def test_a_mean_more_than_five_percent_above_is_an_alarm(durations: Sequence[float], alarm: bool) -> None:
    """Whatever the scatter; a faster candidate is none."""
    assert alarms(BASE, durations) is alarm
