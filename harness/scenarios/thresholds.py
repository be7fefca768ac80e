"""The thresholds' table: which limits hold for which scenario on which profile."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

from harness.records.errors import ConfigurationError
from harness.scenarios.catalogue import SCENARIOS, Scenario
from harness.scenarios.profiles import PROFILES
from harness.scenarios.sweeps import catalogue_name

METRICS: Mapping[str, Literal["min", "max"]] = {
    "guide_efficiency_pct": "min",
    "guide_speedup": "min",
    "measured_efficiency_pct": "min",
    "measured_speedup": "min",
    "contention_rate": "max",
}
"""Metrics that can have a limit, and on which side of the limit the good values lie."""

DEFAULT_SCENARIO = "default"


@dataclass(frozen=True, slots=True)
class Limit:
    """A metric's limit: at least (``min``) or at most (``max``) ``value``, in the metric's own unit."""

    metric: str
    value: float

    @property
    def side(self) -> Literal["min", "max"]:
        """``min`` if the metric must be at least the value, ``max`` if at most."""
        return METRICS[self.metric]

    def __str__(self) -> str:
        return f"{self.metric} {'>=' if self.side == 'min' else '<='} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Override:
    """A limit from the command line, for one scenario or (None) for all."""

    scenario: str | None
    limit: Limit


def overridden(limits: Sequence[Limit], scenario: str, overrides: Sequence[Override]) -> tuple[Limit, ...]:
    """The limits of a scenario with the overrides over them, in the order of ``METRICS``.

    What is for a catalogue's scenario holds for a sweep's cells of it too.
    """
    names = (None, catalogue_name(scenario), scenario)
    values = {limit.metric: limit.value for limit in limits}
    values |= {each.limit.metric: each.limit.value for each in overrides if each.scenario in names}
    return tuple(Limit(metric, values[metric]) for metric in METRICS if metric in values)


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """Limits by profile and scenario.

    Attributes:
        profiles: ``profiles[profile][scenario][metric]`` is the limit's value.
    """

    profiles: Mapping[str, Mapping[str, Mapping[str, float]]]

    def limits(self, profile: str, scenario: str, overrides: Sequence[Override] = ()) -> tuple[Limit, ...]:
        """Limits of a scenario, or of a sweep's cell: the profile's default, its own over it, the command line's last.

        Raises:
            ConfigurationError: If the table has no such profile.
        """
        if profile not in self.profiles:
            known = ", ".join(sorted(self.profiles))
            raise ConfigurationError(f"no profile {profile!r} in the thresholds' table; it has: {known}")
        table = self.profiles[profile]
        values = {**table.get(DEFAULT_SCENARIO, {}), **table.get(catalogue_name(scenario), {})}
        return overridden([Limit(metric, value) for metric, value in values.items()], scenario, overrides)

    def names_beside(self, scenarios: Iterable[str]) -> tuple[str, ...]:
        """Scenarios that the table names, other than these (or sweep's cells of them) and the guide's."""
        known = {DEFAULT_SCENARIO, *SCENARIOS, *map(catalogue_name, scenarios)}
        named = dict.fromkeys(name for table in self.profiles.values() for name in table)
        return tuple(name for name in named if name not in known)

    def with_own(self, scenarios: Iterable[Scenario]) -> ThresholdTable:
        """The table with the limits that scenarios bring, below what it says of them itself."""
        profiles = {profile: dict(table) for profile, table in self.profiles.items()}
        for scenario in scenarios:
            for profile, table in profiles.items():
                if brought := _own_limits(scenario, profile):
                    table[scenario.name] = {**brought, **table.get(scenario.name, {})}
        return ThresholdTable(profiles)


def _own_limits(scenario: Scenario, profile: str) -> dict[str, float]:
    """What a scenario brings for a profile: what holds everywhere, and over it what holds only there."""
    found = {metric: value for metric, value in scenario.limits.items() if not isinstance(value, Mapping)}
    narrower = scenario.limits.get(profile, {})
    return {**found, **narrower} if isinstance(narrower, Mapping) else found


def _limit(metric: str, value: object, where: str) -> Limit:
    _known(metric, METRICS, f"{where}: unknown metric")
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else nan
    except OverflowError:
        number = nan
    if not isfinite(number):
        raise ConfigurationError(f"{where}: the limit of {metric} must be a number, got {value!r}")
    return Limit(metric, number)


def _known(name: str, known: Iterable[str], words: str) -> None:
    """A misspelt name would lose its limits in silence."""
    if name not in known:
        raise ConfigurationError(f"{words} {name!r}; known: {', '.join(known)}")


def parse_thresholds(text: str, source: str, scenarios: Collection[str] | None = tuple(SCENARIOS)) -> ThresholdTable:
    """Reads a thresholds' table from TOML text.

    Args:
        text: The table.
        source: Where it is from, for messages.
        scenarios: Names that it may say something of; None for any.

    Raises:
        ConfigurationError: If the text is not TOML or not such a table; the message names ``source``.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not valid TOML: {error}") from error
    profiles: dict[str, dict[str, dict[str, float]]] = {}
    for profile, tables in document.items():
        _known(profile, PROFILES, f"{source}: unknown profile")
        if not isinstance(tables, dict):
            raise ConfigurationError(f"{source}: {profile!r} must be a table of scenarios, [profile.scenario]")
        profiles[profile] = {}
        for scenario, limits in tables.items():
            if scenarios is not None:
                _known(scenario, (DEFAULT_SCENARIO, *scenarios), f"{source}, {profile}: unknown scenario")
            if not isinstance(limits, dict):
                raise ConfigurationError(f"{source}: {profile}.{scenario} must be a table of limits")
            where = f"{source}, {profile}.{scenario}"
            profiles[profile][scenario] = {m: _limit(m, value, where).value for m, value in limits.items()}
    return ThresholdTable(profiles)


def parse_override(text: str, scenarios: Sequence[str]) -> Override:
    """Reads ``metric=value`` or ``scenario.metric=value``.

    Raises:
        ConfigurationError: If it is neither.
    """
    name, equals, number = text.rpartition("=")  # the name of a sweep's cell has some of its own
    scenario, dot, metric = name.strip().rpartition(".")
    where = f"--threshold {text}"
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not equals or not isfinite(value):
        raise ConfigurationError(f"{where}: write METRIC=NUMBER or SCENARIO.METRIC=NUMBER")
    if dot:
        _known(scenario, scenarios, f"{where}: unknown scenario")
    return Override(scenario or None, _limit(metric, value, where))
