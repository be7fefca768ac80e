"""The regression gate tested by itself: a candidate made slower together is red, an equal one is green.

Two ground-truth servers of two ports each: the base's and the candidate's. By `pytest` with its exit codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from harness.servers.truth import TruthServer
from tests.chain.test_known_contention import FOREIGN_TEST, NEAR, QUICK, contention, device_of

LAX = ("measured_efficiency_pct=1", "measured_speedup=0.01", "guide_efficiency_pct=1", "contention_rate=1")


@pytest.fixture
def base_server() -> Iterator[TruthServer]:
    """The base's server."""
    with TruthServer.start() as server:
        yield server


def _session(
    pytester: pytest.Pytester, candidate: TruthServer, base: TruthServer
) -> tuple[pytest.RunResult, dict[str, Any]]:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(FOREIGN_TEST)
    urls = [
        part
        for flag, url in zip(
            ("--collector-ollama-url", "--insight-ollama-url", "--base-url1", "--base-url2"),
            (*candidate.urls, *base.urls),
            strict=True,
        )
        for part in (flag, url)
    ]
    limits = [part for limit in LAX for part in ("--threshold", limit)]
    result = pytester.runpytest_subprocess(*urls, *QUICK, *limits, "--no-calibration", "--compare", "slowdown")
    summary = json.loads(pytester.path.joinpath("s.json").read_text("utf-8"))
    return result, summary["scenarios"]["chimera_homo"]


def test_a_candidate_that_got_worse_together_is_red(
    pytester: pytest.Pytester, truth_server: TruthServer, base_server: TruthServer
) -> None:
    """10 % more contention than its base: `pytest` ends with 1, though every limit is kept; the change has its size."""
    truth_server.configure(device_of(contention(1.32)))
    base_server.configure(device_of(contention(1.2)))
    result, scenario = _session(pytester, truth_server, base_server)
    result.assert_outcomes(failed=1)
    (change,) = scenario["changes"]
    assert (change["metric"], change["against"], change["verdict"]) == ("slowdown", "base", "FAIL")
    assert change["ratio"] == pytest.approx(1.1, rel=NEAR)
    assert {gate["verdict"] for gate in scenario["gates"]} == {"PASS"}
    result.stdout.fnmatch_lines(["*FAIL by slowdown against base*", "*FAIL: slowdown against base: +* % (worse; *"])


def test_a_candidate_as_good_as_its_base_is_green_and_stops_early(
    pytester: pytest.Pytester, truth_server: TruthServer, base_server: TruthServer
) -> None:
    """The same contention on both sides: `pytest` ends with 0 after a few pairs of the thirty."""
    for server in (truth_server, base_server):
        server.configure(device_of(contention(1.2)))
    result, scenario = _session(pytester, truth_server, base_server)
    result.assert_outcomes(passed=1)
    (change,) = scenario["changes"]
    assert change["verdict"] == "PASS"
    assert change["ratio"] == pytest.approx(1.0, rel=NEAR)
    assert scenario["blocks"] < 15
    assert not change["too_good"]


def test_an_absurd_improvement_is_green_and_questioned(
    pytester: pytest.Pytester, truth_server: TruthServer, base_server: TruthServer
) -> None:
    """Half the time of the base: no regression, and a line that asks what the base was."""
    truth_server.configure(device_of({}))
    base_server.configure(device_of(contention(2.0)))
    result, scenario = _session(pytester, truth_server, base_server)
    result.assert_outcomes(passed=1)
    assert scenario["changes"][0]["too_good"]
    result.stdout.fnmatch_lines(["*TOO GOOD to be an improvement*"])
