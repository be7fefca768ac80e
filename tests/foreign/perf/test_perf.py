from collections.abc import Callable

import pytest

from harness.judge import ScenarioSummary
from harness.judge.study import StudySummary

Step = Callable[[ScenarioSummary], None]


def test_scenario(measured: ScenarioSummary, store_timings: Step, assert_verdict: Step) -> None:
    """Every scenario that was chosen keeps its limits."""
    store_timings(measured)
    assert_verdict(measured)


@pytest.mark.parametrize("scenario_name", ["mine"])
def test_mine(measured: ScenarioSummary) -> None:
    """This one is about one scenario."""
    assert measured.estimates["measured_efficiency_pct"].point > 50


def test_study(studied: StudySummary) -> None:
    """Every study that was chosen has something to say."""
    assert studied.arms
