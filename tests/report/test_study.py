"""Studies for the terminal and for programs: the first line answers, the tables show what it rests on."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from harness.judge import StudySummary, judge_study
from harness.records import Block, ModelMemory
from harness.report import study_lines
from harness.report.study_json import study_json
from harness.testing import build_study_block

MIB = 2**20
BOTH = ("A", "B")
SIGNS = (1, -1, 1, -1, 1, -1)


def _patterns(single: float = 2000.0, memory: bool = False) -> list[Block]:
    """Six blocks of three patterns; on one server the agents wait for loads."""
    blocks = []
    for index, sign in enumerate(SIGNS, 1):
        walls = {"sequential": 2500.0 - sign, "dual": 1000.0 + sign, "single": single - 10 * sign}
        block = build_study_block(
            {arm: dict.fromkeys(BOTH, ms) for arm, ms in walls.items()},
            index=index,
            load_ms={"single": 400.0},
            shared=("single",),
        )
        if memory:
            held = tuple(ModelMemory(f"http://127.0.0.1:{port}", "m", 100 * MIB, 1000) for port in (1, 2))
            block = replace(block, runs=tuple(replace(run, memory=held) for run in block.runs))
        blocks.append(block)
    return blocks


def _arms(study: str, arms: dict[str, tuple[str, float]], scatter: float = 5.0) -> list[Block]:
    """Six blocks of arms, by name: their agents' roles, a letter each, and what they take."""
    behind = {arm: ("A" if "B" in arm else "B",) for arm in arms if arm.startswith(("prefill:", "decode:"))}
    return [
        build_study_block(
            {
                arm: dict.fromkeys(roles, ms + sign * scatter * (1 if number % 2 else -1))
                for number, (arm, (roles, ms)) in enumerate(arms.items())
            },
            index=index,
            study=study,
            background=behind,
        )
        for index, sign in enumerate(SIGNS, 1)
    ]


def _judged(blocks: list[Block], **others: object) -> StudySummary:
    return judge_study(blocks[0].scenario, blocks, None, **others)  # type: ignore[arg-type]


def test_patterns_say_which_finishes_first_and_show_what_it_takes() -> None:
    """The answer, the arms, their ratios, what they are, their agents; blocks and joint intervals in the first line."""
    options = {"A": {"num_ctx": 512.0}, "B": {"num_ctx": 1024.0}}
    lines = study_lines(_judged(_patterns(memory=True), options=options))
    assert lines[0] == (
        "patterns: dual finishes the work first, in 1.00 s; single takes 2.00x (1.98 to 2.02) as long, "
        "sequential takes 2.50x (2.50 to 2.50) as long [6 blocks]"
    )
    heading, dual, single, sequential = (" ".join(line.split()) for line in lines[1:5])
    assert heading == "arm finishes in s tok/s TTFT ms load s models MiB"
    assert dual == "dual 1.00 +-0.00 20.0 +-0.0 100 +-0 0.00 +-0.00 200 +-0"
    assert single == "single 2.00 +-0.01 10.0 +-0.1 500 +-0 0.80 +-0.00 100 +-0"
    assert sequential.endswith("200 +-0")
    assert " ".join(lines[6].split()) == "against dual finishes in tok/s TTFT end-to-end models"
    assert " ".join(lines[7].split()) == (
        "single 2.00x (1.99 to 2.01) 0.50x (0.50 to 0.50) 5.00x (5.00 to 5.00) 2.00x (1.99 to 2.01) "
        "0.50x (0.50 to 0.50)"
    )
    assert "  single      one server, one request at a time" in lines
    assert any(line.startswith("  single A ") for line in lines)
    assert lines[-1] == (
        "  single: 0.40 s of 2.00 s wall went into loading: A num_ctx 512, B num_ctx 1024: "
        "every switch reloads the model"
    )


def test_patterns_that_cannot_be_told_apart_have_no_winner() -> None:
    """The point estimate names nobody."""
    lines = study_lines(_judged(_patterns(single=1002.0)))
    assert lines[0] == (
        "patterns: none was shown to finish the work first: dual (1.00 s) cannot be told from single, "
        "1.00x (0.99 to 1.02) as long; sequential takes 2.50x (2.50 to 2.50) as long [6 blocks]"
    )


def test_the_tables_columns_are_aligned() -> None:
    """Every row of a table is as wide as its heading, whatever the figures."""
    lines = study_lines(_judged(_patterns(memory=True)))
    assert len({len(line) for line in lines[1:5]}) == 1


def test_nothing_can_be_said_of_three_blocks_but_their_figures_are_shown() -> None:
    """The first line says so; a column without an interval would claim more."""
    lines = study_lines(_judged(_patterns()[:3]))
    assert lines[0] == "patterns: nothing can be said: 3 blocks, it takes 4 [3 blocks]"
    assert any(line.startswith("  dual") for line in lines)


def test_invalid_blocks_are_told_with_their_reasons() -> None:
    """Escaped, so that a server's text cannot steer the terminal."""
    lines = study_lines(_judged([*_patterns(), replace(_patterns()[0], index=7, error="died\x1b[2J")]))
    assert lines[0].endswith("[6 blocks, 1 invalid]")
    assert lines[-1] == "  block 7 is invalid: died\\x1b[2J"
    nothing = study_lines(_judged([replace(_patterns()[0], error="died")]))
    assert nothing == [
        "patterns: nothing can be said: 0 of 1 blocks could be judged [0 blocks, 1 invalid]",
        "  block 1 is invalid: died",
    ]


def test_controls_say_what_presence_prefill_and_decode_cost_each_agent() -> None:
    """A row for each agent and kind of company, against the others' absence."""
    arms = {
        f"{kind}:{role}": (role, ms)
        for role in BOTH
        for kind, ms in (("absent", 1000.0), ("idle", 1001.0), ("prefill", 1200.0), ("decode", 1500.0))
    }
    lines = study_lines(_judged(_arms("controls", arms), left_out={"C": "it shares its server"}))
    assert lines[0] == (
        "controls: what the others cost each agent's time in requests: "
        "A: presence nothing shown (1.00x (0.98 to 1.02)), prefill +20 % (+20 to +20), decode +50 % (+48 to +52); "
        "B: presence nothing shown (1.00x (0.98 to 1.02)), prefill +20 % (+20 to +20), decode +50 % (+48 to +52) "
        "[6 blocks]"
    )
    rows = [" ".join(line.split()) for line in lines[1:8]]
    assert rows[0] == "agent the others time in requests TPOT TTFT"
    assert rows[3] == ("A decode 1.50x (1.49 to 1.51) 1.56x (1.54 to 1.57) 1.00x (1.00 to 1.00) slower")
    assert rows[4].startswith("B idle")
    assert rows[4].endswith("nothing shown")
    assert lines[-1] == "  not tried: C: it shares its server"


def test_scaling_says_what_all_agents_reach_and_what_each_step_gains() -> None:
    """Speedup, efficiency and fairness by number of agents."""
    arms = {f"solo:{role}": (role, 1000.0) for role in "ABCD"}
    arms |= {"together:2": ("AB", 1000.0), "together:4": ("ABCD", 2000.0)}
    lines = study_lines(_judged(_arms("scaling", arms, scatter=1.0)))
    assert lines[0] == (
        "scaling: 4 agents together finish 2.00x (2.00 to 2.00) as fast as one after the other, "
        "efficiency 50.0 +-0.0 %; "
        "together:2 over one after the other: gains, 2.00x (2.00 to 2.00); "
        "together:4 over together:2: no gain shown, 1.00x (1.00 to 1.00) [6 blocks]"
    )
    assert " ".join(lines[1].split()) == "arm finishes in s tok/s TTFT ms speedup efficiency % Jain"
    assert " ".join(lines[7].split()).startswith("together:4 2.00 +-0.00 20.0 +-0.0 100 +-0 2.00 +-0.00 50.0 +-0.0")


@pytest.mark.parametrize(
    ("sampled", "said"),
    [
        (
            1100.0,
            "no cost of sampling was shown: the interval includes 0: measured efficiency 90.9 % with it and 90.9 %",
        ),
        (1200.0, "sampling costs efficiency: measured efficiency 83.3 % with it and 90.9 %"),
        (1000.0, "runs with sampling were more efficient, which it cannot do: something else differed: measured"),
    ],
)
def test_sampling_says_whether_its_cost_was_shown(sampled: float, said: str) -> None:
    """Measured efficiency with and without it, side by side, and their difference."""
    arms = {
        "solo:A": ("A", 1000.0),
        "solo:B": ("B", 1000.0),
        "concurrent": ("AB", sampled),
        "unsampled": ("AB", 1100.0),
    }
    lines = study_lines(_judged(_arms("sampling", arms)))
    assert lines[0].startswith(f"sampling: {said}")
    assert "points (" in lines[0]


def _ladder() -> StudySummary:
    arms = {"solo:A": ("A", 1000.0), "solo:B": ("B", 1000.0), "concurrent": ("AB", 2000.0)}
    arms |= {"smaller_context": ("AB", 1500.0), "one_server": ("AB", 2400.0), "staggered": ("AB", 2001.0)}
    return _judged(_arms("mitigation:pair", arms), left_out={"more_gpu_layers": "the model is on no GPU"})


def test_a_ladder_says_what_each_remedy_bought_and_what_could_not_be_tried() -> None:
    """Bought, cost, nothing shown, not tried: one word each."""
    lines = study_lines(_ladder())
    assert lines[0] == (
        "mitigation:pair: wall time was bought by smaller_context (0.75x (0.74 to 0.76)), "
        "cost by one_server (1.20x (1.20 to 1.20)); nothing was shown of staggered (1.00x (0.99 to 1.01)) [6 blocks]"
    )
    assert [" ".join(line.split()) for line in lines[1:6]] == [
        "remedy finishes in efficiency %",
        "smaller_context 0.75x (0.74 to 0.76) 66.7 +-0.3 bought a smaller context",
        "staggered 1.00x (0.99 to 1.01) 50.0 +-0.1 nothing shown one agent starts after the other",
        "one_server 1.20x (1.20 to 1.20) 41.7 +-0.1 cost one server for all agents",
        "more_gpu_layers - - not tried the model is on no GPU",
    ]
    assert not any("not tried:" in line for line in lines)


def test_a_ladder_of_which_nothing_could_be_tried_says_so() -> None:
    """The reasons stand beside it."""
    blocks = _arms("mitigation:pair", {"solo:A": ("A", 1000.0), "solo:B": ("B", 1000.0), "concurrent": ("AB", 2000.0)})
    lines = study_lines(_judged(blocks, left_out={"one_server": "there is only one server"}))
    assert lines[0] == "mitigation:pair: no remedy could be tried [6 blocks]"
    assert any("not tried  there is only one server" in line for line in lines)


def test_a_program_reads_everything_that_was_judged() -> None:
    """The documented keys, as JSON; a study without a ranking has none."""
    options = {"A": {"num_ctx": 512.0}, "B": {}}
    read = msgspec.json.decode(msgspec.json.encode(study_json(_judged(_patterns(), options=options))))
    assert read.keys() == {
        "title", "unsaid", "blocks", "arms", "ranking", "effects", "reloads", "left_out", "doubts", "invalid_blocks",
    }  # fmt: skip
    assert (read["unsaid"], read["blocks"], read["invalid_blocks"]) == (None, 6, {})
    single = read["arms"][1]
    assert (single["arm"], single["title"], single["reference"]) == (
        "single",
        "one server, one request at a time",
        "dual",
    )
    wall = single["figures"]["wall_s"]
    assert wall["point"] == pytest.approx(2.0)
    assert wall["interval"][0] < wall["point"] < wall["interval"][1]
    assert single["against"]["ttft_ms"] == {
        "point": pytest.approx(5.0),
        "interval": pytest.approx([5.0, 5.0]),
        "n": 6,
        "method": "t interval on logs",
    }
    assert [agent["role"] for agent in single["agents"]] == ["A", "B"]
    assert single["agents"][0]["against"]["ttft_ms"]["point"] == pytest.approx(5.0)
    assert (read["ranking"]["winner"], read["ranking"]["ties"]) == ("dual", [])
    assert [(each["arm"], each["shown"]) for each in read["effects"]] == [("single", "more"), ("sequential", "more")]
    assert read["reloads"][0]["agents"] == {"A": "num_ctx 512", "B": "num_ctx by default"}
    three = study_json(_judged([*_patterns()[:3], replace(_patterns()[3], error="died")]))
    assert (three["unsaid"], three["ranking"], three["invalid_blocks"]) == (
        "3 blocks, it takes 4",
        None,
        {"4": ["died"]},
    )
    assert study_json(_ladder())["left_out"] == {"more_gpu_layers": "the model is on no GPU"}
