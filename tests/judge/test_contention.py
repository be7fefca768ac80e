"""The guide's symptoms: each rule on its limit and just beyond it."""

from __future__ import annotations

import pytest

from harness.judge import BlockFigures, block_figures, symptoms
from harness.scenarios import ContentionRules
from harness.testing import build_block

OFF = ContentionRules(ttft_s=1e9, throughput_drop_pct=100.0, efficiency_pct=0.0)


def _rules(**limits: float) -> ContentionRules:
    values = {
        "ttft_s": OFF.ttft_s,
        "throughput_drop_pct": OFF.throughput_drop_pct,
        "efficiency_pct": OFF.efficiency_pct,
    }
    return ContentionRules(**{**values, **limits})


def _figures(together_ms: float = 1000.0, ttft_ms: float = 100.0) -> BlockFigures:
    return block_figures(build_block({"A": 1000, "B": 1000}, {"A": together_ms, "B": 1000}, concurrent_ttft_ms=ttft_ms))


def test_the_guides_limits_are_the_defaults() -> None:
    """10 s, 20 % and 80 %."""
    assert ContentionRules() == ContentionRules(ttft_s=10.0, throughput_drop_pct=20.0, efficiency_pct=80.0)


def test_undisturbed_agents_show_no_symptom() -> None:
    """Nothing fires by the default rules."""
    assert symptoms(_figures(), ContentionRules()) == ()


@pytest.mark.parametrize(("ttft_ms", "fires"), [(350.0, False), (350.1, True), (50.0, False)])
def test_ttft_fires_only_above_its_limit_over_the_solo_one(ttft_ms: float, fires: bool) -> None:
    """Solo 100 ms and a limit of 250 ms: 350 ms is still good."""
    found = symptoms(_figures(ttft_ms=ttft_ms), _rules(ttft_s=0.25))
    assert [(s.rule, s.role, s.limit) for s in found] == [("ttft", "A", 0.25), ("ttft", "B", 0.25)] * fires
    assert all(s.value == pytest.approx(0.2501) for s in found)


@pytest.mark.parametrize(("limit_pct", "fires"), [(50.0, False), (49.9, True)])
def test_throughput_fires_only_for_the_agent_that_lost_more_than_the_limit(limit_pct: float, fires: bool) -> None:
    """A at half its solo rate has lost exactly 50 %; B has lost nothing."""
    found = symptoms(_figures(together_ms=2000), _rules(throughput_drop_pct=limit_pct))
    assert [(s.rule, s.role, s.value) for s in found] == [("throughput", "A", 50.0)] * fires


@pytest.mark.parametrize(("limit_pct", "fires"), [(50.0, False), (50.1, True)])
def test_efficiency_fires_only_below_its_limit(limit_pct: float, fires: bool) -> None:
    """Both at half speed have a measured efficiency of exactly 50 %, and the symptom is the pair's."""
    found = symptoms(_figures(together_ms=2000), _rules(efficiency_pct=limit_pct))
    assert [(s.rule, s.role, s.value) for s in found] == [("efficiency", None, 50.0)] * fires


def test_all_rules_can_fire_at_once() -> None:
    """Every symptom is reported, not the first only."""
    figures = block_figures(
        build_block({"A": 20_000, "B": 20_000}, {"A": 40_000, "B": 40_000}, concurrent_ttft_ms=11_000)
    )
    found = [(s.rule, s.role) for s in symptoms(figures, ContentionRules())]
    assert sorted(found, key=str) == sorted(
        [("efficiency", None), *((rule, role) for rule in ("ttft", "throughput") for role in "AB")], key=str
    )
