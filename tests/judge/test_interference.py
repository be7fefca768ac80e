"""Who slows whom: known factors come back from simulated blocks, and what must hold for any blocks."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.interference import NOTABLE, OTHERS, Effect, interference, strongest
from harness.judge.phases import PHASES
from harness.judge.speeds import VICTIM_PHASES
from harness.judge.statistics import Estimate, log_estimate
from harness.records import AgentRun, Block, RequestRecord, Run
from harness.records.session import CONCURRENT
from harness.testing import build_block
from tests.judge.simulated import QUIET, Call, Interference, Noise, simulated_blocks
from tests.strategies import BLOCKS

LONG = [Call(100, 3, 34)] * 2
MEETS_ALL = [Call(40, 2, 34)] * 2
"""Its second prefill falls into the first decode of the one with the long prefill."""
PAIR = {"Long": LONG, "Meets": MEETS_ALL}
DIALLED: Interference = {"decode": {"decode": 1.5, "prefill": 2.0}, "prefill": {"decode": 1.25, "prefill": 1.1}}
NOISY = Noise(gap=0.1, prefill=0.05)
CELLS = [
    ("Meets", "Long", "prefill", "decode"),
    ("Meets", "Long", "decode", "decode"),
    ("Meets", "Long", "idle", "decode"),
    ("Long", "Meets", "prefill", "decode"),
    ("Long", "Meets", "decode", "decode"),
    ("Long", "Meets", "prefill", "prefill"),
    ("Long", "Meets", "decode", "prefill"),
]
"""Cells in which each block has enough to tell."""


def key(effect: Effect) -> tuple[str, str, str, str]:
    """Aggressor, victim, and their phases."""
    return effect.aggressor, effect.victim, effect.aggressor_phase, effect.victim_phase


def by_key(effects: tuple[Effect, ...]) -> dict[tuple[str, str, str, str], Effect]:
    """Each effect once."""
    found = {key(effect): effect for effect in effects}
    assert len(found) == len(effects)
    return found


def dialled(cell: tuple[str, str, str, str], factors: Interference = DIALLED) -> float:
    """The true ratio of a cell."""
    return factors.get(cell[3], {}).get(cell[2], 1.0)


def test_a_whole_matrix_comes_back_cell_by_cell() -> None:
    """Four factors at once, phases that begin in the middle of gaps: each cell has its own, within 2 %."""
    found = by_key(interference(simulated_blocks(PAIR, DIALLED, blocks=2)))
    for cell in CELLS:
        assert found[cell].ratio.point == pytest.approx(dialled(cell), rel=0.02), cell


def test_noise_neither_shifts_a_ratio_nor_leaves_its_interval() -> None:
    """Gaps that vary by 10 %: over many sessions the mean ratio is the true one, and 95 % intervals cover it so often.

    A regression of a gap's duration on its phases alone would be drawn towards 1 by the noise.
    """
    sessions = [by_key(interference(simulated_blocks(PAIR, DIALLED, blocks=4, noise=NOISY, seed=i))) for i in range(60)]
    for cell in CELLS:
        ratios = [session[cell].ratio for session in sessions]
        assert fmean(ratio.point for ratio in ratios) == pytest.approx(dialled(cell), rel=0.02), cell
        covered = fmean(ratio.low is not None and ratio.high is not None and _covers(ratio, cell) for ratio in ratios)
        assert covered > 0.85, (cell, covered)


def _covers(ratio: Estimate, cell: tuple[str, str, str, str]) -> bool:
    assert ratio.low is not None
    assert ratio.high is not None
    return ratio.low <= dialled(cell) <= ratio.high


def test_a_prefill_shorter_than_a_few_gaps_is_told_apart_by_its_shares() -> None:
    """Eight prefills of 8 ms while gaps of 10 ms are made: none of them is wholly in one, and the factor is still 3."""
    agents = {"Decodes": [Call(10, 10, 60)], "Prefills": [Call(8, 3, 22)] * 8}
    found = by_key(interference(simulated_blocks(agents, {"decode": {"prefill": 3.0}}, blocks=3, noise=NOISY)))
    effect = found["Prefills", "Decodes", "prefill", "decode"]
    assert effect.ratio.point == pytest.approx(3.0, rel=0.05)
    assert found["Prefills", "Decodes", "decode", "decode"].ratio.point == pytest.approx(1.0, rel=0.02)


def test_a_prefill_that_stops_the_other_shows_though_it_hides_in_one_gap() -> None:
    """A single gap that takes 200 times as long: one piece, and most of the victim's time."""
    agents = {"Decodes": [Call(10, 10, 60)], "Stops": [Call(10, 10, 20), Call(2000, 10, 20)]}
    effects = interference(simulated_blocks(agents, {"decode": {"prefill": 200.0}}, blocks=4, noise=NOISY))
    effect = by_key(effects)["Stops", "Decodes", "prefill", "decode"]
    assert effect.ratio.point > 50
    assert effect.pieces < 3
    assert effect.excess_ms == pytest.approx(2000, rel=0.05)
    assert strongest(effects) == effect


@pytest.mark.parametrize("growth", [0.0, 0.5])
def test_gaps_that_grow_with_the_context_are_nobodys_fault(growth: float) -> None:
    """The other prefills while early, short gaps are made, and decodes while late, long ones are."""
    agents = {"Grows": [Call(10, 5, 60, growth)], "Other": [Call(160, 5, 30)]}
    found = by_key(interference(simulated_blocks(agents, {}, blocks=2)))
    for phase in ("prefill", "decode"):
        assert found["Other", "Grows", phase, "decode"].ratio.point == pytest.approx(1.0, rel=0.01)


@pytest.mark.parametrize("factors", [{}, {"decode": {"decode": 1.5}}, DIALLED], ids=["none", "decode", "all"])
def test_the_excess_of_an_aggressors_phases_is_the_time_that_it_took_longer(factors: Interference) -> None:
    """Nothing is counted twice, and nothing is lost but what is drawn together."""
    blocks = simulated_blocks(PAIR, factors, blocks=3, noise=Noise(gap=0.05))
    effects = interference(blocks)
    for victim, aggressor in (("Long", "Meets"), ("Meets", "Long")):
        longer = fmean(
            _decode_ms(block.run(CONCURRENT), victim) - _decode_ms(_solo(block, victim), victim) for block in blocks
        )
        cells = [e for e in effects if (e.victim, e.aggressor, e.victim_phase) == (victim, aggressor, "decode")]
        assert sum(effect.excess_ms for effect in cells) == pytest.approx(longer, abs=1.0)


def _solo(block: Block, role: str) -> Run | None:
    return block.run(f"solo:{role}")


def _decode_ms(run: Run | None, role: str) -> float:
    assert run is not None
    (agent,) = (agent for agent in run.agents if agent.role == role)
    return sum(request.token_ns[-1] - request.token_ns[0] for request in agent.requests) / 1e6


@settings(deadline=None, max_examples=20)
@given(st.floats(1.0, 20.0))
def test_everything_slowed_by_one_factor_has_that_ratio(factor: float) -> None:
    """Whatever the other does: all gaps and prefills take so many times as long together."""
    phases = ("prefill", "decode")
    agents = {"A": [Call(50, 5, 40)], "B": [Call(50, 5, 40)]}
    blocks = simulated_blocks(agents, {mine: dict.fromkeys(phases, factor) for mine in phases}, blocks=2)
    effects = interference(blocks)
    assert {(e.aggressor_phase, e.victim_phase) for e in effects} == {("prefill", "prefill"), ("decode", "decode")}
    for effect in effects:
        assert effect.ratio.point == pytest.approx(factor, rel=1e-6)
        assert effect.excess_ms == pytest.approx(effect.time_ms * (1 - 1 / factor), abs=1e-3)


@settings(deadline=None, max_examples=10)
@given(st.permutations(["A", "B", "C"]), st.integers(0, 100))
def test_other_names_for_the_agents_name_the_same_effects(names: list[str], seed: int) -> None:
    """Only the names change."""
    calls = {"A": LONG, "B": MEETS_ALL, "C": MEETS_ALL[:1]}
    blocks = simulated_blocks(calls, DIALLED, blocks=2, noise=NOISY, seed=seed)
    other = {**dict(zip(calls, names, strict=True)), OTHERS: OTHERS}
    expected = {
        replace(effect, aggressor=other[effect.aggressor], victim=other[effect.victim])
        for effect in interference(blocks)
    }
    assert set(interference([_renamed(block, other) for block in blocks])) == expected


def _renamed(block: Block, names: dict[str, str]) -> Block:
    def arm(name: str) -> str:
        return name if name == CONCURRENT else f"solo:{names[name.removeprefix('solo:')]}"

    def agent(run: AgentRun) -> AgentRun:
        return replace(run, role=names[run.role])

    runs = tuple(replace(run, arm=arm(run.arm), agents=tuple(map(agent, run.agents))) for run in block.runs)
    return replace(block, order=tuple(map(arm, block.order)), runs=runs)


@given(st.lists(BLOCKS, max_size=3))
def test_whatever_was_recorded_gives_effects_or_none(blocks: list[Block]) -> None:
    """Odd data, agents without solo runs, empty runs: never an error."""
    for effect in interference(blocks):
        assert effect.aggressor_phase in PHASES
        assert effect.victim_phase in VICTIM_PHASES


def test_what_cannot_be_judged_is_passed_over() -> None:
    """Warm-up, a failed block, one without its concurrent run or a solo run: the others are read as if alone."""
    good, other = simulated_blocks(PAIR, DIALLED, blocks=2, noise=NOISY)
    expected = interference([good])
    assert expected
    passed_over = [
        replace(other, warmup=True),
        replace(other, error="the server died"),
        replace(other, runs=other.runs[:-1], order=other.order[:-1]),
        replace(other, runs=other.runs[1:], order=other.order[1:]),
    ]
    assert interference([good, *passed_over]) == expected
    assert interference(passed_over) == ()
    assert interference(simulated_blocks({"A": LONG}, {}, blocks=1)) == ()


def test_one_block_gives_a_ratio_without_an_interval_and_no_name() -> None:
    """One value shows nothing of its spread."""
    effects = interference(simulated_blocks(PAIR, DIALLED, blocks=1))
    assert {effect.ratio.low for effect in effects} == {None}
    assert strongest(effects) is None


def test_a_phase_with_few_gaps_tells_nothing() -> None:
    """The other prefills for 12 ms, which four gaps take: too little for a cell; 24 ms are enough."""
    for prefill_ms, told in ((12, False), (24, True)):
        agents = {"A": [Call(5, 3, 60)], "B": [Call(5, 3, 5), Call(prefill_ms, 3, 30)]}
        found = by_key(interference(simulated_blocks(agents, {}, blocks=1)))
        assert (("B", "A", "prefill", "decode") in found) is told


EFFECT = Effect("A", "B", "decode", "decode", log_estimate([0.4, 0.41, 0.42]), 1e-6, 50.0, 500.0, 170.0, 0.2)


def test_a_huge_ratio_over_two_gaps_does_not_win_over_what_explains_the_loss() -> None:
    """It is ranked by the time it cost."""
    rare = replace(EFFECT, aggressor_phase="prefill", ratio=log_estimate([2.0, 2.1, 2.05]), excess_ms=25.0, share=0.03)
    assert strongest([rare, EFFECT]) == EFFECT
    assert strongest([rare]) == rare


@pytest.mark.parametrize(
    "weak",
    [
        replace(EFFECT, p=0.06),
        replace(EFFECT, share=NOTABLE - 1.01),
        replace(EFFECT, aggressor_phase="idle"),
        replace(EFFECT, excess_ms=-10.0, share=-0.1),
    ],
    ids=["chance", "cheap", "idle", "faster"],
)
def test_what_may_be_chance_or_costs_nothing_is_not_named(weak: Effect) -> None:
    """Nor is an aggressor that did nothing."""
    assert strongest([weak]) is None


def test_among_many_readings_a_single_small_p_is_chance() -> None:
    """A p of 1 % is shown alone, and not beside nine others (Holm); a smaller one is shown beside them."""
    others = [replace(EFFECT, aggressor=str(i), p=0.5) for i in range(9)]
    assert strongest([replace(EFFECT, p=0.01)]) is not None
    assert strongest([replace(EFFECT, p=0.01), *others]) is None
    small = replace(EFFECT, p=0.004)
    assert strongest([small, *others]) == small


def test_without_interference_next_to_nothing_is_named() -> None:
    """Of 100 sessions without any effect at most a few name one: 5 % at most, of all their readings together."""
    sessions = (interference(simulated_blocks(PAIR, {}, blocks=4, noise=NOISY, seed=i)) for i in range(100))
    assert sum(strongest(effects) is not None for effects in sessions) <= 5


def test_of_many_agents_the_one_that_did_it_is_named() -> None:
    """B alone prefills while the others decode."""
    agents = {"A": [Call(10, 3, 80)], "B": [Call(150, 3, 30)], "C": [Call(10, 3, 80)]}
    named = strongest(interference(simulated_blocks(agents, {"decode": {"prefill": 2.0}}, blocks=4, noise=NOISY)))
    assert named is not None
    assert (named.aggressor, named.aggressor_phase, named.victim_phase) == ("B", "prefill", "decode")


def test_where_all_slow_all_no_single_one_is_named() -> None:
    """Four that decode at once: any one of them would have the whole effect."""
    agents = {role: [Call(10, 3, 60)] for role in "ABCD"}
    named = strongest(interference(simulated_blocks(agents, {"decode": {"decode": 2.0}}, blocks=4, noise=NOISY)))
    assert named is not None
    assert (named.aggressor, named.aggressor_phase, named.victim_phase) == (OTHERS, "decode", "decode")
    assert named.ratio.point == pytest.approx(2.0, rel=0.02)


def test_a_pair_has_no_others() -> None:
    """The only other is named itself."""
    assert {effect.aggressor for effect in interference([build_block(tokens=40)])} <= {"A", "B"}
    assert OTHERS not in {e.aggressor for e in interference(simulated_blocks(PAIR, {}, blocks=1, noise=QUIET))}


def records_of(block: Block) -> list[RequestRecord]:
    """All requests of a block."""
    return [request for run in block.runs for agent in run.agents for request in agent.requests]


def test_simulated_requests_are_whole() -> None:
    """The blocks of these tests are such as a session records."""
    for block in simulated_blocks(PAIR, DIALLED, blocks=1, noise=NOISY):
        assert all(request.token_ns == tuple(sorted(request.token_ns)) for request in records_of(block))
        assert {len(request.token_ns) for request in records_of(block)} == {35}
