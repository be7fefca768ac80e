"""The matrix of who slows whom for programs and for the terminal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.judge.interference import OTHERS, Effect
from harness.judge.statistics import Estimate
from harness.report.interference import effect_sentence, interference_json, interference_lines

RATIO = Estimate(1.38, 1.31, 1.45, 5, "t interval on logs")
EFFECT = Effect("DataCollector", "Insight", "prefill", "decode", RATIO, 1e-5, 60.0, 900.0, 248.0, 0.21)
NONE = Estimate(0.999, 0.98, 1.02, 5, "t interval on logs")
QUIET = replace(EFFECT, aggressor_phase="idle", ratio=NONE, p=0.9, excess_ms=-0.1, share=-0.0001)
BACK = replace(EFFECT, aggressor="Insight", victim="DataCollector", aggressor_phase="decode", p=0.3, excess_ms=2.0)


@pytest.mark.parametrize(
    ("effect", "sentence"),
    [
        (EFFECT, "Insight's decode +38 % (31..45) while DataCollector prefills"),
        (replace(EFFECT, aggressor_phase="loading"), "Insight's decode +38 % (31..45) while DataCollector loads"),
        (replace(EFFECT, aggressor_phase="queue"), "Insight's decode +38 % (31..45) while DataCollector waits"),
        (replace(EFFECT, victim_phase="prefill"), "Insight's prefill +38 % (31..45) while DataCollector prefills"),
        (QUIET, "Insight's decode +0 % (-2..2) while DataCollector is idle"),
        (replace(EFFECT, aggressor=OTHERS), "Insight's decode +38 % (31..45) while others prefill"),
        (replace(QUIET, aggressor=OTHERS), "Insight's decode +0 % (-2..2) while all others are idle"),
        (
            replace(EFFECT, ratio=Estimate(1.38, None, None, 1, "")),
            "Insight's decode +38 % while DataCollector prefills",
        ),
        (replace(EFFECT, victim="\x1b[2J"), "\\x1b[2J's decode +38 % (31..45) while DataCollector prefills"),
    ],
)
def test_an_effect_is_a_sentence(effect: Effect, sentence: str) -> None:
    """Who, what, by how much, and while whom; no name can steer the terminal."""
    assert effect_sentence(effect) == sentence


def test_the_matrix_is_aligned_and_ends_with_the_effect_to_name() -> None:
    """A line for each victim's phase and aggressor; a column for each phase that is anywhere, in a request's order."""
    assert interference_lines("pair", [QUIET, EFFECT, BACK]) == [
        "pair: who slows whom: longer than alone by so many % (95 % interval), by what the other did meanwhile",
        "  %                       while                idle       prefill        decode",
        "  Insight's decode        DataCollector  +0 (-2..2)  +38 (31..45)             -",
        "  DataCollector's decode  Insight                 -             -  +38 (31..45)",
        "  strongest: Insight's decode +38 % (31..45) while DataCollector prefills: 248 ms a block, 21 % of its time "
        "(n = 5)",
    ]


def test_where_nothing_is_beyond_doubt_the_matrix_says_so() -> None:
    """It is shown all the same."""
    lines = interference_lines("pair", [QUIET, BACK])
    assert len(lines) == 5
    assert lines[-1] == "  no effect of at least 2 % is beyond doubt"


def test_a_matrix_of_many_agents_shows_what_the_others_do_together_and_the_effect_to_name() -> None:
    """Agent by agent it would be longer than a screen; the line below says where the rest stands."""
    roles = [f"agent-{i}" for i in range(8)]
    pairs = [replace(BACK, aggressor=one, victim=two) for one in roles for two in roles if one != two]
    crowd = [replace(BACK, aggressor=OTHERS, victim=role) for role in roles]
    strong = replace(EFFECT, aggressor="agent-0", victim="agent-1", aggressor_phase="decode")
    crowd[1] = replace(strong, aggressor=OTHERS)
    lines = interference_lines("eight", [*crowd, *pairs[1:], strong])
    assert len(lines) == 2 + len(crowd) + 1 + 2
    assert sum("others" in line for line in lines[2:]) == len(crowd)
    assert lines[-2] == f"  ({len(pairs) - 1} rows more, agent by agent, stand in the summary for programs)"
    assert "agent-1's decode  agent-0" in lines[-3]


def test_a_matrix_of_many_agents_without_a_crowd_is_whole() -> None:
    """There is nothing shorter to show."""
    roles = [f"agent-{i}" for i in range(8)]
    pairs = [replace(BACK, aggressor=one, victim=two) for one in roles for two in roles if one != two]
    assert len(interference_lines("eight", pairs)) == 2 + len(pairs) + 1


def test_without_effects_there_is_no_matrix() -> None:
    """One agent alone, or no block that could be read."""
    assert interference_lines("pair", []) == []
    assert interference_json([]) == {"effects": [], "strongest": None}


def test_a_program_reads_every_field_and_the_effect_to_name() -> None:
    """As plain JSON; the strongest has its sentence."""
    read = json.loads(json.dumps(interference_json([QUIET, EFFECT])))
    assert [effect["aggressor_phase"] for effect in read["effects"]] == ["idle", "prefill"]
    assert read["effects"][1] == {
        "aggressor": "DataCollector",
        "victim": "Insight",
        "aggressor_phase": "prefill",
        "victim_phase": "decode",
        "ratio": {"point": 1.38, "low": 1.31, "high": 1.45, "n": 5, "method": "t interval on logs"},
        "p": 1e-5,
        "pieces": 60.0,
        "time_ms": 900.0,
        "excess_ms": 248.0,
        "share": 0.21,
    }
    assert read["strongest"] == {**read["effects"][1], "sentence": effect_sentence(EFFECT)}
    assert interference_json([QUIET])["strongest"] is None


def test_a_ratio_of_two_is_a_hundred_per_cent_more() -> None:
    """And one of a half is 50 % less."""
    twice, half = (replace(EFFECT, ratio=Estimate(ratio, None, None, 1, "")) for ratio in (2.0, 0.5))
    assert "+100 %" in effect_sentence(twice)
    assert "-50 %" in effect_sentence(half)
