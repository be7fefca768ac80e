"""Scenarios and studies bound to servers: threads, options, and what a session keeps of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.measure import ScenarioPlan
from harness.plugin import planning
from harness.plugin.options import Settings
from harness.plugin.planning import Planner, base_plan, num_threads, options_of, threads_alone
from harness.records import ServerInfo
from harness.scenarios import PROFILES
from harness.scenarios.studies import arms_of
from harness.testing import build_block, build_session
from tests.plugin.made_up import settings_of

CORES = 8


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with so many cores, whatever this one has."""
    monkeypatch.setattr(planning, "usable_cores", lambda: CORES)


def infos(count: int = 2, *, size_vram: int = 0, host: str = "http://127.0.0.1") -> tuple[ServerInfo, ...]:
    """So many servers that hold a model of 100 bytes."""
    return tuple(ServerInfo(f"{host}:{port}", "embedded", "0.1", "d", 100, size_vram) for port in range(1, count + 1))


def planner_of(settings: Settings, *, servers: int = 2, size_vram: int = 0, parallel_url: str | None = None) -> Planner:
    """A planner on so many servers, with two threads for each."""
    agents = max(len(scenario.agents) for scenario in settings.studied.values())
    session = replace(build_session(), servers=infos(servers, size_vram=size_vram), model="m", max_concurrent=agents)
    return Planner(settings, session, (2,) * servers, parallel_url, drawn=True)


@pytest.mark.parametrize(
    ("given", "servers", "threads", "words"),
    [
        ({}, infos(), (4, 4), "no GPU: 8 usable cores, 2 servers"),
        ({}, infos(3), (2, 2, 2), "no GPU: 8 usable cores, 3 servers"),
        ({}, infos(16), (1,) * 16, "no GPU: 8 usable cores, 16 servers"),
        ({"num_thread": "3"}, infos(3), (3, 3, 3), "--num-thread"),
        ({"num_thread": "0"}, infos(), (None, None), "--num-thread"),
        ({}, infos(size_vram=1), (None, None), "not sent, the model is in GPU memory"),
        ({}, (*infos(1), *infos(1, size_vram=1)), (None, None), "not sent, the model is in GPU memory"),
        ({}, (*infos(1), *infos(1, host="http://there")), (None, None), "not sent, the servers' cores are not known"),
        ({"num_thread": "5"}, infos(size_vram=1), (5, 5), "--num-thread"),
    ],
)
def test_servers_share_the_cores_unless_a_gpu_works_or_their_cores_are_not_known(
    given: dict[str, object], servers: tuple[ServerInfo, ...], threads: tuple[int | None, ...], words: str
) -> None:
    """One number for each server, and the reason; what the user says holds everywhere."""
    found, reason = num_threads(settings_of(**given), servers)
    assert found == threads
    assert reason.startswith(words)


def test_pinned_servers_have_the_threads_of_their_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together, and one of them alone: what it is pinned to is all that it may use."""
    monkeypatch.setattr("harness.plugin.server_options.usable_cpus", lambda: frozenset(range(CORES)))
    settings = settings_of(pin="0-2,3-3")
    assert num_threads(settings, infos())[0] == (3, 1)
    assert threads_alone(settings, (3, 1)) == 3
    shared = settings_of(pin="0-3,0-3")
    assert num_threads(shared, infos())[0] == (2, 2)
    assert threads_alone(shared, (2, 2)) == 4


@pytest.mark.parametrize(
    ("given", "together", "alone"),
    [({}, (4, 4), CORES), ({"num_thread": "3"}, (3, 3), 3), ({"num_thread": "0"}, (None, None), None)],
)
def test_a_server_that_is_used_alone_has_all_cores(
    given: dict[str, object], together: tuple[int | None, ...], alone: int | None
) -> None:
    """Unless the user said how many threads, or none are sent at all."""
    assert threads_alone(settings_of(**given), together) == alone
    assert threads_alone(settings_of(), (None, None)) is None


def test_a_scenario_is_bound_with_everything_that_was_asked_for() -> None:
    """Agents are dealt out in turn; stagger, padding, tokens, deadline and slots are the session's."""
    asked = {"agents": "5", "stagger": "0.5", "prompt_words": ["Insight-2=9"], "num_predict": "4", "runs": "3"}
    settings = settings_of(**asked, block_deadline="12")
    plan = planner_of(settings).scenario(settings.scenarios[-1])
    assert [agent.url[-1] for agent in plan.agents] == ["1", "2", "1", "2", "1"]
    assert [agent.padding for agent in plan.agents] == [0, 0, 0, 9, 0]
    assert {agent.options["num_predict"] for agent in plan.agents} == {4}
    assert {agent.options["num_thread"] for agent in plan.agents} == {2}
    assert (plan.name, plan.runs, plan.seed, plan.deadline_s) == ("chimera_homo", 3, 7, 12.0)
    assert (plan.stagger_s, plan.max_concurrent, plan.compared) == (0.5, 5, ())
    assert {name: arm.stagger_s for name, arm in plan.arms.items() if arm.stagger_s} == {"concurrent": 0.5}


def test_tokens_are_the_profiles_unless_they_are_given() -> None:
    """An embedded server is slower than a GPU."""
    settings = settings_of()
    plan = planner_of(settings).scenario(settings.scenarios[0])
    assert {agent.options["num_predict"] for agent in plan.agents} == {PROFILES["embedded"].num_predict}


@pytest.mark.parametrize("name", ["patterns", "patterns_hetero", "controls", "scaling", "sampling", "drawing"])
@pytest.mark.parametrize("agents", [2, 4])
def test_every_study_has_its_arms_on_the_agents_of_its_scenario(name: str, agents: int) -> None:
    """Each with a server of its own; the blocks are the studies', and so is the deadline of each."""
    settings = settings_of(scenario=[name], agents=str(agents), servers=str(agents), block_deadline="9")
    (study,) = settings.studies
    planner = planner_of(settings, servers=agents, parallel_url="http://127.0.0.1:99")
    plan, left_out = planner.study(study)
    roles = [agent.role for agent in settings.studied[study.scenario].agents]
    assert set(plan.arms) == set(arms_of(name, roles))
    assert (plan.name, plan.runs, plan.seed, plan.deadline_s) == (name, settings.study_runs, 7, 9.0)
    assert [agent.role for agent in plan.agents] == roles
    assert not left_out


def test_what_one_server_does_alone_it_does_with_all_cores() -> None:
    """And the study of patterns says what is missing without the server for all."""
    settings = settings_of(scenario=["patterns"])
    plan, left_out = planner_of(settings).study(settings.studies[0])
    threads = {name: {agent.options["num_thread"] for agent in arm.agents} for name, arm in plan.arms.items()}
    assert threads == {"dual": {2}, "single": {CORES}, "sequential": {CORES}}
    assert list(left_out) == ["single_parallel"]


def test_remedies_are_tried_on_the_scenario_that_failed() -> None:
    """Starts are staggered by the mean time alone over the agents; what cannot help is left out."""
    settings = settings_of()
    blocks = [build_block({"A": 1000.0, "B": 3000.0}, index=index) for index in (1, 2)]
    plan, left_out = planner_of(settings).ladder("chimera_homo", blocks)
    assert plan.name == "mitigation:chimera_homo"
    assert plan.arms["staggered"].stagger_s == pytest.approx(1.0)
    assert {agent.options["num_ctx"] for agent in plan.arms["smaller_context"].agents} == {512}
    assert left_out == {"more_gpu_layers": "the model is on no GPU"}
    unmeasured, _ = planner_of(settings).ladder("chimera_homo", ())
    assert unmeasured.arms["staggered"].stagger_s == 0.0


def test_remedies_are_tried_on_staggered_starts_as_they_were_asked_for() -> None:
    """The reference and every remedy start as the scenario that failed did; that remedy is applied already."""
    plan, left_out = planner_of(settings_of(stagger="0.2")).ladder("chimera_homo", ())
    assert {arm.stagger_s for arm in plan.arms.values() if len(arm.agents) > 1} == {0.2}
    assert left_out["staggered"] == "starts are staggered already, by 0.2 s"


@pytest.mark.parametrize(
    ("size_vram", "why"), [(0, "the model is on no GPU"), (100, "the model is in GPU memory already"), (50, None)]
)
def test_more_layers_are_tried_where_some_are_left(size_vram: int, why: str | None) -> None:
    """Only a model that is partly in GPU memory has any to gain."""
    plan, left_out = planner_of(settings_of(), size_vram=size_vram).ladder("chimera_homo", ())
    assert left_out.get("more_gpu_layers") == why
    assert ("more_gpu_layers" in plan.arms) == (why is None)


def test_remedies_are_tried_on_the_cell_of_a_sweep_that_failed() -> None:
    """With the cell's own options, under its name."""
    settings = settings_of(sweep=["chimera_homo:num_ctx=1024,4096"])
    plan, _ = planner_of(settings).ladder("chimera_homo@num_ctx=4096", ())
    assert plan.name == "mitigation:chimera_homo@num_ctx=4096"
    assert {agent.options["num_ctx"] for agent in plan.agents} == {4096}


def plan_with(**given: object) -> ScenarioPlan:
    """The plan of the scenario of equal agents."""
    settings = settings_of(scenario=["chimera_homo"], **given)
    return planner_of(settings).scenario(settings.scenarios[0])


def test_a_session_keeps_what_each_agent_sends_and_what_else_makes_its_work_another_one() -> None:
    """Words before prompts and staggered starts: with them, it is another measurement."""
    plain = options_of({"chimera_homo": plan_with()})["chimera_homo"]
    assert plain["Insight"] == dict(plan_with().agents[1].options)
    more = options_of({"it": plan_with(prompt_words=["Insight=9"], stagger="0.5")})["it"]
    assert more["Insight"] == plain["Insight"] | {"prompt_words": 9, "stagger_s": 0.5}
    assert more["DataCollector"] == plain["DataCollector"] | {"stagger_s": 0.5}


def test_a_base_does_the_same_work_on_its_own_servers() -> None:
    """Its options go over the scenario's; everything else is the candidate's."""
    settings = settings_of(agents="3")
    plan = planner_of(settings).scenario(settings.scenarios[-1])
    base = base_plan(plan, ["http://a:1", "http://b:1"], "other", {"num_ctx": 64})
    assert [agent.url for agent in base.agents] == ["http://a:1", "http://b:1", "http://a:1"]
    assert {(agent.model, agent.options["num_ctx"], agent.options["top_k"]) for agent in base.agents} == {
        ("other", 64, 40)
    }
    assert base.side == "base"
    assert replace(base, side="candidate", agents=plan.agents) == plan
