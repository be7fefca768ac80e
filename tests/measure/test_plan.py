"""Plans: the order of arms, and agents bound to servers."""

from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure import AgentPlan, RequestSettings, ScenarioPlan, bind
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import SCENARIOS

ARMS = (solo_arm("A"), solo_arm("B"), CONCURRENT)
URLS = ("http://one", "http://two")


def _plan(seed: int = 1, name: str = "pair") -> ScenarioPlan:
    agents = tuple(AgentPlan(role, "w", url, "m") for role, url in zip("AB", URLS, strict=True))
    return ScenarioPlan(name, agents, runs=5, seed=seed, max_concurrent=2, deadline_s=1.0)


@given(st.integers(0, 2**31), st.integers(0, 1000))
def test_every_arm_comes_exactly_once(seed: int, index: int) -> None:
    """An order is a permutation of the arms, and the same for the same seed."""
    order = _plan(seed).order(index)
    assert sorted(order) == sorted(ARMS)
    assert order == _plan(seed).order(index)


def test_all_orders_occur() -> None:
    """No arm has a fixed place: over the blocks of one session each permutation comes."""
    plan = _plan()
    assert {plan.order(index) for index in range(100)} == set(permutations(ARMS))


def test_seed_scenario_and_block_each_change_the_order() -> None:
    """A scenario does not repeat the orders of another one, nor a session those of the last."""

    def orders(seed: int = 1, name: str = "pair") -> list[tuple[str, ...]]:
        return [_plan(seed, name).order(index) for index in range(20)]

    assert len({tuple(orders()), tuple(orders(seed=2)), tuple(orders(name="other"))}) == 3
    assert len(set(orders())) > 1


def test_the_order_leaves_the_programs_own_randomness_alone() -> None:
    """Shuffling neither reads nor moves the global generator."""
    random.seed(5)
    state = random.getstate()
    _plan().order(1)
    assert random.getstate() == state


@pytest.mark.parametrize("name", SCENARIOS)
def test_agents_are_bound_to_their_servers_with_all_their_options(name: str) -> None:
    """Agent i talks to server i, and sends its own options with those of the session."""
    scenario = SCENARIOS[name]
    plans = bind(scenario, URLS, "m", RequestSettings(num_predict=16, seed=9, num_threads=(2, None)))
    assert [(plan.role, plan.url, plan.model) for plan in plans] == [
        ("DataCollector", "http://one", "m"),
        ("Insight", "http://two", "m"),
    ]
    first, second = scenario.agents
    assert plans[0].options == {**first.options.sent(), "num_predict": 16, "seed": 9, "num_thread": 2}
    assert plans[1].options == {**second.options.sent(), "num_predict": 16, "seed": 9}


def test_one_server_serves_all_agents() -> None:
    """With fewer servers than agents they are dealt out in turn."""
    plans = bind(SCENARIOS["chimera_homo"], URLS[:1], "m", RequestSettings(8, 0, (1,)))
    assert {plan.url for plan in plans} == {"http://one"}
    assert {plan.options["num_thread"] for plan in plans} == {1}
