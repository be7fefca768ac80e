"""The order of cells with few reloads: against brute force, and on the published matrix."""

from __future__ import annotations

from itertools import pairwise, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scenarios import SCENARIOS
from harness.scenarios.catalogue import AgentSpec, RunnerOptions, Scenario
from harness.scenarios.grids import parse_grid
from harness.scenarios.reloads import (
    fewest_reloads,
    keeps_layers,
    reloads,
    runner_options,
    shortest_path,
    spanning_tree,
)
from harness.scenarios.sweeps import Cell, make_cell, tr110

HOMO = SCENARIOS["chimera_homo"]
SMALL = st.sampled_from([512, 1024, 2048])
TEMPERATURES = st.sampled_from([0.6, 0.8])
CELLS = st.lists(
    st.builds(
        lambda one, other, temperature: make_cell(
            HOMO, {"chimera.num_ctx": one, "chimera2.num_ctx": other, "temperature": temperature}
        ),
        SMALL,
        SMALL,
        TEMPERATURES,
    ),
    min_size=1,
    max_size=5,
)


@st.composite
def distances(draw: st.DrawFn, least: int, most: int, farthest: int = 4) -> list[list[int]]:
    """Symmetric distances between places, whole numbers as numbers of agents are."""
    n = draw(st.integers(least, most))
    found = [[0] * n for _ in range(n)]
    for one in range(n):
        for other in range(one):
            found[one][other] = found[other][one] = draw(st.integers(1, farthest))
    return found


def _length(path: tuple[int, ...] | list[int], between: list[list[int]]) -> int:
    return sum(between[one][other] for one, other in pairwise(path))


def _cost(cells: tuple[Cell, ...] | list[Cell]) -> int:
    return sum(reloads(one.scenario, other.scenario) for one, other in pairwise(cells))


@settings(max_examples=40, deadline=None)
@given(distances(1, 6, farthest=30))
def test_no_path_is_shorter_than_the_one_chosen(between: list[list[int]]) -> None:
    """Among all orders of up to six places; every place is visited once."""
    path = shortest_path(between)
    assert sorted(path) == list(range(len(between)))
    best = min(_length(other, between) for other in permutations(range(len(between))))
    assert _length(path, between) == best
    assert spanning_tree(between) <= best


@settings(max_examples=40, deadline=None)
@given(CELLS)
def test_no_order_of_the_cells_has_fewer_reloads(cells: list[Cell]) -> None:
    """Among all orders of up to five cells, those of equal runner options too; nothing is lost."""
    found = fewest_reloads(cells)
    assert sorted(cell.name for cell in found.cells) == sorted(cell.name for cell in cells)
    assert found.reloads == _cost(found.cells) == min(_cost(order) for order in permutations(cells))
    assert found.as_given == _cost(cells)
    assert found.at_least <= found.reloads


@settings(max_examples=20, deadline=None)
@given(distances(12, 16))
def test_long_paths_visit_every_place_and_are_no_longer_than_the_order_given(between: list[list[int]]) -> None:
    """Where not all are tried, the bound still holds."""
    path = shortest_path(between)
    assert sorted(path) == list(range(len(between)))
    assert spanning_tree(between) <= _length(path, between) <= _length(list(range(len(between))), between)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(14)))
def test_places_on_a_line_are_visited_in_their_order(places: list[int]) -> None:
    """Also where not all orders are tried."""
    between = [[abs(one - other) for other in places] for one in places]
    assert _length(shortest_path(between), between) == 13


ROWS = [[16], [1, 26], [21, 30, 14], [19, 1, 2, 23], [12, 19, 5, 19, 5], [5, 9, 27, 9, 13, 19]]
"""Distances of places 1 to 6 from those before, where short cuts from a greedy path end at 34."""


def test_few_places_are_visited_on_the_shortest_way_also_where_short_cuts_do_not_find_it() -> None:
    """26, as all 5040 orders say."""
    rows = [[], *ROWS]
    between = [[0 if a == b else rows[max(a, b)][min(a, b)] for b in range(7)] for a in range(7)]
    assert _length(shortest_path(between), between) == 26


@pytest.mark.parametrize(("factor", "best"), [(1, 24), (2, 19), (4, 23), (5, 22)])
def test_many_places_are_visited_on_the_shortest_way_here(factor: int, best: int) -> None:
    """Twelve places, too many to try all; the dynamic programming that was made once gives the same lengths."""
    near = [[1 + (min(a, b) ** 2 * factor + max(a, b) * 7 + a * b) % 9 for b in range(12)] for a in range(12)]
    between = [[0 if a == b else distance for b, distance in enumerate(row)] for a, row in enumerate(near)]
    assert _length(shortest_path(between), between) == best


def test_the_published_matrix_takes_20_reloads_where_its_own_order_takes_37() -> None:
    """20 is the fewest there is, as dynamic programming over its 20 groups found once (2^20 subsets: too slow here)."""
    found = fewest_reloads(tr110().cells)
    assert (found.reloads, found.as_given, found.at_least) == (20, 37, 19)
    assert _cost(found.cells) == 20


def test_cells_that_differ_in_sampling_only_stand_together_in_their_order() -> None:
    """Temperature costs no reload."""
    cells = parse_grid("chimera_homo:temperature=0.6,0.8,1;num_ctx=512,1024")
    found = fewest_reloads(cells)
    assert [(cell.values["num_ctx"], cell.values["temperature"]) for cell in found.cells] == [
        (512, 0.6),
        (512, 0.8),
        (512, 1.0),
        (1024, 0.6),
        (1024, 0.8),
        (1024, 1.0),
    ]
    assert (found.reloads, found.as_given) == (2, 10)


def test_each_agent_whose_runner_options_change_reloads_its_own_server() -> None:
    """One, both, or none; an agent more is a load more."""
    one, other = make_cell(HOMO, {"num_ctx": 512}), make_cell(HOMO, {"num_ctx": 512, "chimera2.num_gpu": 60})
    assert reloads(one.scenario, one.scenario) == 0
    assert reloads(one.scenario, other.scenario) == 1
    assert reloads(HOMO, one.scenario) == 2
    assert reloads(Scenario("more", "", (*HOMO.agents, HOMO.agents[0])), HOMO) == 1


def _agent(**options: float) -> AgentSpec:
    return AgentSpec("A", "insight", RunnerOptions(**options))  # type: ignore[arg-type]


def test_layers_left_to_the_server_are_no_runner_option() -> None:
    """Whether as -1 or not sent at all; sampling is none either."""
    assert runner_options(_agent(num_gpu=-1, num_ctx=512, temperature=0.8, top_k=3)) == (("num_ctx", 512),)
    assert runner_options(_agent(num_gpu=0)) == (("num_gpu", 0),)


@pytest.mark.parametrize(
    ("before", "after", "roles"),
    [
        ({"num_gpu": 80, "num_ctx": 512}, {"num_gpu": -1, "num_ctx": 512}, ("A",)),
        ({"num_gpu": 80}, {}, ("A",)),
        ({"num_gpu": 80, "num_ctx": 512}, {"num_ctx": 1024}, ()),
        ({"num_gpu": 80}, {"num_gpu": 60}, ()),
        ({}, {}, ()),
    ],
)
def test_an_agent_that_leaves_its_layers_to_the_server_may_get_the_last_cells(
    before: dict[str, float], after: dict[str, float], roles: tuple[str, ...]
) -> None:
    """Ollama keeps the loaded runner then, and the cell would be measured with what another one asked for."""
    one, other = (Scenario("s", "", (_agent(**options),)) for options in (before, after))
    assert keeps_layers(one, other) == roles
