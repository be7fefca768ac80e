"""Which tests measure what: chosen by options, or named by a test itself with ``pytest.mark.parametrize``."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.plugin.options import Settings
from harness.records.errors import ConfigurationError
from harness.scenarios import Catalogue

SCENARIO_FIXTURE = "scenario_name"
STUDY_FIXTURE = "study_name"
FIXTURES = (SCENARIO_FIXTURE, STUDY_FIXTURE)


def chosen(settings: Settings) -> dict[str, list[str]]:
    """What each fixture that names something to measure is parametrised by."""
    return {
        SCENARIO_FIXTURE: [scenario.name for scenario in settings.scenarios],
        STUDY_FIXTURE: [study.name for study in settings.studies],
    }


def uses(item: pytest.Item, fixture: str) -> bool:
    """True if a test uses a fixture, itself or through others."""
    return fixture in getattr(item, "fixturenames", ())


def measures(item: pytest.Item) -> bool:
    """True if a test measures something."""
    return any(uses(item, fixture) for fixture in FIXTURES)


def names_itself(node: pytest.Item, fixture: str) -> bool:
    """True if a test says itself what it measures: ``@pytest.mark.parametrize("scenario_name", ["mine"])``."""
    for mark in node.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if fixture in ([name.strip() for name in names.split(",")] if isinstance(names, str) else names):
            return True
    return False


def parametrise(metafunc: pytest.Metafunc, settings: Settings) -> None:
    """Parametrises a test by what was chosen, unless it says itself what it measures."""
    for fixture, names in chosen(settings).items():
        if fixture in metafunc.fixturenames and not names_itself(metafunc.definition, fixture):
            metafunc.parametrize(fixture, names)


def leave_out_unchosen(items: list[pytest.Item], settings: Settings) -> None:
    """Pytest makes a skipped test of one without a parameter; nobody asked for that one."""
    empty = [fixture for fixture, names in chosen(settings).items() if not names]
    items[:] = [item for item in items if not any(uses(item, each) and not names_itself(item, each) for each in empty)]


def _own_names(item: pytest.Item) -> list[tuple[str, object]]:
    """What a test says itself that it measures, by fixture."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return [(each, params[each]) for each in FIXTURES if each in params and names_itself(item, each)]


def named_by_tests(items: Sequence[pytest.Item], known: Catalogue) -> tuple[str, ...]:
    """Scenarios and studies that tests name themselves, each once.

    Raises:
        ConfigurationError: If there is none of such a name.
    """
    found: dict[str, None] = {}
    for item in items:
        for fixture, name in _own_names(item):
            scenario = fixture == SCENARIO_FIXTURE
            if not isinstance(name, str) or not (name in known.scenarios if scenario else known.study(name)):
                raise ConfigurationError(f"{item.nodeid}: {fixture} {name!r} is unknown; choose from: {known.names()}")
            found[name] = None
    return tuple(found)


def others_measure(items: Sequence[pytest.Item]) -> bool:
    """True if a test measures what was chosen for it."""
    return any(uses(item, SCENARIO_FIXTURE) and not names_itself(item, SCENARIO_FIXTURE) for item in items)


def not_asked_for(items: Sequence[pytest.Item], settings: Settings) -> list[pytest.Item]:
    """Tests that name themselves something which was not chosen."""
    names = chosen(settings)
    return [item for item in items if any(name not in names[fixture] for fixture, name in _own_names(item))]
