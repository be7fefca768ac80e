"""The thresholds' table: the guide's limits, overrides, and errors that say what to do."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import (
    PROFILES,
    SCENARIOS,
    Limit,
    Override,
    Scenario,
    ThresholdTable,
    parse_override,
    parse_thresholds,
)

NAMES = tuple(SCENARIOS)


def built_in() -> ThresholdTable:
    """The table that comes with the package."""
    text = (resources.files("harness.scenarios") / "thresholds.toml").read_text("utf-8")
    return parse_thresholds(text, "built-in")


@pytest.mark.parametrize(
    ("scenario", "efficiency_pct", "rate"),
    [("baseline_vs_chimera", 85, 0.33), ("chimera_hetero", 90, 0.10), ("chimera_homo", 92, 0.06)],
)
def test_on_a_gpu_the_guides_limits_hold(scenario: str, efficiency_pct: float, rate: float) -> None:
    """Efficiency and contention as in the guide, and together no slower than one after the other."""
    assert built_in().limits("gpu", scenario) == (
        Limit("guide_efficiency_pct", efficiency_pct),
        Limit("measured_speedup", 1.0),
        Limit("contention_rate", rate),
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_profile_has_limits_for_every_scenario(profile: str, scenario: str) -> None:
    """No scenario can pass because nothing was asked of it."""
    metrics = {limit.metric for limit in built_in().limits(profile, scenario)}
    assert metrics >= {"guide_efficiency_pct", "measured_speedup", "contention_rate"}


@pytest.mark.parametrize("tables", [PROFILES, SCENARIOS])
def test_the_built_in_table_names_nothing_unknown(tables: dict[str, object]) -> None:
    """A misspelt profile or scenario in the table would be a limit that never holds."""
    profiles = built_in().profiles
    if tables is PROFILES:
        assert set(profiles) == set(PROFILES)
    else:
        assert {name for table in profiles.values() for name in table} <= {"default", *SCENARIOS}


def test_the_nearer_limit_wins() -> None:
    """Default, then scenario, then the command line for all, then for this scenario; the last one given wins."""
    table = parse_thresholds(
        "[gpu.default]\nguide_speedup = 1\nmeasured_speedup = 1\ncontention_rate = 0.5\n"
        "[gpu.chimera_homo]\nmeasured_speedup = 2\n",
        "t",
    )
    overrides = (
        Override(None, Limit("contention_rate", 0.4)),
        Override("chimera_homo", Limit("contention_rate", 0.3)),
        Override("other", Limit("guide_speedup", 9.0)),
    )
    assert table.limits("gpu", "chimera_homo", overrides) == (
        Limit("guide_speedup", 1.0),
        Limit("measured_speedup", 2.0),
        Limit("contention_rate", 0.3),
    )
    assert table.limits("gpu", "chimera_hetero")[1] == Limit("measured_speedup", 1.0)


def test_an_override_can_bring_a_limit_that_the_table_lacks() -> None:
    """A metric without a limit gets one from the command line."""
    table = parse_thresholds("[gpu.default]\n", "t")
    assert table.limits("gpu", "chimera_homo", [Override(None, Limit("guide_speedup", 1.5))]) == (
        Limit("guide_speedup", 1.5),
    )


def test_an_unknown_profile_names_the_known_ones() -> None:
    """A table of one's own without the host's profile says which it has."""
    with pytest.raises(ConfigurationError, match=r"'gpu'.*it has: cpu"):
        parse_thresholds("[cpu.default]\n", "t").limits("gpu", "chimera_homo")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gpu", "is not valid TOML"),
        ("gpu = 1", r"'gpu' must be a table of scenarios"),
        ("[gpu]\nchimera_homo = 1", r"gpu\.chimera_homo must be a table of limits"),
        ("[gpu.chimera_homo]\nspeed = 1", "gpu.chimera_homo: unknown metric 'speed'; known: guide_efficiency_pct"),
        ("[gpu.chimera_homo]\nguide_speedup = 'fast'", "guide_speedup must be a number, got 'fast'"),
        ("[gpu.chimera_homo]\nguide_speedup = true", "must be a number, got True"),
        ("[gpu.chimera_homo]\nguide_speedup = nan", "must be a number"),
        ("[gpu.chimera_homo]\nguide_speedup = inf", "must be a number"),
        ("[gpu.chimera_homo]\nguide_speedup = 1" + "0" * 400, "must be a number"),
        ("[gpu.chimera_homo]\nguide_speedup = [1]", "must be a number"),
        ("[gqu.default]", "unknown profile 'gqu'; known: gpu, cpu, embedded"),
        ("[gpu.chimera]", "unknown scenario 'chimera'; known: default, baseline_vs_chimera"),
    ],
)
def test_a_bad_table_names_its_source_and_the_place(text: str, words: str) -> None:
    """Every error of a table is a ConfigurationError that starts with the file's name."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        parse_thresholds(text, "my.toml")
    assert str(raised.value).startswith("my.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("guide_speedup=1.5", Override(None, Limit("guide_speedup", 1.5))),
        (" guide_speedup = 2 ", Override(None, Limit("guide_speedup", 2.0))),
        ("chimera_homo.contention_rate=0", Override("chimera_homo", Limit("contention_rate", 0.0))),
    ],
)
def test_an_override_is_read(text: str, expected: Override) -> None:
    """With and without a scenario."""
    assert parse_override(text, NAMES) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("guide_speedup", "write METRIC=NUMBER or SCENARIO.METRIC=NUMBER"),
        ("guide_speedup=", "write METRIC=NUMBER"),
        ("guide_speedup=fast", "write METRIC=NUMBER"),
        ("guide_speedup=nan", "write METRIC=NUMBER"),
        ("guide_speedup=1e999", "write METRIC=NUMBER"),
        ("=1", "unknown metric ''; known: guide_efficiency_pct"),
        ("speed=1", "unknown metric 'speed'; known"),
        ("nowhere.guide_speedup=1", "unknown scenario 'nowhere'; known: baseline_vs_chimera"),
        (".guide_speedup=1", "unknown scenario ''"),
    ],
)
def test_a_bad_override_says_what_to_write(text: str, words: str) -> None:
    """The message repeats what was given and says what would be right."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        parse_override(text, NAMES)
    assert str(raised.value).startswith(f"--threshold {text}:")


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit("measured_speedup", 1.0), "measured_speedup >= 1"),
        (Limit("contention_rate", 0.06), "contention_rate <= 0.06"),
    ],
)
def test_a_limit_reads_as_it_is_meant(limit: Limit, text: str) -> None:
    """Efficiencies have a lower limit, the contention rate an upper one."""
    assert str(limit) == text


def _mine(**limits: float | dict[str, float]) -> Scenario:
    return replace(SCENARIOS["chimera_homo"], name="mine", limits=limits)


def test_a_scenario_brings_limits_of_its_own_for_all_profiles_or_for_one() -> None:
    """They go over the profile's default ones, and those of one profile over the others."""
    table = ThresholdTable({"gpu": {"default": {"guide_speedup": 1.0, "measured_speedup": 1.0}}, "cpu": {}})
    found = table.with_own([_mine(measured_speedup=1.2, contention_rate=0.5, gpu={"contention_rate": 0.1})])
    assert found.limits("gpu", "mine") == (
        Limit("guide_speedup", 1.0),
        Limit("measured_speedup", 1.2),
        Limit("contention_rate", 0.1),
    )
    assert found.limits("cpu", "mine") == (Limit("measured_speedup", 1.2), Limit("contention_rate", 0.5))
    assert found.limits("gpu", "mine@num_ctx=512") == found.limits("gpu", "mine")
    assert found.limits("gpu", "other") == table.limits("gpu", "other")


def test_the_table_and_the_command_line_go_over_what_a_scenario_brings() -> None:
    """What it does not bring is the default one's."""
    text = "[cpu.default]\nguide_speedup = 1.0\n[cpu.mine]\nmeasured_speedup = 1.5\n"
    table = parse_thresholds(text, "t", ("mine",)).with_own([_mine(measured_speedup=1.2, contention_rate=0.5)])
    overrides = [Override("mine", Limit("contention_rate", 0.2))]
    assert table.limits("cpu", "mine", overrides) == (
        Limit("guide_speedup", 1.0),
        Limit("measured_speedup", 1.5),
        Limit("contention_rate", 0.2),
    )


def test_a_table_may_name_only_scenarios_that_are_known_unless_nobody_can_know() -> None:
    """A journal is judged without its user's package: what only the table names is told."""
    text = "[cpu.mine]\nmeasured_speedup = 1.5\n[cpu.misspelt]\nmeasured_speedup = 1.5\n[cpu.chimera_homo]\n"
    with pytest.raises(ConfigurationError, match="unknown scenario 'misspelt'"):
        parse_thresholds(text, "t", ("mine", *SCENARIOS))
    assert parse_thresholds(text, "t", None).names_beside(["mine@num_ctx=512"]) == ("misspelt",)
