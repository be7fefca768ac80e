"""A session judged: the same from the running one and from its journal."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import SELF_NORMALISED, Verdict, judge_measured, judge_session, ratios_by_scenario
from harness.records import Session
from harness.scenarios import InstrumentLimits, Limit, Terms
from harness.testing import build_block, build_calibration, build_session

TERMS = Terms((Limit("measured_speedup", 1.0),))
BLOCKS = [build_block({"A": 1000 + i, "B": 1000 + i}, index=i) for i in range(1, 6)]
OTHERS = [replace(block, scenario="other") for block in BLOCKS]


def test_each_scenario_gets_its_own_blocks_and_terms() -> None:
    """In the order in which they were begun, also one that has no block."""
    terms = {"other": TERMS, "pair": replace(TERMS, limits=(Limit("measured_speedup", 2.5),)), "begun": TERMS}
    session = build_session([BLOCKS[0], OTHERS[0], *BLOCKS[1:], *OTHERS[1:]])
    summaries = judge_session(session, terms, {})
    assert [summary.name for summary in summaries] == ["other", "pair", "begun"]
    assert [summary.verdict for summary in summaries] == [Verdict.PASS, Verdict.FAIL, Verdict.INVALID]
    assert [len(summary.blocks) for summary in summaries] == [5, 5, 0]


def test_a_fault_makes_a_scenario_invalid_whatever_was_measured() -> None:
    """It stands where the first block's reasons would."""
    summary = judge_measured(build_session(), "pair", BLOCKS, TERMS, "the server had died")
    assert (summary.verdict, summary.invalid) == (Verdict.INVALID, {0: ("the server had died",)})


def _calibrated(gap_ms: float) -> Session:
    calibration = replace(build_calibration(), gap_error_p99_ms=gap_ms)
    return replace(build_session(), calibrations=(build_calibration(), calibration))


def test_an_unfit_instrument_makes_every_scenario_invalid() -> None:
    """By the last calibration, and only if its limits are looked at."""
    limits = replace(TERMS, instrument=InstrumentLimits(gap_ms=0.5))
    summary = judge_measured(_calibrated(0.6), "pair", BLOCKS, limits)
    assert summary.verdict is Verdict.INVALID
    assert "the instrument is worse than its limits: gap error p99 0.6 ms (limit 0.5)" in summary.invalid[0][0]
    assert judge_measured(_calibrated(0.4), "pair", BLOCKS, limits).verdict is Verdict.PASS
    assert judge_measured(_calibrated(0.6), "pair", BLOCKS, TERMS).verdict is Verdict.PASS
    assert judge_measured(replace(build_session(), calibrations=()), "pair", BLOCKS, limits).verdict is Verdict.PASS


def test_a_baseline_takes_the_self_normalised_ratios_of_valid_blocks() -> None:
    """Of every scenario that could be measured, whatever its verdict was."""
    broken = [build_block(index=1, error="x")]
    terms = {"pair": replace(TERMS, limits=(Limit("measured_speedup", 2.5),)), "broken": TERMS}
    session = build_session([*BLOCKS, *(replace(block, scenario="broken") for block in broken)])
    ratios = ratios_by_scenario(judge_session(session, terms, {}))
    assert set(ratios) == {"pair"}
    assert set(ratios["pair"]) == set(SELF_NORMALISED)
    assert all(len(values) == 5 for values in ratios["pair"].values())
