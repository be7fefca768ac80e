"""The summary in Markdown: verdicts in words first, and no name or reason that means anything in it.

Rendered by markdown-it-py (CommonMark, with tables as GitHub has them and HTML let through).
"""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.report import printable
from harness.report.exports.markdown import code, code_block, prose, table
from harness.report.exports.summary_md import summary_md
from harness.testing import build_session
from tests.report.exports.sessions import EMPTY, GOOD, HOSTILE, SESSIONS, session_of
from tests.report.scenarios import blocks

OURS = {"h2", "h3", "ul", "li", "p", "strong", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}


class _Seen(HTMLParser):
    """What a browser makes of the page: its elements, and all text and the text outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.cells: list[str] = []
        self.bare = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & {*self._open}:
            self.cells[-1] += data
        if not {"code", "pre"} & {*self._open}:
            self.bare += data


def rendered(markdown: str) -> _Seen:
    """The Markdown as a browser shows it."""
    seen = _Seen()
    seen.feed(MarkdownIt("commonmark").enable("table").render(markdown))
    seen.close()
    return seen


@pytest.mark.parametrize("name", SESSIONS)
def test_a_summary_has_no_element_but_ours_whatever_the_session(name: str) -> None:
    """No link, image, script or emphasis comes out of a name."""
    seen = rendered(summary_md(SESSIONS[name]))
    assert {*seen.tags} <= OURS
    assert seen.tags[0] == "h2"


@given(st.text(max_size=30))
@example(HOSTILE)
@example("`|`")
@example("\\|")
@example(" a ")
@example("![x](http://x)<b>&amp;")
def test_a_name_is_shown_as_it_is_in_text_and_in_a_cell(text: str) -> None:
    """Its printable form, one cell, nothing but code around it."""
    shown = printable(text) if printable(text).strip() else "(no name)"
    in_text, in_cell = rendered(code(text)), rendered("\n".join(table([["a", "b"], [code(text), "x"]])))
    assert in_text.text.rstrip("\n") == shown
    assert {*in_text.tags} <= {"p", "code"}
    assert in_cell.cells == ["a", "b", shown.strip(), "x"] or in_cell.cells == ["a", "b", shown, "x"]
    assert {*in_cell.tags} <= OURS


@given(st.text(max_size=30))
@example(HOSTILE)
@example("1. # - a_b_ ~~c~~ \\* &lt; http://x.example www.x.example")
def test_a_sentence_is_shown_as_it_is(text: str) -> None:
    """In a line of ours, where it begins no list, heading or link, and mentions nobody."""
    seen = rendered(f"- x {prose(text)} x")
    assert seen.text.strip("\n") == f"x {printable(text)} x"
    assert {*seen.tags} <= {"ul", "li", "code"}
    assert "@" not in seen.bare
    assert "#" not in seen.bare
    assert "://" not in prose(text)
    assert "www." not in prose(text)


def test_a_block_of_code_cannot_be_left() -> None:
    """A line with a fence in it gets a longer fence around it."""
    seen = rendered("\n".join(code_block(["```", "````", "<b>"])))
    assert seen.tags == ["pre", "code"]
    assert seen.text.rstrip("\n") == "```\n````\n<b>"


def test_hostile_names_are_harmless_in_the_summary() -> None:
    """No mention, link or escape outside of code, and every line printable."""
    markdown = summary_md(SESSIONS["hostile"])
    assert all(line.isprintable() for line in markdown.split("\n"))
    seen = rendered(markdown)
    assert "@" not in seen.bare
    assert "<script>" not in markdown
    assert "&#" not in seen.text
    assert printable(HOSTILE) in seen.text


def test_verdicts_come_first_and_in_words() -> None:
    """The heading has the worst verdict, the first line why, and the overlap that is no parallel work is said."""
    text = rendered(summary_md(SESSIONS["overlapping"])).text
    first = text[: text.index("guide's efficiency")]
    assert first.startswith("Concurrency: FAIL")
    assert "overlapping: FAIL" not in first  # the scenario's name is that of its blocks
    assert "pair: FAIL: missed by measured speedup, contention rate" in first
    assert "the agents overlap 100 % of the time but do not run in parallel" in first
    assert "Concurrency: PASS" in rendered(summary_md(GOOD)).text
    assert "pair: PASS: every limit is kept, over 5 blocks" in rendered(summary_md(GOOD)).text


def test_both_families_of_figures_stand_side_by_side_with_intervals() -> None:
    """Guide's and measured efficiency of a pair that is 2.2 times slower together."""
    cells = rendered(summary_md(SESSIONS["overlapping"])).cells
    row = dict(zip(cells[:10], cells[10:20], strict=True))
    assert row["guide's efficiency"] == "100.0 % (100.0 to 100.0)"
    assert row["measured efficiency"].startswith("45.5 % (45.5 to 45.5)")
    assert row["contention"] == "5/5"


def test_losses_gates_changes_and_studies_are_told() -> None:
    """Where the time went, every gate and comparison, and the first line of a study."""
    text = rendered(summary_md(SESSIONS["compared"])).text
    assert "wall time of the concurrent run against base: +20.0 %" in text
    assert "against baseline main" in text
    assert "FAIL: measured speedup" in text or "PASS: measured speedup" in text
    assert "orchestration" in text
    assert "base: model other-model, 2 servers" in text
    assert "patterns: dual finishes the work first" in rendered(summary_md(SESSIONS["study"])).text


def test_what_could_not_be_judged_says_why() -> None:
    """The reason of an INVALID scenario in its first line; of many invalid blocks some are told and all are counted."""
    assert "pair: INVALID: 0 of 1 blocks could be judged: the server died" in (
        rendered(summary_md(session_of([replace(blocks(1)[0], error="the server died")]))).text
    )
    broken = [replace(block, error="cut") for block in blocks(12)]
    assert "and 4 more invalid blocks" in summary_md(session_of(broken))
    assert "Nothing was measured." in summary_md(EMPTY)


def test_how_to_measure_again_has_the_seed() -> None:
    """The command line with the session's seed, unless it has one; and the command that judges the journal."""
    assert "pytest perf --seed 7\npython -m harness judge /journals/j.jsonl" in summary_md(GOOD)
    session = build_session()
    seeded = replace(session.environment, command_line=("pytest", "perf", "--seed=7"))
    assert "pytest perf --seed=7\n" in summary_md(replace(EMPTY, session=replace(session, environment=seeded)))
