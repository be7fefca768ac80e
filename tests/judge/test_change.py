"""A candidate against the base of the same session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge import COMPARED, BlockFigures, Verdict, block_figures, judge_scenario
from harness.judge.change import judge_change
from harness.judge.sequential import Design
from harness.records import Block
from harness.records.session import BASE
from harness.scenarios import ChangeRules, Stopping, Terms
from harness.testing import build_block

RULES = ChangeRules(tuple(COMPARED))
SEQUENTIAL = Design(max_runs=30, fixed=False, alpha_fail=0.01, alpha_pass=0.05)
SCATTER = (1.0, 1.004, 0.997, 1.002, 0.995, 1.003, 0.999, 1.001, 0.998, 1.005)


def _figures(wall: float, solo: float = 1000.0) -> BlockFigures:
    return block_figures(build_block({"A": solo, "B": solo}, {"A": wall, "B": wall}))


def _pairs(change: float, count: int = 10) -> list[tuple[BlockFigures, BlockFigures]]:
    return [(_figures(1500 * change * SCATTER[i]), _figures(1500 * SCATTER[-i - 1])) for i in range(count)]


@pytest.mark.parametrize(
    ("change", "verdict"),
    [(1.0, Verdict.PASS), (0.97, Verdict.PASS), (1.06, Verdict.FAIL), (1.1, Verdict.FAIL)],
)
def test_a_slower_candidate_fails_and_an_equal_or_faster_one_passes(change: float, verdict: Verdict) -> None:
    """With a scatter of 0.4 % a pair, a change of 6 % is found, and none is invented."""
    found = judge_change("concurrent_wall_s", _pairs(change), RULES, SEQUENTIAL)
    assert found.verdict is verdict
    assert found.decided_at == 4
    assert found.ratio.point == pytest.approx(change, rel=0.01)


@pytest.mark.parametrize("metric", COMPARED)
@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_every_metric_knows_what_is_worse(metric: str, verdict: Verdict) -> None:
    """A candidate twice as slow together is worse in each of them, and one twice as fast is better."""
    slow = verdict is Verdict.FAIL
    pairs = [
        (
            block_figures(build_block(None, {"A": wall, "B": wall}, concurrent_ttft_ms=wall / 10)),
            block_figures(build_block(None, {"A": 1200.0, "B": 1200.0}, concurrent_ttft_ms=120.0)),
        )
        for wall in ([2400.0, 2410.0, 2390.0, 2405.0] if slow else [600.0, 605.0, 595.0, 601.0])
    ]
    assert judge_change(metric, pairs, RULES, SEQUENTIAL).verdict is verdict


def test_a_change_between_noise_and_limit_is_not_five_percent() -> None:
    """3 % worse: PASS claims no more than that it is not 5 % worse, and the interval says what it is."""
    found = judge_change("concurrent_wall_s", _pairs(1.03), RULES, SEQUENTIAL)
    assert found.verdict is Verdict.PASS
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assert 1.01 < found.ratio.low < found.ratio.high < 1.05


def test_a_change_within_the_noise_is_no_regression() -> None:
    """0.5 % worse, shown beyond doubt, is not the 1 % that fails; with no noise allowed it is red."""
    pairs = [(_figures(1507.5 + 0.01 * i), _figures(1500 + 0.01 * i)) for i in range(10)]
    assert judge_change("concurrent_wall_s", pairs, RULES, SEQUENTIAL).verdict is Verdict.PASS
    strict = replace(RULES, noise_pct=0.0)
    assert judge_change("concurrent_wall_s", pairs, strict, SEQUENTIAL).verdict is Verdict.FAIL


def test_scatter_leaves_it_open_and_says_what_would_have_been_found() -> None:
    """Pairs that differ by 20 % either way show nothing at 5 %: INCONCLUSIVE, with an MDE above 5 %."""
    pairs = [(_figures(1500 * (1.2 if i % 2 else 0.83)), _figures(1500)) for i in range(10)]
    found = judge_change("concurrent_wall_s", pairs, RULES, SEQUENTIAL)
    assert (found.verdict, found.decided_at) == (Verdict.INCONCLUSIVE, None)
    assert found.mde_pct is not None
    assert found.mde_pct > 5


def test_an_absurd_improvement_is_flagged_and_a_plausible_one_is_not() -> None:
    """More than 20 % better, beyond doubt."""
    assert judge_change("concurrent_wall_s", _pairs(0.5), RULES, SEQUENTIAL).too_good
    assert not judge_change("concurrent_wall_s", _pairs(0.85), RULES, SEQUENTIAL).too_good


@given(st.floats(0.2, 5))
def test_a_shift_of_the_whole_session_changes_nothing(shift: float) -> None:
    """A host that is twice as slow today is so for base and candidate."""
    pairs = [(_figures(w, 1000 * shift), _figures(b, 1000 * shift)) for w, b in [(1500 * shift, 1510 * shift)] * 4]
    plain = [(_figures(1500.0), _figures(1510.0))] * 4
    for metric in COMPARED:
        one, other = (judge_change(metric, each, RULES, SEQUENTIAL) for each in (pairs, plain))
        assert one.ratio.point == pytest.approx(other.ratio.point, rel=1e-3)


def _session(change: float, count: int = 6) -> list[Block]:
    blocks = []
    for index in range(1, count + 1):
        for side, wall in ((None, 1100 * change * SCATTER[index]), (BASE, 1100 * SCATTER[-index])):
            block = build_block(None, {"A": wall, "B": wall}, index=index)
            blocks.append(block if side is None else replace(block, side=BASE))
    return blocks


TERMS = Terms(stopping=Stopping(30), change=ChangeRules(("concurrent_wall_s",)))


def test_a_scenario_is_judged_by_its_pairs() -> None:
    """Worse by 10 %: FAIL though no limit was set; its own figures are the candidate's."""
    summary = judge_scenario("pair", _session(1.1), TERMS)
    assert summary.verdict is Verdict.FAIL
    assert (len(summary.blocks), len(summary.base)) == (6, 6)
    assert summary.estimates["concurrent_wall_s"].point == pytest.approx(1.21, rel=0.01)
    assert judge_scenario("pair", _session(1.0), TERMS).verdict is Verdict.PASS


def test_a_pair_is_valid_only_if_both_its_blocks_are() -> None:
    """A block of the base that failed takes its candidate's with it, and the reason says whose it was."""
    blocks = _session(1.0)
    blocks[3] = replace(blocks[3], error="the server died")
    del blocks[5]
    summary = judge_scenario("pair", blocks, TERMS)
    assert summary.invalid == {2: ("base: the server died",), 3: ("base: not measured",)}
    assert [block.index for block in summary.blocks] == [block.index for block in summary.base] == [1, 4, 5, 6]
    assert summary.changes[0].ratio.n == 4


def test_the_order_of_the_sides_does_not_matter() -> None:
    """Base first or candidate first: the same verdict and figures."""
    blocks = _session(1.1)
    turned = [blocks[i ^ 1] for i in range(len(blocks))]
    assert judge_scenario("pair", turned, TERMS) == judge_scenario("pair", blocks, TERMS)


def test_more_pairs_are_wanted_until_every_change_is_decided() -> None:
    """Three pairs never decide; an open change asks for more, a decided one does not."""
    assert judge_scenario("pair", _session(1.1, count=3), TERMS).undecided
    assert not judge_scenario("pair", _session(1.1), TERMS).undecided
    # about 5 % worse: neither shown to be more than noise nor to be less than 5 %
    open_terms = replace(TERMS, change=ChangeRules(("concurrent_wall_s",), worse_pct=3.0, noise_pct=2.5))
    assert judge_scenario("pair", _session(1.0275, count=4), open_terms).undecided
