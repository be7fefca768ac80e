"""The whole page, without a browser: what is in it, in which order, and what it may do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from harness.records import Block
from harness.report import JudgedSession, printable
from harness.report.html import report_html
from harness.report.html.escaping import script_hash
from harness.testing import build_agent_run, build_request, build_run, build_session
from tests.report.html.sessions import (
    HOSTILE,
    ROLES,
    SECTIONS,
    block,
    blocks,
    every_verdict,
    hostile,
    judged,
    large,
    pattern_blocks,
)

_MOST_BYTES = 10_000_000


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and the text of scripts, headings and captions."""

    def __init__(self, text: str) -> None:
        """Reads all of it."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps an element."""
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        """A script is over."""
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        """Keeps a script's text."""
        if self._in_script:
            attributes, text = self.scripts.pop()
            self.scripts.append((attributes, text + data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self) -> Any:  # noqa: ANN401 - JSON
        """What the page's programs get."""
        return json.loads(next(text for attributes, text in self.scripts if attributes.get("id") == "report-data"))


WHOLE = report_html(every_verdict())
PAGE = Page(WHOLE)


def test_sections_come_in_the_order_in_which_they_are_asked_for() -> None:
    """Verdicts first, how to repeat it last; the navigation leads to each."""
    sections = [each["id"] for each in PAGE.all("section")]
    assert sections == list(SECTIONS)
    links = [each["href"] for each in PAGE.all("a")]
    assert links == ["#verdicts", *(f"#{section}" for section in sections)]


def test_the_page_asks_nobody_for_anything() -> None:
    """No address in it is loaded, and the browser is told to forbid all."""
    assert not [a for _, a in PAGE.elements if {"src", "srcset", "poster", "action"} & a.keys()]
    assert PAGE.all("link") == [{"rel": "icon", "href": "data:,"}]  # else a browser asks the server for one
    (policy,) = [each["content"] for each in PAGE.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert not re.search(r"url\((?!data:)|@import", WHOLE[: WHOLE.index("</style>")])


def test_every_program_is_allowed_by_its_hash() -> None:
    """Exactly those that are in it."""
    policy = next(each["content"] for each in PAGE.all("meta") if each.get("http-equiv")) or ""
    programs = [text for attributes, text in PAGE.scripts if "type" not in attributes]
    assert len(programs) == 4
    assert re.findall(r"'sha256-[^']+'", policy) == [script_hash(text) for text in programs]


def test_a_reader_finds_their_way() -> None:
    """Language, title, landmarks, a skip link, one h1, headings without a gap, ids that are there once."""
    assert PAGE.all("html") == [{"lang": "en"}]
    assert "<title>INVALID: embedded, concurrency report</title>" in WHOLE
    assert [len(PAGE.all(tag)) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    levels = [int(tag[1]) for tag, _ in PAGE.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in PAGE.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_plot_has_words_and_a_table() -> None:
    """Who does not see it misses nothing; its data is there once."""
    plots = [each for each in PAGE.all("div") if "data-plot" in each]
    assert {each["data-plot"] for each in plots} == set(PAGE.data["plots"])
    assert all(each["role"] == "img" and len(each["aria-label"] or "") > 40 for each in plots)
    assert WHOLE.count("<summary>Its data as a table") == len(plots) > 10
    assert WHOLE.count("<caption>") == len(PAGE.all("table"))
    assert {each.get("scope") for each in PAGE.all("th")} == {"row", "col"}


def test_of_many_scenarios_the_first_is_unfolded() -> None:
    """Of up to three all are; the page of a sweep would have no end."""
    names = [f"s{place}" for place in range(4)]
    opened = []
    for count in (3, 4):
        page = Page(report_html(judged(build_session(), {name: blocks(name, 1.2, 2) for name in names[:count]})))
        groups = [each for each in page.elements if each[0] in {"section", "details"}]
        place = next(at for at, (_, attributes) in enumerate(groups) if attributes.get("id") == "resources")
        opened.append(["open" in each for _, each in groups[place + 1 :] if each.get("class") == "group"][:count])
    assert opened == [[True] * 3, [True, False, False, False]]


def test_the_same_session_gives_the_same_page() -> None:
    """No clock and no chance is in it."""
    assert report_html(every_verdict()) == WHOLE


def test_hostile_text_is_text() -> None:
    """Wherever it stands, it is printable, escaped, and adds neither element nor program."""
    text = report_html(hostile())
    page = Page(text)
    assert not set("\x1b\x00\u202e\u2028").intersection(text)
    assert HOSTILE not in text
    assert "<script>window" not in text
    assert page.all("img") == []
    assert len(page.scripts) == len(PAGE.scripts)
    names = page.data["timeline"]["names"]
    assert f"name{printable(HOSTILE)}" in names


def eight_agents() -> JudgedSession:
    """Eight agents in one scenario."""
    return judged(build_session(), {"s": blocks("s", 1.4, 2, roles=[f"agent-{place}" for place in range(8)])})


def silent() -> JudgedSession:
    """Requests that failed, gave no token, or whose server told nothing; a block that was cut short."""
    failed = build_request(tokens=0, error="reset")
    mute = replace(build_request(), server=None)
    runs = [
        build_run("solo:A", [build_agent_run("A", requests=[failed], error="reset")]),
        build_run("concurrent", [build_agent_run("A", requests=[]), build_agent_run("B", requests=[mute])]),
    ]
    cut = Block("s", 2, warmup=False, order=("solo:A", "solo:B", "concurrent"), runs=tuple(runs), deadline_s=1.0)
    none = replace(cut, index=3, runs=(), error="interrupted")
    quiet = block("t", 1, 1.2)
    told_nothing = tuple(
        replace(
            run,
            agents=tuple(replace(a, requests=tuple(replace(r, server=None) for r in a.requests)) for a in run.agents),
        )
        for run in quiet.runs
    )
    return judged(build_session(), {"s": [cut, none], "t": [replace(quiet, runs=told_nothing)]})


def studies_only() -> JudgedSession:
    """No scenario."""
    return judged(build_session(), {}, {"patterns": pattern_blocks()})


def one_agent() -> JudgedSession:
    """Nobody to be slowed down by."""
    return judged(build_session(), {"s": blocks("s", 1.0, 2, roles=ROLES[:1])})


def nothing() -> JudgedSession:
    """A session that was ended before its first block."""
    return judged(replace(build_session(), calibrations=(), options={}), {})


def warm_up_only() -> JudgedSession:
    """A session that was ended after its warm-up block."""
    return judged(build_session(), {"s": [block("s", 0, 1.0, warmup=True)]})


@pytest.mark.parametrize("make", [eight_agents, silent, studies_only, one_agent, nothing, warm_up_only])
def test_every_session_can_be_told(make: Callable[[], JudgedSession]) -> None:
    """With all sections, each of which says why it is empty where it is."""
    page = Page(report_html(make()))
    assert len(page.all("section")) == 11
    assert {each["data-plot"] for each in page.all("div") if "data-plot" in each} == set(page.data["plots"])


@pytest.mark.parametrize(("scenarios", "runs"), [(3, 17), (30, 5)], ids=["150 runs", "a sweep of 30 cells"])
def test_a_large_session_is_a_page_that_can_be_sent(scenarios: int, runs: int) -> None:
    """Below 10 MB with every token of every run."""
    session = large(scenarios, runs)
    text = report_html(session)
    assert sum(len(each.runs) for each in session.session.blocks) > 150
    assert len(text.encode()) < _MOST_BYTES
    assert len(Page(text).data["timeline"]["runs"]) == sum(len(each.runs) for each in session.session.blocks)


def test_a_table_of_many_rows_is_folded() -> None:
    """The matrix of eight agents has more than a hundred rows; it is there, a key away, and on paper."""
    assert re.search(
        r'<details class="many">\s*<summary>s: who slows whom[^<]* \(1\d\d rows\)</summary>',
        report_html(eight_agents()),
    )
    assert '<details class="many">' not in report_html(one_agent())
