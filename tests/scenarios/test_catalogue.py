"""The guide's scenarios, and what the command line may change in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.scenarios import PROFILES, SCENARIOS, WORKFLOWS, RunnerOptions, with_agents, with_overrides

TUNED = {"top_p": 0.9, "top_k": 40, "repeat_penalty": 1.1}


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("baseline_vs_chimera", {}, {"num_gpu": 80, "num_ctx": 512, "temperature": 0.8, **TUNED}),
        (
            "chimera_hetero",
            {"num_gpu": 80, "num_ctx": 512, "temperature": 0.8, **TUNED},
            {"num_gpu": 100, "num_ctx": 1024, "temperature": 1.0, **TUNED},
        ),
        (
            "chimera_homo",
            {"num_gpu": 80, "num_ctx": 2048, "temperature": 1.0, **TUNED},
            {"num_gpu": 80, "num_ctx": 2048, "temperature": 1.0, **TUNED},
        ),
    ],
)
def test_each_scenario_sends_the_guides_options(name: str, first: dict[str, float], second: dict[str, float]) -> None:
    """The DataCollector and the Insight agent of each scenario, option by option."""
    agents = SCENARIOS[name].agents
    assert [agent.role for agent in agents] == ["DataCollector", "Insight"]
    assert [agent.options.sent() for agent in agents] == [first, second]


def test_there_are_exactly_the_three_scenarios() -> None:
    """The catalogue's keys are the scenarios' names."""
    assert set(SCENARIOS) == {"baseline_vs_chimera", "chimera_hetero", "chimera_homo"}
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_agent_has_a_workflow_and_a_role_of_its_own(name: str) -> None:
    """Roles name arms, so none may appear twice."""
    agents = SCENARIOS[name].agents
    assert len({agent.role for agent in agents}) == len(agents)
    assert all(agent.workflow in WORKFLOWS for agent in agents)


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        (RunnerOptions(), {}),
        (RunnerOptions(num_gpu=0, temperature=0.0), {"num_gpu": 0, "temperature": 0.0}),
        (RunnerOptions(num_ctx=64), {"num_ctx": 64}),
    ],
)
def test_only_what_is_set_is_sent(options: RunnerOptions, sent: dict[str, float]) -> None:
    """None leaves the server's default alone; zero is a value."""
    assert options.sent() == sent


@pytest.mark.parametrize(
    ("name", "group", "changed"),
    [
        ("baseline_vs_chimera", "chimera", ["Insight"]),
        ("baseline_vs_chimera", "chimera2", []),
        ("chimera_hetero", "chimera", ["DataCollector"]),
        ("chimera_hetero", "chimera2", ["Insight"]),
        ("chimera_homo", "chimera", ["DataCollector"]),
        ("chimera_homo", "chimera2", ["Insight"]),
    ],
)
def test_an_override_reaches_the_agents_of_its_group_only(name: str, group: str, changed: list[str]) -> None:
    """The other agent, and the options that the override leaves out, stay."""
    before = SCENARIOS[name]
    after = with_overrides(before, {group: RunnerOptions(num_ctx=4096)})
    assert [a.role for a, b in zip(after.agents, before.agents, strict=True) if a != b] == changed
    for new, old in zip(after.agents, before.agents, strict=True):
        expected = {**old.options.sent(), "num_ctx": 4096} if new.role in changed else old.options.sent()
        assert new.options.sent() == expected


def test_without_overrides_nothing_changes() -> None:
    """Empty overrides give the scenario back."""
    for scenario in SCENARIOS.values():
        assert with_overrides(scenario, {}) == scenario
        assert with_overrides(scenario, {"chimera": RunnerOptions()}) == scenario


@pytest.mark.parametrize(("name", "tokens"), [("gpu", 128), ("cpu", 64), ("embedded", 24)])
def test_each_profile_has_its_number_of_tokens(name: str, tokens: int) -> None:
    """A slower host is asked for fewer tokens."""
    assert (PROFILES[name].name, PROFILES[name].num_predict) == (name, tokens)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_scenario_has_as_many_agents_as_are_asked_for(count: int) -> None:
    """Its own again and again, with their options; roles are told apart, and the first two are called as ever."""
    for scenario in SCENARIOS.values():
        agents = with_agents(scenario, count).agents
        assert len({agent.role for agent in agents}) == len(agents) == count
        assert agents[:2] == scenario.agents
        for position, agent in enumerate(agents):
            own = scenario.agents[position % 2]
            assert replace(agent, role=own.role) == own
    assert [agent.role for agent in with_agents(SCENARIOS["chimera_homo"], 5).agents] == [
        "DataCollector", "Insight", "DataCollector-2", "Insight-2", "DataCollector-3",
    ]  # fmt: skip
