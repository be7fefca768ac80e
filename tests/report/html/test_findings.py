"""Verdicts in words: nothing is claimed that the intervals do not show."""

from __future__ import annotations

from dataclasses import replace

from harness.judge import judge_study
from harness.report.html.findings import findings, headline, pattern_words
from harness.testing import build_session
from tests.report.html.sessions import block, blocks, every_verdict, judged, pattern_blocks

SESSION = every_verdict()
FOUND = {finding.name: finding for finding in findings(SESSION)}


def test_the_worst_is_said_first() -> None:
    """Then the studies; the headline counts them."""
    assert [finding.verdict for finding in findings(SESSION)] == [
        "INVALID",
        "FAIL",
        "FAIL",
        "INCONCLUSIVE",
        "PASS",
        "STUDY",
    ]
    assert headline(SESSION) == ("INVALID", "!", "5 scenarios: 1 INVALID, 2 FAIL, 1 INCONCLUSIVE, 1 PASS")


def test_two_servers_on_one_device_in_words() -> None:
    """The agents overlap, each is slower than alone, together they lose time, and one server is faster."""
    first, second, third, *_ = FOUND["chimera_homo"].sentences
    assert first.startswith("the agents overlap 98 % of the time but do not run in parallel")
    assert "they reach 41 % (DataCollector 2.40x slower than alone" in first
    assert second.startswith("together they are slower than one after the other: 1.22 times as long")
    assert third.startswith("the single_parallel pattern was 1.6 times faster than a server for each agent")


def test_a_pattern_that_was_not_shown_to_be_faster_is_not_praised() -> None:
    """Nor one of other agents' study, nor one of a study that says nothing."""
    noisy = [
        *(pattern_blocks(1600.0, 2)[1:]),
        *(replace(each, index=each.index + 2) for each in pattern_blocks(3900.0, 2)[1:]),
        *(replace(each, index=each.index + 4) for each in pattern_blocks(2600.0, 2)[1:]),
    ]
    assert pattern_words(judge_study("patterns", noisy, None), "chimera_homo") == ""
    shown = judge_study("patterns", pattern_blocks(), None)
    assert "1.6 times faster" in pattern_words(shown, "chimera_homo")
    assert pattern_words(shown, "chimera_hetero") == ""
    assert pattern_words(judge_study("patterns", pattern_blocks(runs=2), None), "chimera_homo") == ""


def test_a_server_for_each_agent_may_be_the_best() -> None:
    """Then that is said."""
    best = judge_study("patterns", pattern_blocks(3000.0), None)
    assert pattern_words(best, "chimera_homo").startswith("no other pattern was as fast as a server for each agent")


def test_a_gain_is_only_said_where_the_interval_shows_it() -> None:
    """Faster, slower, or not shown."""

    def said(*slow: float) -> str:
        measured = [block("s", index, each) for index, each in enumerate(slow, start=1)]
        return findings(judged(build_session(), {"s": measured}))[0].sentences[1]

    assert said(1.01, 1.02, 1.01).startswith("together they finish 1.9")
    assert said(2.5, 2.6, 2.5).startswith("together they are slower than one after the other")
    for slow, speedup in (((1.5, 2.6, 1.9), "1.01"), ((1.6, 2.9, 2.3), "0.89")):
        assert f"not shown to finish sooner than one after the other (speedup {speedup}" in said(*slow)
    assert said(1.5).endswith("nothing is shown")


def test_a_scenario_rests_on_the_lines_that_decided_it() -> None:
    """All of them where all is well."""
    assert [line.partition(":")[0] for line in FOUND["calm"].reasons] == ["PASS"] * 4
    assert {line.partition(":")[0] for line in FOUND["chimera_homo"].reasons} == {"FAIL"}
    assert FOUND["with_base"].reasons[0].startswith("FAIL: wall time of the concurrent run against base")


def test_each_verdict_says_what_it_means() -> None:
    """And has a sign besides its colour."""
    assert FOUND["undecided"].meaning.endswith("this is no pass")
    assert FOUND["broken"].meaning.startswith("the figures are not to be trusted")
    assert len({finding.sign for finding in FOUND.values()}) == 5


def test_blocks_that_are_left_out_are_counted() -> None:
    """Who reads the verdict knows that there were others."""
    bad = replace(block("s", 5, 1.0), error="died")
    (found,) = findings(judged(build_session(), {"s": [*blocks("s", 1.0, 4), bad]}))
    assert "1 further block could not be judged and is left out" in found.sentences


def test_one_scenario_is_named_in_the_headline() -> None:
    """And a session without scenarios says what it has."""
    assert headline(judged(build_session(), {"calm": blocks("calm", 1.0, 4)})) == ("PASS", "✓", "calm")
    assert headline(judged(build_session(), {}, {"patterns": pattern_blocks()}))[2] == "1 study, no scenario"
    assert headline(judged(build_session(), {})) == ("EMPTY", "!", "nothing was measured")


def test_a_study_that_says_nothing_says_why() -> None:
    """With its invalid blocks, and what to do."""
    broken = [replace(each, error="died") for each in pattern_blocks(runs=2)[1:]]
    (found,) = findings(judged(build_session(), {}, {"patterns": broken}))
    assert (found.verdict, found.reasons[0]) == ("NOTHING SAID", "block 1: died")
    assert found.steps == ("mend that, and measure it again",)
