"""The page: what goes into it in which order, its data and programs, and what the browser may do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.judge import ScenarioSummary
from harness.report.html.distributions import gap_plot, ttft_plot
from harness.report.html.effects import effect_groups
from harness.report.html.escaping import inline_script, isolated, script_hash, script_json
from harness.report.html.findings import findings, headline
from harness.report.html.history import base_plot, baseline_plot, gates_plot
from harness.report.html.losses import loss_groups, loss_plot
from harness.report.html.parts import Group, Plot
from harness.report.html.provenance import (
    environment_table,
    instrument_table,
    invalid_table,
    option_tables,
    server_table,
    symptom_table,
)
from harness.report.html.scenarios import overview, scenario_groups
from harness.report.html.studies import study_groups
from harness.report.html.timeline import timeline
from harness.report.html.usage import scenario_usage
from harness.report.judged import JudgedSession
from harness.report.reproduction import reproduction
from harness.report.text import printable

_PROGRAMS: Final = ("plots.js", "timeline.js", "page.js")
_OPEN_FROM_THE_START: Final = 3
"""So many scenarios are all shown at once in a section; of more the first one is."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page.

    Attributes:
        ident: Its id.
        title: Its heading.
        words: What it shows, in one paragraph.
        plots: Plots of all scenarios together.
        groups: What there is by scenario.
        nothing: What is said if there is nothing.
    """

    ident: str
    title: str
    words: str
    plots: tuple[Plot, ...] = ()
    groups: tuple[Group, ...] = ()
    nothing: str = "Nothing was judged."


def _harmless(value: object) -> object:
    """What an expression of a template becomes before it is escaped."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    """Every text is made printable and then escaped, wherever it stands in the page, unless it is Markup."""
    environment = Environment(
        loader=PackageLoader("harness.report.html"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["isolated"] = isolated
    return environment


@cache
def _static(name: str) -> str:
    return resources.files("harness.report.html").joinpath("static", name).read_text("utf-8")


@cache
def _scripts() -> tuple[Markup, ...]:
    """The plotting library and the page's own programs, as they stand in it."""
    library = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    return tuple(inline_script(code) for code in (library, *map(_static, _PROGRAMS)))


@cache
def _policy() -> str:
    """What the page may do: run these programs, and talk to nobody."""
    allowed = " ".join(script_hash(code) for code in _scripts())
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def report_html(judged: JudgedSession) -> str:
    """A session as one page for people: verdicts in words first, then everything that they rest on.

    It needs no network and no other file, and says nothing of when it was made: the same session gives the same page.
    """
    times = timeline(judged)
    sections = _sections(judged)
    plots = [plot for section in sections for plot in (*section.plots, *(p for g in section.groups for p in g.plots))]
    instrument, faults = instrument_table(judged)
    verdict, sign, counts = headline(judged)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=f"{verdict}: {judged.session.model}, concurrency report",
            verdict=verdict,
            sign=sign,
            counts=counts,
            session=judged.session,
            findings=findings(judged),
            overview=overview(judged.scenarios) if judged.scenarios else [],
            scenarios=_opened(scenario_groups(judged.scenarios)),
            timeline=times,
            sections=sections,
            symptoms=symptom_table(judged),
            invalid=invalid_table(judged),
            instrument=instrument,
            instrument_faults=faults,
            environment=environment_table(judged),
            servers=server_table(judged.session),
            options=option_tables(judged.session),
            command=reproduction(judged.session),
            style=Markup(_static("report.css")),  # noqa: S704 - a file of this package
            policy=_policy(),
            scripts=_scripts(),
            data=script_json({"plots": {plot.ident: plot.figure for plot in plots}, "timeline": times.packed}),
        )
    )


def _opened(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Of many only the first is shown from the start."""
    if len(groups) <= _OPEN_FROM_THE_START:
        return tuple(groups)
    return tuple(replace(group, open=place == 0) for place, group in enumerate(groups))


def _by_scenario(judged: JudgedSession, *plots: Callable[[ScenarioSummary, str], Plot | None]) -> tuple[Group, ...]:
    """A group of plots for each scenario that has any."""
    found = []
    for place, scenario in enumerate(judged.scenarios):
        made = [plot(scenario, f"{plot.__name__.strip('_')}-{place}") for plot in plots]
        shown = tuple(each for each in made if each is not None)
        if shown:
            found.append(Group(scenario.name, plots=shown))
    return _opened(found)


def _sections(judged: JudgedSession) -> tuple[Section, ...]:
    """The sections that have plots, in their order."""

    def stored(scenario: ScenarioSummary, ident: str) -> Plot | None:
        terms = judged.terms.get(scenario.name)
        return baseline_plot(scenario, terms.baseline if terms else None, ident)

    losses = loss_plot(judged.scenarios)
    return (
        Section(
            "losses",
            "Where every lost per cent went",
            "All of (agents x wall time of the concurrent run) is 100 %: what was useful, and what took longer "
            "together than alone. Terms have signs and sum to 100 %.",
            plots=(losses,) if losses else (),
            groups=_opened(loss_groups(judged.scenarios)),
        ),
        Section(
            "distributions",
            "TTFT and the gaps between tokens",
            "Of all valid blocks: the further to the right, the slower. Dotted alone, solid together.",
            groups=_by_scenario(judged, ttft_plot, gap_plot),
        ),
        Section(
            "interference",
            "Who slows whom",
            "Each agent's prefill and decode, together over alone, by what another agent did at the same time. It is "
            "an association; the study controls tries the causes one by one.",
            groups=_opened(effect_groups(judged.scenarios)),
            nothing="There is no pair of agents with a valid block.",
        ),
        Section(
            "resources",
            "What servers and GPUs used",
            "Sampled by a process of its own during every run.",
            groups=_opened(scenario_usage(judged.scenarios)),
            nothing="Nothing was sampled (--no-sampling), or nothing was judged.",
        ),
        Section(
            "history",
            "How the verdicts came about",
            "Each gate's interval after so many blocks; pairs with the base; the sessions of a stored baseline.",
            groups=_by_scenario(judged, stored, base_plot, gates_plot),
            nothing="Two valid blocks, a gate, a base or a baseline are needed.",
        ),
        Section(
            "studies",
            "Studies",
            "Arms of one block compared with each other.",
            groups=tuple(study_groups(judged.studies)),
            nothing="None was asked for (--scenario patterns, controls, scaling).",
        ),
    )
