"""What recordings scatter by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.judge import Verdict
from perf.verdicts.outcomes import Gate, Outcome
from perf.verdicts.scatter import dials, process_differences
from perf.verdicts.worlds import PACED
from tests.perf_verdicts.sessions import dialled, job, outcome

PASSED = (Gate("concurrent_wall_s", Verdict.PASS, 4), Gate("slowdown", Verdict.PASS, 4))


@pytest.mark.parametrize("rest", [0.0, 0.005])
@pytest.mark.parametrize("world", PACED)
def test_noise_that_came_out_is_found_as_it_was_dialled(world: str, rest: float) -> None:
    """And what the host put on top of it is told apart from it."""
    (found,) = dials([dialled(job(world, number=n), rest=rest) for n in range(40)])
    assert found.found_run_sd == pytest.approx((found.run_sd**2 + rest**2) ** 0.5, rel=0.06)
    assert found.rest_sd == pytest.approx(rest, rel=0.06)
    assert found.found_session_sd == pytest.approx(max(found.session_sd, found.run_sd / 30**0.5), rel=0.35)


def test_the_change_that_was_recorded_is_said() -> None:
    """In per cent, of each metric; sessions that could not be judged are left out."""
    sessions = [
        replace(dialled(job(number=n, change_pct=10)), differences={"concurrent_wall_s": (np.log(1.1),) * 30})
        for n in range(3)
    ]
    sessions = [replace(each, differences={**each.differences, "slowdown": (np.log(1.09),) * 30}) for each in sessions]
    unfit = replace(dialled(job(number=3, change_pct=10)), gates=(Gate("slowdown", Verdict.INVALID, 30),))
    lost = outcome(job(number=4, change_pct=10), *PASSED, base_s=(), candidate_s=())
    (found,) = dials([*sessions, unfit, lost])
    assert found.sessions == 3
    assert found.found_pct == pytest.approx({"concurrent_wall_s": 10.0, "slowdown": 9.0})


def embedded(process_sd: float, sessions: int = 200, pairs: int = 12, pair_sd: float = 0.02) -> list[Outcome]:
    """A/A sessions whose processes differ by this SD."""
    noise = np.random.default_rng(4)
    return [
        replace(
            outcome(job("embedded", number=n), *PASSED, base_s=(1.0,) * pairs),
            differences={
                metric: tuple((noise.normal(0, process_sd) + noise.normal(0, pair_sd, pairs)).tolist())
                for metric in ("concurrent_wall_s", "slowdown")
            },
        )
        for n in range(sessions)
    ]


def test_processes_that_differ_are_told_from_scatter() -> None:
    """Their own SD is found beside what the scatter from pair to pair explains."""
    for found in process_differences(embedded(0.01, pair_sd=0.03)):
        assert found.pair_sd == pytest.approx(0.03, rel=0.05)
        assert found.explained_sd == pytest.approx(0.03 / 12**0.5, rel=0.05)
        assert found.process_sd == pytest.approx(0.01, rel=0.15)
        assert found.p < 1e-6


def test_processes_that_do_not_differ_show_nothing_but_scatter() -> None:
    """The sessions' SD is what is explained."""
    for found in process_differences(embedded(0.0)):
        assert found.session_sd == pytest.approx(found.explained_sd, rel=0.15)
        assert found.p > 0.001


def test_a_change_is_no_difference_of_processes() -> None:
    """Only A/A sessions are looked at, and one alone tells nothing."""
    assert process_differences([dialled(job(number=n, change_pct=5)) for n in range(3)]) == []
    assert process_differences(embedded(0.01, sessions=1)) == []
