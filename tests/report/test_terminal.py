"""Text for the terminal: says what happened, and cannot be steered by what a server or model sent."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import Verdict
from harness.records.session import BASE
from harness.report import breach_message, invalid_message, judged_lines, progress_line, summary_lines
from harness.scenarios import Stopping
from harness.testing import build_block, build_session
from tests.report.scenarios import GOOD, INVALID, OVERLAPPING, blocks, judged

FIVE = Stopping(5, fixed=True)
HOSTILE = "\x1b[2J\x1b]0;title\x07 \u202e\u200f\r\n\x00\x85\u2028 end"


def test_a_hostile_reason_stays_in_its_line() -> None:
    """Progress, invalid message and summary show it escaped, in one line each."""
    block = build_block(error=HOSTILE)
    assert progress_line(block, FIVE).isprintable()
    scenario = judged([block], "broken")
    for line in [*invalid_message(scenario).split("\n"), *"\n".join(summary_lines([scenario])).split("\n")]:
        assert line.isprintable()
    mixed = judged([*blocks(), replace(block, index=9)])
    assert all(line.isprintable() for line in breach_message(mixed).split("\n"))
    assert "\\x1b[2J" in breach_message(mixed)


def test_a_progress_line_says_what_a_block_gave() -> None:
    """Rates alone and together, and both efficiencies under their own names."""
    line = progress_line(build_block({"A": 1000, "B": 1000}, {"A": 2000, "B": 2000}, index=2), FIVE)
    assert line == ("  pair block 2/5: A 10 -> 5 tok/s, B 10 -> 5 tok/s; efficiency: guide's 100 %, measured 50 %")


def test_a_progress_line_names_the_warm_up_and_a_lost_block() -> None:
    """The warm-up has no number; a lost block has its reason."""
    assert progress_line(build_block(index=0, warmup=True), FIVE).startswith("  pair warm-up: A 10")
    assert progress_line(build_block(error="the server died"), FIVE) == "  pair block 1/5: invalid: the server died"


def test_a_progress_line_says_how_far_it_may_go_and_whose_the_block_is() -> None:
    """Of a sequential scenario at most so many; a base's block says so."""
    block = build_block(index=2)
    assert progress_line(block, Stopping(30)).startswith("  pair block 2/30 at most: ")
    assert progress_line(replace(block, side=BASE), Stopping(30)).startswith("  pair base, block 2/30 at most: ")


def test_where_the_time_went_stands_below_each_scenario() -> None:
    """The decomposition and the ledger, for scenarios that could be judged."""
    lines = "\n".join(summary_lines([GOOD, INVALID]))
    assert "pair: where 100 % of 2 x 1.00 s went" in lines
    assert "pair: where the time of a request went" in lines
    assert "broken: where" not in lines


def test_a_session_from_a_journal_that_was_cut_short_says_so() -> None:
    """The tables are the same, with a line below."""
    whole, cut = (judged_lines(build_session(), [GOOD], cut=cut) for cut in (False, True))
    assert cut[: len(whole)] == whole
    assert whole[0].startswith("instrument: ")
    assert "the journal's last line was cut short" in cut[-1]


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
