"""The page in a real browser: nothing goes wrong, everybody can use it, and nobody's text gets out of its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.report import JudgedSession, printable
from harness.report.html import report_html
from harness.testing import build_session
from tests.conftest import find_browser
from tests.report.html.sessions import HOSTILE, SECTIONS, blocks, every_verdict, hostile, judged

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """This machine's Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - of an extra that need not be installed

    with sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pages are, each made once."""
    return tmp_path_factory.mktemp("pages")


@dataclass
class Opened:
    """A page, and what it complained of."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


Show = Callable[..., Opened]


@pytest.fixture
def show(browser: Browser, folder: Path) -> Iterator[Show]:
    """Opens a session's page in a window of its own, and notes every complaint and every request."""
    contexts: list[BrowserContext] = []

    def open_page(judged: JudgedSession, name: str, **window: Any) -> Opened:  # noqa: ANN401 - playwright's options
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(report_html(judged), "utf-8")
        context = browser.new_context(**(window or DESKTOP))
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda said: opened.complaints.append(f"{said.type}: {said.text}"))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on("dialog", lambda dialog: opened.complaints.append(f"dialog {dialog.message}"))
        opened.page.on("request", lambda request: opened.asked.append(request.url))
        opened.page.goto(path.as_uri())
        until(opened.page, "document.documentElement.classList.contains('scripted')")
        return opened

    yield open_page
    for context in contexts:
        context.close()


def until(page: Page, condition: str) -> None:
    """Waits for something in the page; playwright's own way to wait needs the eval that the page's policy forbids."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"never true: {condition}")


def open_all(page: Page) -> None:
    """Opens everything that can be opened, which draws what is in it."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    until(page, "[...document.querySelectorAll('[data-plot]')].every((each) => each.querySelector('.main-svg'))")


def small() -> JudgedSession:
    """One scenario: its plots are low."""
    return judged(build_session(), {"s": blocks("s", 1.4, 3)})


VERDICTS = every_verdict()
_SEEN = """() => ({
  undrawn: [...document.querySelectorAll('[data-plot]')].filter((each) => !each.querySelector('.main-svg')).length,
  folded: document.querySelectorAll('details:not([open]):not(.long)').length,
  widths: [...document.querySelectorAll('.canvas .main-svg')].map((each) => each.clientWidth),
  heights: Object.fromEntries([...document.querySelectorAll('section')].map((each) => [each.id, each.offsetHeight])),
  back: getComputedStyle(document.body).backgroundColor,
  ticks: getComputedStyle(document.querySelector('.canvas .xtick text')).fill,
})"""
"""What there is to see of a page on paper."""


def test_nothing_goes_wrong_and_nobody_is_asked(show: Show) -> None:
    """No word in the console, though every plot is drawn, and no request but for the file itself."""
    opened = show(VERDICTS, "verdicts")
    open_all(opened.page)
    assert opened.complaints == []
    assert len(opened.asked) == 1
    assert opened.page.evaluate("document.querySelectorAll('.js-plotly-plot').length") > 10


@pytest.mark.parametrize(
    "window",
    [DESKTOP, {**DESKTOP, "color_scheme": "dark"}, PHONE],
    ids=["light", "dark", "phone"],
)
def test_no_barrier(show: Show, window: dict[str, Any]) -> None:
    """Axe-core finds nothing serious or critical, with everything open: contrast, names, order, tables, focus."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - of an extra

    opened = show(VERDICTS, "verdicts", **window)
    open_all(opened.page)
    found = Axe().run(opened.page).response["violations"]
    serious = [
        (each["id"], each["nodes"][0]["html"][:200]) for each in found if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []


@pytest.mark.parametrize("make", [every_verdict, hostile])
def test_a_phone_scrolls_down_only(show: Show, make: Callable[[], JudgedSession]) -> None:
    """At 360 px nothing is wider than the page, whatever things are called; wide tables scroll in their own place."""
    opened = show(make(), make.__name__, **PHONE)
    open_all(opened.page)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("make", [every_verdict, small], ids=["large", "small"])
def test_every_label_is_seen(show: Show, window: dict[str, Any], make: Callable[[], JudgedSession]) -> None:
    """The legend ends above what is drawn, however low the plot, also in a narrower window; each bar has its label."""
    page = show(make(), make.__name__, **window).page
    open_all(page)
    unnamed = """() => Object.entries(report.data.plots).filter(([ident, figure]) => {
      const wanted = (figure.layout.yaxis || {}).categoryarray;
      return wanted && document.querySelectorAll(`[data-plot="${ident}"] g.ytick text`).length !== wanted.length;
    }).map(([ident]) => ident)"""
    assert page.evaluate(unnamed) == []
    covered = """() => [...document.querySelectorAll('.js-plotly-plot')].filter((each) => {
      const legend = each.querySelector('.legend .bg');
      if (!legend) return false;
      const tops = [...each.querySelectorAll('.nsewdrag')].map((area) => area.getBoundingClientRect().top);
      return legend.getBoundingClientRect().bottom > Math.min(...tops) + 1;
    }).map((each) => each.dataset.plot || each.id)"""
    assert page.evaluate(covered) == []
    page.set_viewport_size({"width": 340, "height": 740})
    until(
        page,
        "[...document.querySelectorAll('.js-plotly-plot')].every((each) => each.layout.width === each.clientWidth)",
    )
    assert page.evaluate(covered) == []


def test_dark_is_dark(show: Show) -> None:
    """Page and plots take the colours of the scheme that the reader has."""

    def colours(scheme: str) -> list[str]:
        opened = show(VERDICTS, "verdicts", **DESKTOP, color_scheme=scheme)
        found: list[str] = opened.page.evaluate(
            """() => [
              getComputedStyle(document.body).backgroundColor,
              getComputedStyle(document.body).color,
              getComputedStyle(document.querySelector('.canvas .xtick text')).fill,
              getComputedStyle(document.querySelector('.canvas .gridlayer path')).stroke,
              [...document.querySelectorAll('.canvas .main-svg text')].map((each) => getComputedStyle(each).fill),
            ]"""
        )
        return found

    light, dark = colours("light"), colours("dark")
    assert all(one != other for one, other in zip(light, dark, strict=True))
    for found in (light, dark):
        assert set(found[4]) == {found[1]}, "labels, titles and legends have the colour of text"


def test_paper_shows_everything_in_light_colours(show: Show) -> None:
    """On paper all is there, unfolded, drawn to fit and light, even if the screen is dark; then all is as before."""
    opened = show(VERDICTS, "verdicts", **DESKTOP, color_scheme="dark")
    page = opened.page
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = ({_SEEN})(); }})")
    page.pdf()
    printed = page.evaluate("window.printed")
    assert (printed["undrawn"], printed["folded"]) == (0, 0)
    assert max(printed["widths"]) <= 690
    until(page, "document.querySelector('details.data:not([open])') !== null")
    page.emulate_media(media="print")
    seen = page.evaluate(f"({_SEEN})()")
    assert seen["back"] == "rgb(255, 255, 255)"
    assert seen["ticks"] == "rgb(0, 0, 0)"
    assert all(seen["heights"].get(section, 0) > 30 for section in SECTIONS)
    assert opened.complaints == []


def test_the_timeline_is_worked_by_keys(show: Show) -> None:
    """Tab reaches the choosers and the plot; choosing shows another run, and keys move and zoom it."""
    page = show(VERDICTS, "verdicts").page
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "timeline-frame":
            break
    assert reached[0] == ""  # the skip link
    assert [each for each in reached if each] == ["choose-scenario", "choose-block", "choose-arm", "timeline-frame"]
    extent = "document.getElementById('timeline-plot').layout.xaxis.range"
    whole = page.evaluate(extent)
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    low, high = page.evaluate(extent)
    assert high - low == pytest.approx((whole[1] - whole[0]) / 2)
    assert low > whole[1] / 4
    page.keyboard.press("Home")
    assert page.evaluate(extent) == whole
    words = page.inner_text("#timeline-words")
    page.focus("#choose-scenario")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.inner_text("#timeline-words") != words
    assert page.inner_text("#timeline-words").startswith("calm, ")


def test_the_first_key_skips_to_the_verdicts(show: Show) -> None:
    """The first stop is a link that is seen when it has the focus, and leads past the navigation."""
    page = show(VERDICTS, "verdicts").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdicts"


def test_every_run_can_be_shown(show: Show) -> None:
    """Each run of the session, studies and broken blocks too, is drawn with all its tokens."""
    few = replace(VERDICTS, session=replace(VERDICTS.session, blocks=VERDICTS.session.blocks[::5]))
    opened = show(few, "few")
    shown = opened.page.evaluate(
        """() => report.data.timeline.runs.map((run) => {
          const named = (name) => document.getElementById(`choose-${name}`);
          const [scenario, block, arm] = ['scenario', 'block', 'arm'].map(named);
          const pick = (chooser, value) => { chooser.value = value; chooser.dispatchEvent(new Event('change')); };
          pick(scenario, String(run.s));
          pick(block, `${run.d}:${run.b}`);
          pick(arm, String(run.a));
          const drawn = document.getElementById('timeline-plot').data.find((trace) => trace.name === 'token');
          return [drawn.x.length / 3, run.g.reduce((sum, agent) => sum + agent.t.length, 0)];
        })"""
    )
    assert len(shown) == sum(len(block.runs) for block in few.session.blocks)
    assert all(drawn == told for drawn, told in shown)
    assert opened.complaints == []


def test_hostile_text_stays_text(show: Show) -> None:
    """What wants out of the page runs nothing, adds no element, and is read as it was written, escaped."""
    opened = show(hostile(), "hostile")
    page = opened.page
    open_all(page)
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.evaluate("document.scripts.length") == 5
    assert page.inner_text(".about bdi") == f"model{printable(HOSTILE)}"
    assert HOSTILE not in page.content()
    for plots in ("[data-plot] text", "#timeline-plot text"):
        labels = page.evaluate(f"[...document.querySelectorAll('{plots}')].map((each) => each.textContent)")
        assert any("<b></script>" in label for label in labels)
    assert opened.complaints == []
    assert len(opened.asked) == 1
