"""Cells, the published matrix, duplicates and passes."""

from __future__ import annotations

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import SCENARIOS
from harness.scenarios.catalogue import AgentSpec, RunnerOptions, Scenario
from harness.scenarios.sweeps import (
    OPTIONS,
    Duplicate,
    catalogue_name,
    make_cell,
    make_sweep,
    tr110,
    visits,
)

HOMO, HETERO, BASELINE = (SCENARIOS[n] for n in ("chimera_homo", "chimera_hetero", "baseline_vs_chimera"))


def _sent(scenario: Scenario, option: str) -> list[float | None]:
    return [agent.options.sent().get(option) for agent in scenario.agents]


def test_a_cell_is_named_by_its_scenario_and_what_it_sets() -> None:
    """Sorted by option, so that one configuration has one name; the scenario in it has that name too."""
    cell = make_cell(HOMO, {"num_gpu": 60, "num_ctx": 512, "temperature": 0.6}, "phase 1", ("test_013",))
    assert cell.name == cell.scenario.name == "chimera_homo@num_ctx=512,num_gpu=60,temperature=0.6"
    assert (cell.phase, cell.published, list(cell.values)) == (
        "phase 1",
        ("test_013",),
        ["num_ctx", "num_gpu", "temperature"],
    )
    assert catalogue_name(cell.name) == "chimera_homo" == catalogue_name("chimera_homo")


def test_large_numbers_stand_whole_in_a_name() -> None:
    """A context of a million tokens is no power of ten."""
    assert make_cell(HOMO, {"num_ctx": 1048576}).name == "chimera_homo@num_ctx=1048576"


def test_a_plain_option_reaches_the_tuned_agents_and_the_narrower_name_wins() -> None:
    """All that have a group; then those of the group; then the role. What is not set stays."""
    assert _sent(make_cell(HOMO, {"num_ctx": 512}).scenario, "num_ctx") == [512, 512]
    assert _sent(make_cell(BASELINE, {"num_ctx": 1024}).scenario, "num_ctx") == [None, 1024]
    assert _sent(make_cell(BASELINE, {"DataCollector.num_ctx": 4096}).scenario, "num_ctx") == [4096, 512]
    mixed = {"num_ctx": 512, "chimera2.num_ctx": 1024, "Insight.num_ctx": 2048}
    assert _sent(make_cell(HOMO, mixed).scenario, "num_ctx") == [512, 2048]
    assert _sent(make_cell(HOMO, {"num_ctx": 512, "chimera2.num_ctx": 1024}).scenario, "num_ctx") == [512, 1024]
    assert _sent(make_cell(HOMO, mixed).scenario, "num_gpu") == [80, 80]


def test_a_cell_that_sets_nothing_is_its_scenario() -> None:
    """By name and by options."""
    assert make_cell(HOMO, {}).scenario == HOMO


UNTUNED = Scenario("plain", "", (AgentSpec("A", "insight", RunnerOptions()),))


@pytest.mark.parametrize(
    ("scenario", "values", "words"),
    [
        (HOMO, {"num_ctxx": 1.0}, "unknown option 'num_ctxx'; choose from: num_gpu, num_ctx,"),
        (HOMO, {"chimera3.num_ctx": 64.0}, "no agent 'chimera3'.*choose from: chimera, chimera2, DataCollector"),
        (HOMO, {"num_ctx": 63.0}, "num_ctx must be a whole number of at least 64, got 63"),
        (HOMO, {"num_ctx": 512.5}, "num_ctx must be a whole number"),
        (HOMO, {"num_gpu": -2.0}, "num_gpu must be a whole number of at least -1"),
        (HOMO, {"temperature": -0.1}, "temperature must be a number of at least 0"),
        (HOMO, {"temperature": float("nan")}, "temperature must be a number"),
        (UNTUNED, {"num_ctx": 512.0}, "none of its agents is tuned: name one, as in A.num_ctx"),
    ],
)
def test_an_impossible_cell_is_refused_in_one_line(scenario: Scenario, values: dict[str, float], words: str) -> None:
    """With what may be written instead."""
    with pytest.raises(ConfigurationError, match=words) as raised:
        make_cell(scenario, values)
    assert "\n" not in str(raised.value)


def test_every_option_of_an_agent_can_be_swept() -> None:
    """Those that the catalogue's agents send."""
    assert set(HOMO.agents[0].options.sent()) == set(OPTIONS)


def test_cells_with_equal_agents_are_measured_once() -> None:
    """Whether the option was set to what it was anyway, or another name says the same; another scenario is another."""
    cells = [
        make_cell(HOMO, {"num_ctx": 512}),
        make_cell(HOMO, {"num_ctx": 512, "num_gpu": 80}, published=("test_7",)),
        make_cell(HOMO, {"chimera.num_ctx": 512, "chimera2.num_ctx": 512}),
        make_cell(HETERO, {"num_ctx": 512}),
    ]
    like = {"num_ctx": 512, "num_gpu": 80, "temperature": 1.0}
    assert make_cell(HOMO, like).scenario.agents == make_cell(HETERO, like).scenario.agents
    assert make_sweep([make_cell(HOMO, like), make_cell(HETERO, like)]).duplicates == ()
    sweep = make_sweep(cells)
    first = "chimera_homo@num_ctx=512"
    assert [cell.name for cell in sweep.cells] == [first, "chimera_hetero@num_ctx=512"]
    assert sweep.duplicates == (Duplicate("test_7", first), Duplicate(cells[2].name, first))
    assert sweep.cells[0].published == ("test_7",)


def test_a_sweep_of_nothing_is_refused() -> None:
    """Rather than a session that passes because it measured nothing."""
    with pytest.raises(ConfigurationError, match="has no cell"):
        make_sweep(())


def test_the_published_matrix_has_thirty_configurations_in_26_cells() -> None:
    """18, 9 and 3 with 5 runs each; two of phase 2 and two of phase 3 had been measured in phase 1."""
    sweep = tr110()
    tests = [*range(1, 19), *range(100, 109), *range(200, 203)]
    assert sorted(test for cell in sweep.cells for test in cell.published) == [f"test_{n:03d}" for n in tests]
    assert (len(sweep.cells), sweep.runs) == (26, 5)
    assert [cell.published for cell in sweep.cells if len(cell.published) > 1] == [
        ("test_003", "test_202"),
        ("test_015", "test_101", "test_200"),
        ("test_016", "test_104"),
    ]
    assert [each.name for each in sweep.duplicates] == ["test_101", "test_104", "test_200", "test_202"]
    assert [cell.phase for cell in sweep.cells].count("phase 2") == 7


@pytest.mark.parametrize(
    ("test", "scenario", "gpu", "ctx", "temperature"),
    [
        ("test_001", "baseline_vs_chimera", [None, 60], [None, 512], [None, 0.8]),
        ("test_007", "chimera_hetero", [60, 80], [512, 1024], [0.8, 0.6]),
        ("test_012", "chimera_hetero", [120, 140], [1024, 2048], [0.8, 0.6]),
        ("test_013", "chimera_homo", [60, 60], [512, 512], [0.8, 0.8]),
        ("test_108", "chimera_homo", [80, 80], [2048, 2048], [1.0, 1.0]),
        ("test_201", "chimera_hetero", [80, 80], [512, 1024], [0.8, 0.6]),
    ],
)
def test_a_published_configuration_has_its_published_options(
    test: str, scenario: str, gpu: list[float], ctx: list[float], temperature: list[float]
) -> None:
    """As TR110's raw runs have them, agent by agent; the sampling options are the catalogue's."""
    cell = next(cell for cell in tr110().cells if test in cell.published)
    assert catalogue_name(cell.name) == scenario
    assert [_sent(cell.scenario, o) for o in ("num_gpu", "num_ctx", "temperature")] == [gpu, ctx, temperature]
    assert [_sent(cell.scenario, o)[1] for o in ("top_p", "top_k", "repeat_penalty")] == [0.9, 40, 1.1]


def test_passes_go_forwards_and_backwards_and_share_out_the_blocks() -> None:
    """Each turn begins where the one before ended; no cell gets more or fewer blocks than were asked for."""
    cells = [make_cell(HOMO, {"num_ctx": n}) for n in (100, 200, 300)]
    found = visits(cells, runs=5, passes=3)
    assert [visit.cell.values["num_ctx"] for visit in found] == [100, 200, 300, 300, 200, 100, 100, 200, 300]
    assert [visit.blocks for visit in found] == [2] * 6 + [1] * 3
    assert [visit.turn for visit in found] == [1] * 3 + [2] * 3 + [3] * 3


def test_there_are_no_more_passes_than_blocks() -> None:
    """A visit without a block would only load models."""
    assert [visit.blocks for visit in visits([make_cell(HOMO, {})], runs=2, passes=9)] == [1, 1]
