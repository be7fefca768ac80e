"""Studies as data: their arms, what each is compared with, and how they are called in words."""

from __future__ import annotations

import pytest

from harness.scenarios.studies import (
    LADDER,
    STUDIES,
    arm_title,
    arms_of,
    reference_of,
    study_of,
    study_title,
    together_sizes,
)

ROLES = ("A", "B", "C")


@pytest.mark.parametrize(
    ("study", "arms"),
    [
        ("patterns", ("dual", "single", "single_parallel", "sequential")),
        ("patterns_hetero", ("dual", "single", "single_parallel", "sequential")),
        ("controls", tuple(f"{kind}:{role}" for role in ROLES for kind in ("absent", "idle", "prefill", "decode"))),
        ("scaling", ("solo:A", "solo:B", "solo:C", "together:2", "together:3")),
        ("sampling", ("solo:A", "solo:B", "solo:C", "concurrent", "unsampled")),
        ("drawing", ("solo:A", "solo:B", "solo:C", "concurrent", "undrawn")),
        ("mitigation:pair", ("solo:A", "solo:B", "solo:C", "concurrent", *LADDER)),
        ("somebody's own", ()),
    ],
)
def test_a_study_has_its_arms_for_any_number_of_agents(study: str, arms: tuple[str, ...]) -> None:
    """In the order in which they are told; nothing is known of other studies."""
    assert arms_of(study, ROLES) == arms


@pytest.mark.parametrize(
    ("agents", "sizes"),
    [(1, ()), (2, (2,)), (3, (2, 3)), (4, (2, 4)), (5, (2, 4, 5)), (8, (2, 4, 8)), (9, (2, 4, 8, 9))],
)
def test_the_number_of_agents_doubles_until_all_work(agents: int, sizes: tuple[int, ...]) -> None:
    """The last arm has all of them, once."""
    assert together_sizes(agents) == sizes


@pytest.mark.parametrize(
    ("study", "references"),
    [
        ("patterns", {"dual": None, "single": "dual", "sequential": "dual"}),
        ("controls", {"absent:A": None, "idle:A": "absent:A", "decode:B": "absent:B"}),
        ("scaling", {"solo:A": None, "together:2": None}),
        ("sampling", {"solo:A": None, "concurrent": "unsampled", "unsampled": None}),
        ("drawing", {"solo:A": None, "concurrent": "undrawn", "undrawn": None}),
        ("mitigation:pair", {"solo:A": None, "concurrent": None, "staggered": "concurrent"}),
        ("somebody's own", {"one": None}),
    ],
)
def test_an_arm_is_compared_with_the_one_without_its_cause(study: str, references: dict[str, str | None]) -> None:
    """And a reference with none."""
    assert {arm: reference_of(study, arm) for arm in references} == references


def test_every_arm_of_every_study_has_words() -> None:
    """None is told by its name alone; a study's question is its title."""
    names = [*STUDIES, "mitigation:pair"]
    assert not [arm for name in names for arm in arms_of(name, ROLES) if arm_title(arm) == arm]
    assert arm_title("prefill:A") == "A while the others prefill"
    assert study_title("scaling") == "what each further agent gains"
    assert study_title("mitigation:pair") == "what helps pair"
    assert (arm_title("mine"), study_title("mine")) == ("mine", "mine")


@pytest.mark.parametrize("kind", ["patterns", "controls", "scaling", "sampling"])
def test_a_question_put_to_another_scenario_is_the_same_question(kind: str) -> None:
    """The same arms, compared with the same ones; a journal's reader needs no table of scenarios for it."""
    asked = f"{kind}:mine"
    assert arms_of(asked, ROLES) == arms_of(kind, ROLES)
    assert [reference_of(asked, arm) for arm in arms_of(kind, ROLES)] == [
        reference_of(kind, arm) for arm in arms_of(kind, ROLES)
    ]
    assert study_title(asked) == f"{study_title(kind)} (mine)"
    assert study_of(asked, ("other",)) is None
