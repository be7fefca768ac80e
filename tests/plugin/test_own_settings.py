"""Settings of a session that knows more than this package brings: users' scenarios and kinds of servers."""

from __future__ import annotations

import pytest

from harness.plugin.extensions import Extensions
from harness.plugin.opening import _most_agents
from harness.plugin.options import Settings, read_settings
from harness.records.errors import ConfigurationError
from harness.scenarios import AgentSpec, Ask, Catalogue, Limit, RunnerOptions, Scenario
from harness.servers.kinds import KINDS, ServerKind


async def write(ask: Ask) -> None:
    """Asks once."""
    await ask("write", "Write.")


THREE = Scenario(
    "three",
    "three writers",
    (AgentSpec("A", write, RunnerOptions(num_ctx=512), "chimera"), AgentSpec("B", write), AgentSpec("C", "insight")),
    {"contention_rate": 0.5},
)
OWN = ServerKind("own", lambda launch: [str(launch.port)], model="mine")
KNOWN = Extensions(Catalogue().added(THREE, "x"), {**KINDS, "own": OWN})


def read(*measured: str, **given: object) -> Settings:
    """Settings from options by their names with underscores."""
    values = {"--server": "embedded"} | {"--" + name.replace("_", "-"): value for name, value in given.items()}
    return read_settings(values.get, KNOWN, measured)


def test_a_scenario_has_as_many_agents_as_it_says_unless_others_are_asked_for() -> None:
    """Servers are dealt out to those that are measured, whatever else is known."""
    settings = read()
    assert [each.name for each in settings.scenarios] == ["three"]
    assert [agent.role for agent in settings.scenarios[0].agents] == ["A", "B", "C"]
    assert (_most_agents(settings), read(servers="3").selection.count) == (3, 3)
    assert [agent.role for agent in read(agents="4").scenarios[0].agents] == ["A", "B", "C", "A-2"]
    two = read(scenario=["chimera_homo"])
    assert _most_agents(two) == 2
    with pytest.raises(ConfigurationError, match="3 servers for 2 agents would leave some idle"):
        read(scenario=["chimera_homo"], servers="3")


def test_its_agents_do_what_its_workflows_say_with_the_options_of_their_groups() -> None:
    """By keys that the session's workflows have; only a tuned agent is tuned."""
    settings = read(chimera_num_ctx="2048", prompt_words=["C=5"])
    agents = settings.scenarios[0].agents
    assert [settings.workflows[agent.key] for agent in agents][:2] == [write, write]
    assert [agent.options.num_ctx for agent in agents] == [2048, None, None]
    assert settings.padding == {"C": 5}


def test_its_limits_hold_beside_those_of_the_profile() -> None:
    """The command line's go over them."""
    limits = read().thresholds.limits("gpu", "three")
    assert limits == (Limit("measured_speedup", 1.0), Limit("contention_rate", 0.5))
    settings = read(threshold=["three.contention_rate=0.2"])
    assert Limit("contention_rate", 0.2) in settings.thresholds.limits("gpu", "three", settings.overrides)


def test_a_study_of_it_has_what_a_study_needs() -> None:
    """Its agents, and for the patterns a server with a slot for each of them."""
    settings = read(scenario=["patterns:three"])
    (study,) = settings.studies
    assert (study.name, study.scenario, settings.scenarios) == ("patterns:three", "three", ())
    assert (settings.selection.parallel, _most_agents(settings)) == (3, 3)


def test_what_tests_name_is_measured_unless_the_options_name_something() -> None:
    """Scenarios and studies alike."""
    settings = read("chimera_homo", "patterns:three")
    assert ([each.name for each in settings.scenarios], settings.selection.parallel) == (["chimera_homo"], 3)
    assert [each.name for each in read("chimera_homo", scenario=["three"]).scenarios] == ["three"]


def test_a_kind_of_ones_own_can_be_candidate_and_base() -> None:
    """Each is started as it says, with its own model."""
    settings = read(server="own", base_server="own")
    assert (settings.selection.kind, settings.selection.model, settings.selection.starter) == ("own", "mine", OWN)
    assert settings.base is not None
    assert settings.base.selection is not None
    assert (settings.base.selection.kind, settings.base.selection.starter) == ("own", OWN)
    with pytest.raises(ConfigurationError, match="choose one of ollama, embedded, own"):
        read(base_server="owm")
