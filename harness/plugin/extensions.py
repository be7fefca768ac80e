"""What users bring by our hooks, collected from every plugin and conftest.py, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import Catalogue
from harness.servers.kinds import KINDS, ServerKind
from harness.servers.kinds.own import with_kinds

SCENARIOS_HOOK = "pytest_concurrency_scenarios"
SERVERS_HOOK = "pytest_concurrency_servers"


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a session knows: of this package, and of users.

    Attributes:
        catalogue: Scenarios and workflows.
        kinds: What ``--server`` can start, by name.
    """

    catalogue: Catalogue = field(default_factory=Catalogue)
    kinds: Mapping[str, ServerKind] = field(default_factory=lambda: KINDS)


def collected(config: pytest.Config) -> Extensions:
    """Everything that is brought, in the order in which its plugins were registered.

    Raises:
        ConfigurationError: If something is not what its hook asks for; in one line that names whose it is.
    """
    catalogue, kinds = Catalogue(), KINDS
    for given, source in _given(config, SCENARIOS_HOOK):
        catalogue = catalogue.added(given, source)
    for given, source in _given(config, SERVERS_HOOK):
        kinds = with_kinds(kinds, given, source)
    return Extensions(catalogue, kinds)


def too_late(config: pytest.Config, plugin: object) -> str | None:
    """What to do about a plugin that brings something after the options were read; None if it brings nothing."""
    brings = next((name for name in (SCENARIOS_HOOK, SERVERS_HOOK) if hasattr(plugin, name)), None)
    if brings is None:
        return None
    source = _name(config, plugin)
    folder = str(Path(source).parent)
    return (
        f"{source}: {brings} was found only after the options were read: name its folder (pytest {folder}), "
        f'write testpaths = ["{folder}"] into the settings of pytest, or move it to the conftest.py of the root'
    )


def _given(config: pytest.Config, hook: str) -> Iterator[tuple[object, str]]:
    """What each plugin returns, and its name."""
    manager = config.pluginmanager
    callers = [each.plugin for each in getattr(config.hook, hook).get_hookimpls()]
    for plugin in callers:
        others = [other for other in manager.get_plugins() if other is not plugin]
        source = _name(config, plugin)
        try:
            results = manager.subset_hook_caller(hook, others)(config=config)
            results = [list(each) if isinstance(each, Iterator) else each for each in results]
        except Exception as error:  # a user's hook may raise anything
            why = f"{type(error).__name__}: {error}".partition("\n")[0]
            raise ConfigurationError(f"{source}: {hook} raised {why}") from error
        for given in results:
            yield given, source


def _name(config: pytest.Config, plugin: object) -> str:
    """A plugin as people know it: a conftest.py by its path."""
    path = getattr(plugin, "__file__", None)
    if path and Path(path).name == "conftest.py":
        found = Path(path)
        return str(found.relative_to(config.rootpath)) if found.is_relative_to(config.rootpath) else str(found)
    return f"plugin {config.pluginmanager.get_name(plugin)}"
