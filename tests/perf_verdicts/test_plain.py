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
@pytest.mark.parametrize("name", DURATIONS)
def test_run(benchmark, name):
    durations = iter(DURATIONS[name])
    benchmark.pedantic(lambda: timer.advance(next(durations)), rounds=len(DURATIONS[name]), iterations=1)
"""


def _session(pytester: pytest.Pytester, durations: dict[str, Sequence[float]], *options: str) -> pytest.RunResult:
    pytester.path.joinpath("durations.json").write_text(json.dumps(durations), "utf-8")
    return pytester.runpytest_subprocess(*options)


def test_whole_sessions_of_it_say_the_same(pytester: pytest.Pytester) -> None:
    """pytest itself, with a stored base and recorded durations: it names the one beyond 5 %, and no other."""
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(test_other=OTHER_TEST)
    _session(pytester, {"below": BASE, "above": BASE}, "--benchmark-save=base").assert_outcomes(passed=2)
    options = ("--benchmark-compare=0001", f"--benchmark-compare-fail={EXPRESSION}")
    result = _session(pytester, {"below": JUST_BELOW, "above": JUST_ABOVE}, *options)
    said = (result.stderr.str() + result.stdout.str()).splitlines()
    assert result.ret != 0
    assert [line.split()[0] for line in said if "has failed PercentageRegressionCheck" in line] == ["test_run[above]"]
    assert (alarms(BASE, JUST_BELOW), alarms(BASE, JUST_ABOVE)) == (False, True)


def test_its_default_rounds_are_its_own(pytestconfig: pytest.Config) -> None:
    """As many as pytest-benchmark takes of a long run when nothing is set."""
    assert pytestconfig.getoption("benchmark_min_rounds") == DEFAULT_ROUNDS


@pytest.mark.parametrize(("durations", "alarm"), [(JUST_BELOW, False), (JUST_ABOVE, True), ((0.5,) * 5, False)])
def test_a_mean_more_than_five_percent_above_is_an_alarm(durations: Sequence[float], alarm: bool) -> None:
    """Whatever the scatter; a faster candidate is none."""
    assert alarms(BASE, durations) is alarm
