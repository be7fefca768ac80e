"""Scenarios that users bring: known beside the guide's, their workflows by key; one clear line for what is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import SCENARIOS, WORKFLOWS, AgentSpec, Ask, Catalogue, RunnerOptions, Scenario, Workflow


async def write(ask: Ask) -> None:
    """Asks once."""
    await ask("write", "Write.")


def not_async(ask: Ask) -> None:
    """Is no coroutine function."""


async def greedy(ask: Ask, more: int) -> None:
    """Wants more than it is given."""


class Writer:
    """A workflow with a state of its own."""

    async def __call__(self, ask: Ask) -> None:
        """Asks once."""
        await ask("write", "Write.")


PAIR = (AgentSpec("Writer", write), AgentSpec("Critic", write))


def scenario(name: str = "mine", **fields: object) -> Scenario:
    """A scenario of two writers, with other fields."""
    return replace(Scenario(name, "two writers", PAIR), **fields)  # type: ignore[arg-type]


def test_an_own_scenario_is_known_beside_the_guides() -> None:
    """Nothing else changes: the catalogue that was there knows nothing of it."""
    before = Catalogue()
    known = before.added([scenario()], "conftest.py")
    assert [*known.scenarios] == [*SCENARIOS, "mine"]
    assert known.own == {"mine": "conftest.py"}
    assert not before.own
    assert "mine" not in before.scenarios
    assert (known.known("mine"), known.known("patterns:mine"), known.known("patterns:other")) == (True, True, False)


def test_own_scenarios_are_what_is_measured_unless_somebody_chooses() -> None:
    """Without any the guide's three are."""
    assert Catalogue().usual == tuple(SCENARIOS)
    assert Catalogue().added([scenario("a"), scenario("b")], "x").usual == ("a", "b")


def test_a_study_can_be_put_to_any_scenario() -> None:
    """Its name says to which, and so does its title."""
    known = Catalogue().added([scenario()], "x")
    found = known.study("controls:mine")
    assert found is not None
    assert (found.name, found.scenario) == ("controls:mine", "mine")
    assert "(mine)" in found.title
    of_the_guides = known.study("patterns:chimera_hetero")
    assert of_the_guides is not None
    assert of_the_guides.scenario == "chimera_hetero"


def test_every_agent_has_its_own_workflow_by_a_key_of_its_own() -> None:
    """Functions that one function made have the same name, and are different workflows all the same."""

    def made(name: str) -> Workflow:
        async def workflow(ask: Ask) -> None:
            await ask(name, name)

        return workflow

    one, two = made("one"), made("two")
    known = Catalogue().added([scenario(agents=[AgentSpec("A", one), AgentSpec("B", two)])], "x")
    first, second = known.scenarios["mine"].agents
    assert (known.workflows[first.key], known.workflows[second.key]) == (one, two)


@pytest.mark.parametrize("workflow", [Writer(), Writer().__call__, functools.partial(greedy, more=1), "insight"])
def test_what_can_be_awaited_is_a_workflow(workflow: Workflow | str) -> None:
    """Objects, methods and partial functions too; a key names one that is there."""
    known = Catalogue().added([scenario(agents=(AgentSpec("A", workflow), PAIR[1]))], "x")
    found = known.workflows[known.scenarios["mine"].agents[0].key]
    assert found is (WORKFLOWS[workflow] if isinstance(workflow, str) else workflow)


def test_a_scenario_outside_a_catalogue_has_no_keys() -> None:
    """It says so, in place of a key that nobody knows."""
    with pytest.raises(TypeError, match="is in no catalogue yet"):
        _ = PAIR[0].key


def test_a_generator_and_a_single_scenario_are_taken_too() -> None:
    """A hook may yield, return one, or return nothing."""
    known = Catalogue().added((scenario(name) for name in ("a", "b")), "x").added(scenario("c"), "y").added(None, "z")
    assert [*known.own] == ["a", "b", "c"]


BAD: tuple[tuple[Callable[[], object], str], ...] = (
    (lambda: ["mine"], "x: pytest_concurrency_scenarios must return Scenarios, [Scenario(...)], not the str 'mine'"),
    (lambda: 7, "must return Scenarios, [Scenario(...)], not the int '7'"),
    (lambda: write, "must return Scenarios, [Scenario(...)], not a function"),
    (lambda: scenario("a b"), "a scenario's name must be a word of letters, digits, _ and -, not the str 'a b'"),
    (lambda: scenario("a@b"), "a scenario's name must be a word"),
    (lambda: scenario("patterns"), "scenario 'patterns': this name is taken for something else"),
    (lambda: scenario("default"), "scenario 'default': this name is taken for something else"),
    (lambda: scenario("tr110"), "scenario 'tr110': this name is taken for something else"),
    (lambda: scenario("chimera_homo"), "'chimera_homo' is there already, from this package: give it another name"),
    (lambda: [scenario(), scenario()], "scenario 'mine' is there already, from x: give it another name"),
    (lambda: scenario(title=""), "its title must be some words"),
    (lambda: scenario(agents=PAIR[0]), "its agents must be AgentSpecs, not a AgentSpec"),
    (lambda: scenario(agents=(PAIR[0],)), "scenario 'mine' has 1 agent: what agents cost each other takes two"),
    (lambda: scenario(agents=()), "scenario 'mine' has no agent"),
    (
        lambda: scenario(agents=(PAIR[0], write)),
        'each agent must be an AgentSpec("Writer", write), not a function',
    ),
    (
        lambda: scenario(agents=(PAIR[0], PAIR[0])),
        "two agents have the role 'Writer': give each a role of its own",
    ),
    (lambda: scenario(agents=(PAIR[0], AgentSpec("Writer-2", write))), "without a number at its end"),
    (lambda: scenario(agents=(PAIR[0], AgentSpec("chimera", write))), "other than chimera and chimera2"),
    (lambda: scenario(agents=(PAIR[0], AgentSpec("a:b", write))), "a role must be a word"),
    (
        lambda: scenario(agents=(PAIR[0], AgentSpec("B", write, group="tuned"))),
        "B's group must be None, 'chimera' or 'chimera2', not the str 'tuned'",
    ),
    (
        lambda: scenario(agents=(PAIR[0], AgentSpec("B", not_async))),  # type: ignore[arg-type]
        "B's workflow must be a coroutine function, `async def b(ask)`, not the function not_async",
    ),
    (
        lambda: scenario(agents=(PAIR[0], AgentSpec("B", greedy))),  # type: ignore[arg-type]
        "B's workflow must take one argument, `async def b(ask)`",
    ),
    (lambda: scenario(agents=(PAIR[0], AgentSpec("B", "inside"))), "B's workflow 'inside' is unknown: give an"),
    (lambda: scenario(agents=(PAIR[0], AgentSpec("B", "only_decode"))), "B's workflow 'only_decode' is unknown"),
    (
        lambda: scenario(agents=(PAIR[0], AgentSpec("B", write, {"num_ctx": 512}))),  # type: ignore[arg-type]
        "B's options must be RunnerOptions(...), not a dict",
    ),
    (
        lambda: scenario(agents=(PAIR[0], AgentSpec("B", write, RunnerOptions(num_ctx="512")))),  # type: ignore[arg-type]
        "B's num_ctx must be a number, not the str '512'",
    ),
    (lambda: scenario(limits=("measured_speedup", 1.0)), 'its limits must be {"measured_speedup": 1.0}, not a tuple'),
    (lambda: scenario(limits={"speed": 1.0}), "no limit can be on 'speed': metrics are guide_efficiency_pct"),
    (lambda: scenario(limits={"measured_speedup": "1"}), "the limit of measured_speedup must be a number"),
    (lambda: scenario(limits={"gpu": {"speed": 1.0}}), "scenario 'mine', gpu: no limit can be on 'speed'"),
    (lambda: scenario(limits={"gpu": {"contention_rate": float("nan")}}), "gpu: the limit of contention_rate must be"),
)


@pytest.mark.parametrize(("given", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_what_is_wrong_is_one_line_that_names_whose_it_is(given: Callable[[], object], words: str) -> None:
    """It says what to write instead."""
    with pytest.raises(ConfigurationError) as raised:
        Catalogue().added(given(), "x")
    assert words in str(raised.value)
    assert str(raised.value).startswith("x: ")
    assert "\n" not in str(raised.value)
