"""Text for the terminal: says what happened, and cannot be steered by what a server or model sent."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import Verdict
from harness.report import breach_message, invalid_message, progress_line, summary_lines
from harness.report.terminal import gate_line, printable
from harness.testing import build_block
from tests.report.scenarios import GOOD, INVALID, OVERLAPPING, UNDECIDED, blocks, judged

HOSTILE = "\x1b[2J\x1b]0;title\x07 \u202e\u200f\r\n\x00\x85\u2028 end"


@given(st.text(alphabet=st.characters()))
def test_printable_text_steers_nothing_and_loses_nothing(text: str) -> None:
    """Every character of the result is printable, and printable text stays as it is."""
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert "".join(c for c in text if c.isprintable()) == text or shown != text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ünïcode 漢字 🙂", "plain Ünïcode 漢字 🙂"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\u202eb", "a\\u202eb"),
        ("one\ntwo\r", "one\\ntwo\\r"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_steer_a_terminal_is_shown_as_an_escape(text: str, shown: str) -> None:
    """ANSI escapes, marks that turn the direction of writing, line ends and lone surrogates."""
    assert printable(text) == shown


def test_a_hostile_reason_stays_in_its_line() -> None:
    """Progress, invalid message and summary show it escaped, in one line each."""
    block = build_block(error=HOSTILE)
    assert progress_line(block, 5).isprintable()
    scenario = judged([block], "broken")
    for line in [*invalid_message(scenario).split("\n"), *"\n".join(summary_lines([scenario])).split("\n")]:
        assert line.isprintable()
    mixed = judged([*blocks(), replace(block, index=9)])
    assert all(line.isprintable() for line in breach_message(mixed).split("\n"))
    assert "\\x1b[2J" in breach_message(mixed)


def test_a_progress_line_says_what_a_block_gave() -> None:
    """Rates alone and together, and both efficiencies under their own names."""
    line = progress_line(build_block({"A": 1000, "B": 1000}, {"A": 2000, "B": 2000}, index=2), 5)
    assert line == ("  pair block 2/5: A 10 -> 5 tok/s, B 10 -> 5 tok/s; efficiency: guide's 100 %, measured 50 %")


def test_a_progress_line_names_the_warm_up_and_a_lost_block() -> None:
    """The warm-up has no number; a lost block has its reason."""
    assert progress_line(build_block(index=0, warmup=True), 5).startswith("  pair warm-up: A 10")
    assert progress_line(build_block(error="the server died"), 5) == "  pair block 1/5: invalid: the server died"


@pytest.mark.parametrize(
    ("position", "words"),
    [
        (0, "PASS: guide's efficiency 100.0 % (95 % interval 100.0 % to 100.0 %, n = 3), limit at least 80.0 %"),
        (1, "FAIL: measured speedup 0.91x (95 % interval 0.91x to 0.91x, n = 3), limit at least 1.00x"),
        (
            2,
            "INCONCLUSIVE: contention rate 100.0 % (95 % interval 29.2 % to 100.0 %, n = 3), limit at most 33.0 %",
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


def test_the_table_has_a_row_for_each_scenario_and_agent() -> None:
    """Columns are aligned; a scenario without figures has dashes."""
    lines = summary_lines([GOOD, OVERLAPPING, INVALID])
    header, good, overlapping, invalid = lines[:4]
    assert header.startswith("scenario")
    assert good.split()[:3] == ["pair", Verdict.PASS.value, "3"]
    assert overlapping.split()[:3] == ["overlapping", "FAIL", "3"]
    assert invalid.split()[:3] == ["broken", "INVALID", "0"]
    assert invalid.endswith("-")
    assert sum(line.startswith(("pair A ", "overlapping A ")) for line in lines) == 2
    assert len({len(line) for line in lines[:3]}) == 1


def test_a_passing_scenario_needs_no_words() -> None:
    """Its gates are not repeated; a failing one's are."""
    assert not any("limit at least" in line for line in summary_lines([GOOD]))
    assert any("limit at least" in line for line in summary_lines([OVERLAPPING]))


def test_a_session_without_scenarios_has_only_a_header() -> None:
    """Nothing measured, nothing claimed."""
    assert summary_lines([])[0].startswith("scenario")
