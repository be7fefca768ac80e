"""Verdicts in words: what is needed to believe them stands in one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge import Verdict
from harness.report import breach_message, invalid_message
from harness.report.verdicts import change_line, gate_line
from harness.testing import build_block
from tests.report.scenarios import INVALID, OVERLAPPING, UNDECIDED, compared, judged


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (
            0,
            "PASS: guide's efficiency 100.0 % (95 % t interval on logs 100.0 % to 100.0 %, n = 3), limit at",
        ),
        (1, "FAIL: measured speedup 0.91x (95 % t interval on logs 0.91x to 0.91x, n = 3), limit at least 1.00x"),
        (
            2,
            "FAIL: contention rate 100.0 % (95 % exact binomial interval 29.2 % to 100.0 %, n = 3), limit at",
        ),
    ],
)
def test_a_gates_line_has_figure_interval_limit_and_worst_block(position: int, words: str) -> None:
    """What is needed to believe a verdict stands in one line."""
    line = gate_line(OVERLAPPING.gates[position])
    assert line.startswith(words)
    assert "block" in line


def test_a_gate_without_an_interval_says_so() -> None:
    """One block decides nothing, and the line tells why."""
    assert "(n = 1, no interval)" in gate_line(UNDECIDED.gates[0])


def test_a_breach_names_every_gate_symptom_and_the_overlap() -> None:
    """Agents that overlap without running in parallel are told apart from a good run in words."""
    message = breach_message(OVERLAPPING)
    assert message.startswith("overlapping: FAIL")
    assert "the agents overlap 100 % of the time but do not run in parallel" in message
    assert "they reach 45 %" in message
    assert message.count("contention in block") == 3
    assert "throughput of A 55 % below its solo one (limit 20 %)" in message


def test_the_ttft_symptom_is_in_seconds() -> None:
    """Its value and its limit have the same unit."""
    slow = [build_block({"A": 20_000, "B": 20_000}, index=i, concurrent_ttft_ms=15_100) for i in (1, 2)]
    assert "TTFT of A 15.0 s over its solo one (limit 10 s)" in breach_message(judged(slow))


def test_an_invalid_scenario_says_how_many_blocks_were_lost_and_why() -> None:
    """The instrument was at fault, not the agents."""
    assert invalid_message(INVALID) == (
        "broken: INVALID, 0 of 1 blocks could be judged\n  block 1 is invalid: the server died"
    )


def test_a_gate_says_what_it_could_have_found_and_what_is_odd() -> None:
    """The MDE, outliers with the verdict without them, and a drift."""
    gate = replace(UNDECIDED.gates[0], mde_pct=3.21, outliers=(2, 7), verdict_without=Verdict.PASS, drift_p=0.004)
    line = gate_line(gate)
    assert "3.2 % beyond the limit would have been found" in line
    assert "outliers: 2, 7 (without them: PASS)" in line
    assert "it drifts over the blocks (p = 0.004)" in line
    assert "drifts" not in gate_line(replace(gate, drift_p=0.2))


def test_a_worse_candidate_is_named_with_what_was_shown() -> None:
    """Against the base pair by pair, against a baseline session by session."""
    wall, _, stored = (change_line(change) for change in compared(1.1).changes)
    assert wall.startswith(
        "FAIL: wall time of the concurrent run against base: +10.0 % (worse; 95 % t interval on logs"
    )
    assert "5 pairs): more than 1 % worse at pair 5" in wall
    assert stored.startswith("FAIL: slowdown against baseline main: +10.0 % (worse; ")
    assert "4 sessions): more than 1 % worse; " in stored


def test_an_equal_candidate_is_neither_worse_nor_better() -> None:
    """What rounds to nothing has no direction."""
    line = change_line(compared(1.0).changes[0])
    assert line.startswith("PASS: wall time of the concurrent run against base: +0.0 % (unchanged; ")
    assert "not 5 % worse at pair 5" in line


def test_an_absurd_improvement_is_questioned() -> None:
    """Twice as fast as its base is no improvement that anybody should believe unasked; a tenth is."""
    assert "TOO GOOD to be an improvement" in change_line(compared(0.5).changes[0])
    assert "TOO GOOD" not in change_line(compared(0.9).changes[0])


def test_a_comparison_that_could_not_be_made_says_why() -> None:
    """INVALID has no figures to show."""
    change = replace(compared(1.0).changes[0], verdict=Verdict.INVALID, reason="no pair")
    assert change_line(change) == "INVALID: wall time of the concurrent run against base: no pair"


def test_a_breach_names_the_comparison_that_decided() -> None:
    """The limits are kept, the base is not: the message starts with what failed."""
    message = breach_message(compared(1.1))
    assert message.startswith("compared: FAIL by wall time of the concurrent run against base, slowdown against base")
