"""The arms of studies: who runs where, beside whom, and what cannot be run."""

from __future__ import annotations

import pytest

from harness.measure import ArmPlan, RequestSettings
from harness.measure.studies import (
    ALL_LAYERS,
    SMALL_CONTEXT,
    Arms,
    Ground,
    control_arms,
    drawing_arms,
    ladder_arms,
    pattern_arms,
    sampling_arms,
    scaling_arms,
)
from harness.records.errors import ConfigurationError
from harness.scenarios import SCENARIOS, with_agents
from harness.scenarios.studies import PATTERN_ARMS, arms_of

ONE, TWO, PARALLEL = "http://one", "http://two", "http://parallel"


def ground(
    name: str = "chimera_homo", agents: int = 2, urls: tuple[str, ...] = (ONE, TWO), parallel: str | None = PARALLEL
) -> Ground:
    """Two servers with a thread each, one alone with two."""
    together = RequestSettings(num_predict=24, seed=1, num_threads=(1,) * len(urls))
    alone = RequestSettings(num_predict=24, seed=1, num_threads=(2,))
    return Ground(with_agents(SCENARIOS[name], agents), urls, parallel, "m", together, alone, agents)


def named(arms: Arms) -> dict[str, ArmPlan]:
    """The arms by name."""
    return {arm.name: arm for arm in arms.compared}


def absent(arm: ArmPlan) -> set[str]:
    """Servers whose model is not loaded in an arm."""
    return {agent.url for agent in arm.absent}


def test_patterns_do_the_same_work_on_all_servers_on_one_and_one_after_the_other() -> None:
    """Each with nothing but its own models in memory; on CPUs one server alone has all threads."""
    arms = named(pattern_arms(ground()))
    assert set(arms) == set(PATTERN_ARMS)
    assert {name: [agent.url for agent in arm.agents] for name, arm in arms.items()} == {
        "dual": [ONE, TWO],
        "single": [ONE, ONE],
        "sequential": [ONE, ONE],
        "single_parallel": [PARALLEL, PARALLEL],
    }
    assert {name: arm.slots for name, arm in arms.items()} == {
        "dual": 2, "single": 2, "sequential": 1, "single_parallel": 2,
    }  # fmt: skip
    assert {name: absent(arm) for name, arm in arms.items()} == {
        "dual": {PARALLEL}, "single": {TWO, PARALLEL}, "sequential": {TWO, PARALLEL}, "single_parallel": {ONE, TWO},
    }  # fmt: skip
    threads = {name: {agent.options["num_thread"] for agent in arm.agents} for name, arm in arms.items()}
    assert threads == {"dual": {1}, "single": {2}, "sequential": {2}, "single_parallel": {2}}
    work = {name: [(agent.role, agent.workflow) for agent in arm.agents] for name, arm in arms.items()}
    assert len({tuple(each) for each in work.values()}) == 1


def test_a_pattern_without_its_server_is_left_out_with_the_option_that_names_one() -> None:
    """Servers that are only connected to have the slots that they have."""
    arms = pattern_arms(ground(parallel=None))
    assert set(named(arms)) == {"dual", "single", "sequential"}
    assert "--parallel-url" in arms.left_out["single_parallel"]


@pytest.mark.parametrize("agents", [2, 5])
def test_controls_put_each_agent_beside_absent_idle_prefilling_and_decoding_others(agents: int) -> None:
    """The others work in the background; only their servers' models are absent."""
    urls = tuple(f"http://{i}" for i in range(agents))
    found = control_arms(ground(agents=agents, urls=urls, parallel=None))
    arms, roles = named(found), [agent.role for agent in ground(agents=agents, urls=urls).agents]
    assert tuple(arms) == arms_of("controls", roles)
    assert not found.left_out
    for position, role in enumerate(roles):
        others = set(urls) - {urls[position]}
        assert all([agent.role for agent in arms[f"{kind}:{role}"].agents] == [role] for kind in ("absent", "idle"))
        assert absent(arms[f"absent:{role}"]) == others
        assert not absent(arms[f"idle:{role}"])
        for kind in ("prefill", "decode"):
            assert {agent.url for agent in arms[f"{kind}:{role}"].background} == others
    for agent in arms[f"prefill:{roles[0]}"].background:
        assert (agent.options["num_predict"], agent.options["num_ctx"]) == (1, 2048)
        assert 500 < agent.padding < 2048 / 2
    for agent in arms[f"decode:{roles[0]}"].background:
        assert agent.padding == 0
        assert 24 < agent.options["num_predict"] < 2048


def test_controls_of_agents_that_all_share_one_server_are_refused() -> None:
    """There is no other server to empty; without an arm the scenario's own would be measured under the study's name."""
    with pytest.raises(ConfigurationError, match="all agents share one server"):
        control_arms(ground(urls=(ONE,), parallel=None))


def test_controls_keep_an_agent_apart_from_those_on_other_servers_only() -> None:
    """Those beside it on its own do not count."""
    four = named(control_arms(ground(agents=4, parallel=None)))
    assert {agent.role for agent in four["decode:DataCollector"].background} == {"Insight", "Insight-2"}


@pytest.mark.parametrize(("agents", "sizes"), [(2, (2,)), (3, (2, 3)), (8, (2, 4, 8))])
def test_scaling_has_every_agent_alone_and_ever_more_of_them_at_once(agents: int, sizes: tuple[int, ...]) -> None:
    """The first ones, in the scenario's order."""
    arms = named(scaling_arms(ground(agents=agents)))
    roles = [agent.role for agent in ground(agents=agents).agents]
    assert tuple(arms) == arms_of("scaling", roles)
    for size in sizes:
        assert [agent.role for agent in arms[f"together:{size}"].agents] == roles[:size]
        assert arms[f"together:{size}"].slots == size


def test_sampling_differs_in_the_sampler_alone() -> None:
    """The same agents at once, with and without."""
    arms = named(sampling_arms(ground()))
    assert arms["concurrent"].sampled
    assert not arms["unsampled"].sampled
    assert arms["concurrent"].agents == arms["unsampled"].agents


def test_drawing_differs_in_the_live_terminal_alone() -> None:
    """The same agents at once, with and without; where there is no such terminal the reason is told."""
    arms = named(drawing_arms(ground(), drawn=True))
    assert arms["concurrent"].drawn
    assert not arms["undrawn"].drawn
    assert arms["concurrent"].agents == arms["undrawn"].agents
    nowhere = drawing_arms(ground(), drawn=False)
    assert "undrawn" not in named(nowhere)
    assert list(nowhere.left_out) == ["undrawn"]


def test_the_ladder_changes_one_thing_at_a_time() -> None:
    """Beside the scenario as it is and its agents alone."""
    arms = named(ladder_arms(ground(), delay_s=0.5, gpu_share=0.5))
    assert {agent.options["num_ctx"] for agent in arms["smaller_context"].agents} == {SMALL_CONTEXT}
    assert {agent.options["num_gpu"] for agent in arms["more_gpu_layers"].agents} == {ALL_LAYERS}
    assert (arms["staggered"].stagger_s, arms["concurrent"].stagger_s) == (0.5, 0.0)
    assert arms["staggered"].agents == arms["concurrent"].agents
    assert {agent.url for agent in arms["one_server"].agents} == {ONE}
    assert absent(arms["one_server"]) == {TWO}


def test_a_remedy_that_changes_nothing_is_left_out_with_the_reason() -> None:
    """Small contexts, a model that is wholly on the GPU or not at all, one server."""
    whole = ladder_arms(ground("chimera_hetero", urls=(ONE,)), 0.5, gpu_share=1.0)
    assert "in GPU memory already" in whole.left_out["more_gpu_layers"]
    assert "only one server" in whole.left_out["one_server"]
    assert "smaller_context" in named(whole)  # its second agent has 1024
    none = ladder_arms(ground(), 0.5, gpu_share=0.0)
    assert "on no GPU" in none.left_out["more_gpu_layers"]
