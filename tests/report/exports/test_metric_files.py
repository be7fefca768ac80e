"""Files for dashboards: what Bencher and github-action-benchmark require of theirs, stated again and held to."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any

import pytest

from harness.report.exports.bencher import LONGEST_NAME, bencher_json
from harness.report.exports.github_benchmark import github_benchmark_json
from tests.report.exports.sessions import GOOD, HOSTILE, SESSIONS

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
RANGE = re.compile(r"(\+-|±)\s*(?P<value>\d.*)")
"""As github-action-benchmark reads it; what follows has to be a number."""


def bmf(name: str) -> dict[str, dict[str, dict[str, float]]]:
    """A session in Bencher's metric format."""
    content: dict[str, dict[str, dict[str, float]]] = json.loads(bencher_json(SESSIONS[name]))
    return content


def entries(name: str) -> list[dict[str, Any]]:
    """A session for github-action-benchmark."""
    content: list[dict[str, Any]] = json.loads(github_benchmark_json(SESSIONS[name]))
    return content


@pytest.mark.parametrize("name", SESSIONS)
def test_bencher_takes_it(name: str) -> None:
    """Names and slugs within their lengths, a finite value each, and ends around it."""
    for benchmark, measures in bmf(name).items():
        assert 0 < len(benchmark) <= LONGEST_NAME
        assert measures
        for slug, metric in measures.items():
            assert SLUG.fullmatch(slug)
            assert len(slug) <= 64
            assert {"value"} <= metric.keys() <= {"value", "lower_value", "upper_value"}
            assert all(isinstance(each, float) and isfinite(each) for each in metric.values())
            assert metric.get("lower_value", metric["value"]) <= metric["value"]
            assert metric["value"] <= metric.get("upper_value", metric["value"])


def test_bencher_has_scenarios_and_agents_with_intervals_in_its_units() -> None:
    """The wall time is its latency in ns, tokens per second its throughput; the rest has the metrics' names."""
    found = bmf("good")
    assert found.keys() == {"pair", "pair/A", "pair/B"}
    (scenario,) = GOOD.scenarios
    wall = scenario.estimates["concurrent_wall_s"]
    assert wall.low is not None
    assert found["pair"]["latency"]["value"] == pytest.approx(1e9 * wall.point)
    assert found["pair"]["latency"]["lower_value"] == pytest.approx(1e9 * wall.low)
    assert found["pair"]["throughput"]["value"] == scenario.estimates["aggregate_tok_s"].point
    assert found["pair"]["measured-efficiency-pct"]["value"] == scenario.estimates["measured_efficiency_pct"].point
    assert found["pair/A"]["ttft-ms"] == {"value": 100.0}


@pytest.mark.parametrize("name", ["empty", "invalid", "study"])
def test_what_cannot_be_trusted_is_in_no_trend(name: str) -> None:
    """A scenario that is INVALID, a study, and a session without any give no metric."""
    assert bmf(name) == {}
    assert entries(name) == []


@pytest.mark.parametrize("name", SESSIONS)
def test_github_action_benchmark_takes_it(name: str) -> None:
    """Name, value and unit; the range is plus or minus a number; every name is there once."""
    found = entries(name)
    for entry in found:
        assert {"name", "unit", "value", "extra"} <= entry.keys() <= {"name", "unit", "value", "extra", "range"}
        assert isinstance(entry["value"], float)
        assert all(isinstance(entry[key], str) for key in entry.keys() - {"value"})
        if "range" in entry:
            match = RANGE.fullmatch(entry["range"])
            assert match
            assert float(match["value"]) >= 0
    names = [entry["name"] for entry in found]
    assert len(set(names)) == len(names)


def test_github_action_benchmark_gets_only_what_is_better_if_it_is_less() -> None:
    """No efficiency, speedup or throughput: the action would call an improvement a regression."""
    figures = {entry["name"].rpartition(" ")[2] for entry in entries("good")}
    assert figures == {
        "slowdown",
        "ttft_ratio",
        "contention_rate",
        "concurrent_wall_s",
        "ttft_ms",
        "tpot_ms",
        "end_to_end_ms",
    }


def test_hostile_names_are_harmless_in_metric_files() -> None:
    """Names are printable, and told apart still."""
    assert len(bmf("hostile")) == 3
    names = [*bmf("hostile"), *(entry["name"] for entry in entries("hostile"))]
    assert all(name.isprintable() and HOSTILE not in name for name in names)
