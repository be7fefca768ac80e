"""Studies judged: arms of one block against each other, what may be said of them, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import StudySummary, judge_study, log_estimate
from harness.judge.arms import arm_values
from harness.judge.ranking import Effect, Paired, joint_confidence, joint_effects, rank
from harness.judge.reloads import loading_ns
from harness.judge.validity import study_reasons
from harness.records import AgentRun, Block, HostLoad, ModelMemory, RequestRecord, Run
from harness.records.resources import Resources, ServerUse
from harness.records.session import FALLBACK
from harness.scenarios import InstrumentLimits
from harness.testing import build_agent_run, build_request, build_run, build_study_block

MS = 1_000_000
MIB = 2**20
WALLS = st.floats(1.0, 1e5)


def patterns(index: int = 1, shift: float = 1.0, **changed: float) -> Block:
    """Two agents in three patterns, with the durations that a test is about."""
    walls = {"dual": 1000.0, "single": 2000.0, "sequential": 2500.0} | changed
    return build_study_block({arm: {"A": shift * ms, "B": shift * ms} for arm, ms in walls.items()}, index=index)


def drifting(count: int, **changed: float) -> list[Block]:
    """Blocks of a machine that becomes slower, and whose arms scatter by 1 % around what they take."""
    return [
        patterns(i, 1.2**i, single=changed.get("single", 2000.0) * (1.01 if i % 2 else 0.99))
        for i in range(1, count + 1)
    ]


def controls(index: int, decode: float = 1500.0) -> Block:
    """A beside absent, idle, prefilling and decoding B; B likewise, undisturbed by anything."""
    kinds = {"absent": 1000.0, "idle": 1000.0 + index, "prefill": 1200.0, "decode": decode + index}
    arms = {
        f"{kind}:{role}": {role: ms if role == "A" else 1000.0 + index % 3}
        for role in "AB"
        for kind, ms in kinds.items()
    }
    behind = {f"{kind}:{role}": other for kind in ("prefill", "decode") for role, other in ("AB", "BA")}
    return build_study_block(arms, index=index, study="controls", background=behind)


def scaling(index: int, last: float = 2000.0) -> Block:
    """Four agents that two servers carry: two together lose nothing, four take twice as long."""
    roles = "ABCD"
    arms = {f"solo:{role}": {role: 1000.0 + index} for role in roles}
    arms |= {"together:2": dict.fromkeys("AB", 1000.0), "together:4": dict.fromkeys(roles, last)}
    return build_study_block(arms, index=index, study="scaling")


def own_cost(index: int, cost: float, study: str, without: str) -> Block:
    """Two agents together with and without a part of the instrument."""
    arms = {"solo:A": {"A": 1000.0}, "solo:B": {"B": 1000.0}}
    both = {"concurrent": 1100.0 + cost + index, without: 1100.0 + 2 * (index % 3)}
    return build_study_block(arms | {arm: {"A": ms, "B": ms} for arm, ms in both.items()}, index=index, study=study)


def mitigation(index: int) -> Block:
    """One remedy that helps, one that harms, one that does nothing."""
    arms = {"solo:A": {"A": 1000.0}, "solo:B": {"B": 1000.0}}
    walls = {
        "concurrent": 2000.0,
        "smaller_context": 1500.0 + index,
        "staggered": 2000.0 + 5 * (-1) ** index,
        "one_server": 2400.0 + index,
    }
    return build_study_block(
        arms | {arm: {"A": ms, "B": ms} for arm, ms in walls.items()}, index=index, study="mitigation:pair"
    )


def judged(blocks: list[Block], **others: object) -> StudySummary:
    """The blocks judged, whoever measured."""
    return judge_study(blocks[0].scenario, blocks, None, **others)  # type: ignore[arg-type]


def effects(study: StudySummary) -> dict[str, Effect]:
    """Effects by arm."""
    return {effect.arm: effect for effect in study.effects}


def test_the_figures_of_an_arm_are_those_of_its_agents() -> None:
    """Two agents of 10 tokens each in 2 s; the figures of a worked example."""
    agents = [
        build_agent_run("A", 1000, ttft_ms=100, load_ms=50),
        build_agent_run("B", 1900, wait_ms=100, ttft_ms=400),
    ]
    run = build_run("dual", agents)
    found = arm_values(replace(patterns(), runs=(run,)), run)
    assert found == pytest.approx(
        {
            "wall_s": 2.0,
            "aggregate_tok_s": 10.0,
            "ttft_ms": (150 * 400) ** 0.5,
            "end_to_end_ms": 1450.0,
            "wait_s": 0.05,
            "load_s": 0.05,
            "queue_s": 0.0,
        }
    )


def test_memory_is_that_of_the_servers_an_arm_uses() -> None:
    """Each model once, however many agents share its server; a server that idles beside them does not count."""
    block = build_study_block({"single": {"A": 1000, "B": 1000}}, shared=("single",))
    used, idle = "http://127.0.0.1:1", "http://127.0.0.1:2"
    memory = tuple(ModelMemory(url, "m", 10 * MIB, 4 * MIB) for url in (used, used, idle))
    resources = Resources(5, tuple(ServerUse(url, 1.0, 7 * MIB, 3 * MIB) for url in (used, idle)))
    found = arm_values(block, replace(block.runs[0], memory=memory, resources=resources))
    told = {name: found[name] / MIB for name in ("model_bytes", "model_vram_bytes", "rss_bytes", "gpu_memory_bytes")}
    assert told == {"model_bytes": 10, "model_vram_bytes": 4, "rss_bytes": 7, "gpu_memory_bytes": 3}


def test_memory_that_is_not_known_of_every_server_is_not_told() -> None:
    """Half a sum would make two servers as small as one."""
    block = build_study_block({"dual": {"A": 1000, "B": 1000}})
    memory = (ModelMemory("http://127.0.0.1:1", "m", MIB, 0),)
    uses = (ServerUse("http://127.0.0.1:1", 1.0, MIB), ServerUse("http://127.0.0.1:2", 1.0, None))
    found = arm_values(block, replace(block.runs[0], memory=memory, resources=Resources(5, uses)))
    assert not {"model_bytes", "rss_bytes", "gpu_memory_bytes"} & found.keys()


def test_a_figure_that_one_block_lacks_is_left_out() -> None:
    """A mean over some of the blocks is no figure of the study."""
    blocks = drifting(5)
    memory = tuple(ModelMemory(f"http://127.0.0.1:{port}", "m", MIB, 0) for port in (1, 2))
    whole = [replace(block, runs=tuple(replace(run, memory=memory) for run in block.runs)) for block in blocks]
    assert "model_bytes" in judged(whole).arms[0].estimates
    told = judged([*whole[:4], blocks[4]]).arms[1]
    assert "model_bytes" not in told.estimates.keys() | told.against.keys()
    assert "wall_s" in told.estimates


def test_a_drift_of_the_session_cancels_in_the_ratios() -> None:
    """Each block is slower than the one before, all of its arms alike: the ratio to the reference is sharp."""
    study = judged(drifting(6))
    single = study.arm("single")
    assert single is not None
    assert single.reference == "dual"
    wall, against = single.estimates["wall_s"], single.against["wall_s"]
    assert wall.low is not None
    assert against.low is not None
    assert against.high is not None
    assert wall.low < 0.7 * wall.point
    assert 1.97 < against.low < 2.0 < against.high < 2.03
    assert single.agents[0].against["service_s"] == against
    assert single.against["aggregate_tok_s"].point == pytest.approx(1 / against.point)


@settings(max_examples=30)
@given(st.lists(st.tuples(WALLS, WALLS), min_size=4, max_size=10), st.floats(0.1, 10.0))
def test_an_arm_that_takes_k_times_as_long_has_a_ratio_k_times_as_large(
    walls: list[tuple[float, float]], factor: float
) -> None:
    """Point and both ends, whatever the blocks."""

    def against(times: float) -> tuple[float, ...]:
        blocks = [patterns(i, dual=1000 + one, single=times * (1000 + two)) for i, (one, two) in enumerate(walls, 1)]
        single = judged(blocks).arm("single")
        assert single is not None
        found = single.against["wall_s"]
        return found.point, found.low or 0.0, found.high or 0.0

    assert against(factor) == pytest.approx([factor * each for each in against(1.0)], rel=1e-6)


def test_the_fastest_arm_wins_where_its_lead_was_shown() -> None:
    """With the time that the others take over its own."""
    ranking = judged(drifting(5)).ranking
    assert ranking is not None
    assert (ranking.fastest, ranking.winner, ranking.ties) == ("dual", "dual", ())
    assert list(ranking.ratios) == ["single", "sequential"]
    assert ranking.ratios["sequential"].point == pytest.approx(2.5)
    slow_first = rank({"slow": [3.0, 3.1, 3.2, 3.3], "fast": [1.0, 1.0, 1.0, 1.1], "middle": [2.0, 2.1, 2.2, 2.3]})
    assert (slow_first.winner, list(slow_first.ratios)) == ("fast", ["middle", "slow"])


def test_arms_that_cannot_be_told_apart_have_no_winner() -> None:
    """A lead of 0.1 % in a scatter of 1 % is a point estimate, not a finding."""
    ranking = judged(drifting(6, single=1001.0)).ranking
    assert ranking is not None
    assert (ranking.winner, ranking.ties) == (None, ("single",))
    equal = rank({"one": [1.0, 2.0, 3.0, 4.0], "other": [1.0, 2.0, 3.0, 4.0]})
    assert (equal.winner, equal.ties) == (None, ("other",))


def test_equal_arms_have_a_winner_no_more_often_than_the_error_rate() -> None:
    """Two arms, 300 sessions of t intervals and 300 of signed-rank ones; 5 % plus three standard errors at most."""
    random = np.random.default_rng(6)
    for blocks in (5, 10):
        wins = 0
        for _ in range(300):
            walls = np.exp(random.normal(0.0, 0.1, (2, blocks)))
            wins += rank({str(arm): list(values) for arm, values in enumerate(walls)}).winner is not None
        assert wins <= 26


def test_the_arm_that_is_truly_fastest_is_seldom_left_out() -> None:
    """It is the fastest or among its ties in at least 95 % of sessions, though it leads by little."""
    random = np.random.default_rng(7)
    missed = 0
    for _ in range(300):
        walls = np.exp(random.normal(0.0, 0.1, (4, 6)))
        walls[0] *= 0.98
        ranking = rank({str(arm): list(values) for arm, values in enumerate(walls)})
        missed += "0" not in {ranking.fastest, *ranking.ties}
    assert missed <= 26


@given(st.lists(st.lists(WALLS, min_size=9, max_size=9), min_size=2, max_size=4))
def test_the_fastest_arm_is_not_behind_any_other(walls: list[list[float]]) -> None:
    """Its paired ratio to each other arm is at most 1, unless the arms beat each other in a circle."""
    ranking = rank({str(arm): values for arm, values in enumerate(walls)})
    logs = [np.log(values) for values in walls]
    beaten = [
        arm
        for arm, one in enumerate(logs)
        if all(log_estimate(list(one - other)).point <= 1 for k, other in enumerate(logs) if k != arm)
    ]
    assert not beaten or int(ranking.fastest) in beaten
    assert len(ranking.ratios) == len(walls) - 1


def test_intervals_that_are_read_together_are_wider() -> None:
    """Five comparisons share one error rate of 5 %."""
    assert joint_confidence(1) == pytest.approx(0.95)
    assert joint_confidence(5) == pytest.approx(0.99)
    pair = Paired("single", "dual", None, "wall_s", [0.02, 0.05, 0.03, 0.06])
    (alone,) = joint_effects([pair])
    together = joint_effects([pair] * 10)[0]
    assert (alone.shown, together.shown) == ("more", "nothing")
    assert alone.estimate == log_estimate(pair.values)


def test_an_interval_that_nine_blocks_cannot_give_is_unbounded() -> None:
    """The most extreme of 512 signs is not rare enough for a confidence of 99.9 %."""
    found = log_estimate([0.1 * i for i in range(1, 10)], 0.999)
    assert (found.low, found.high) == (0.0, float("inf"))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_can_be_said_of_fewer_than_four_blocks(count: int) -> None:
    """Figures are there, but no ranking and no effects."""
    study = judged(drifting(count))
    assert study.unsaid == f"{count} block{'s' if count > 1 else ''}, it takes 4"
    assert (study.ranking, study.effects, study.blocks) == (None, (), count)
    assert study.arm("dual") is not None
    assert judged(drifting(4)).unsaid == ""


def test_nothing_can_be_said_if_most_blocks_are_invalid() -> None:
    """Four valid blocks of eight are a selection that something else made."""
    broken = [replace(patterns(i), error="the server died") for i in range(5, 9)]
    study = judged([*broken, *drifting(4)])
    assert study.unsaid == "4 of 8 blocks could be judged"
    assert study.invalid[5] == ("the server died",)
    assert judged([*broken[:3], *drifting(4)]).unsaid == ""


def test_a_study_that_died_while_it_warmed_up_tells_why() -> None:
    """The warm-up block's reasons are all there is; else that block counts for nothing."""
    warmup = replace(patterns(0), warmup=True)
    study = judged([replace(warmup, error="no memory")])
    assert (study.invalid, study.unsaid, study.arms) == ({0: ("no memory",)}, "0 of 1 blocks could be judged", ())
    assert judged([replace(warmup, error="no memory"), *drifting(4)]).invalid == {}
    assert judged([replace(patterns(0, 9.0), warmup=True), *drifting(4)]).arms == judged(drifting(4)).arms


def test_arms_are_told_in_the_studys_order_however_they_were_shuffled() -> None:
    """The reference comes first."""
    blocks = [replace(block, order=block.order[::-1], runs=block.runs[::-1]) for block in drifting(4)]
    assert [arm.arm for arm in judged(blocks).arms] == ["dual", "single", "sequential"]


def test_a_study_that_nobody_knows_is_told_without_a_reference() -> None:
    """A user's own arms are ranked all the same."""
    study = judge_study("mine", [replace(block, scenario="mine") for block in drifting(4)], None)
    assert study.title == "mine"
    assert [(arm.arm, arm.reference) for arm in study.arms] == [("dual", None), ("single", None), ("sequential", None)]
    assert study.ranking is not None
    assert study.ranking.winner == "dual"


def _with_agent(block: Block, arm: str, change: Mapping[str, object], background: bool = False) -> Block:
    """The block, with something changed in the first agent of an arm, or in its first one in the background."""

    def changed(agents: tuple[AgentRun, ...]) -> tuple[AgentRun, ...]:
        return (replace(agents[0], **change), *agents[1:])  # type: ignore[arg-type]

    def edited(run: Run) -> Run:
        if background:
            return replace(run, background=changed(run.background))
        return replace(run, agents=changed(run.agents))

    return replace(block, runs=tuple(edited(run) if run.arm == arm else run for run in block.runs))


def test_a_block_is_invalid_if_an_agent_of_any_arm_failed() -> None:
    """And says which, in which arm."""
    assert study_reasons(patterns()) == ()
    broken = _with_agent(patterns(), "single", {"error": "out of memory"})
    assert study_reasons(broken) == ("A in single: out of memory",)


def test_an_agent_in_the_background_may_be_cut_off_at_the_end_but_not_before() -> None:
    """One that ended early left its server idle: the arm does not show what its name says."""
    block = controls(1)
    assert study_reasons(block) == ()
    early = _with_agent(block, "decode:A", {"finished_ns": 1001 * MS, "error": "the server died"}, background=True)
    assert study_reasons(early) == (
        "B in decode:A was to keep its server busy, and ended 0.50 s before the others: the server died",
    )
    alone = replace(block, runs=tuple(replace(run, background=()) for run in block.runs))
    assert study_reasons(alone)[0] == "prefill:A: nobody kept the other servers busy"


def test_a_block_that_lacks_an_arm_of_the_others_is_invalid() -> None:
    """It would shift the figures of the arms that it has."""
    short = build_study_block({"dual": {"A": 1000, "B": 1000}}, index=5)
    study = judged([*drifting(4), short])
    assert study.invalid == {5: ("not run: single, sequential",)}


def test_the_arm_in_which_work_was_finished_after_a_failure_is_no_arm_of_the_study() -> None:
    """Such a block is invalid, and its arm is not missing in the others."""
    block = patterns(5)
    fallen = replace(block, order=(*block.order, FALLBACK), error="one agent at a time: the server died")
    study = judged([*drifting(4), fallen])
    assert study.invalid == {5: ("one agent at a time: the server died",)}
    assert [arm.arm for arm in study.arms] == ["dual", "single", "sequential"]


def test_a_study_whose_work_was_finished_one_agent_at_a_time_names_no_winner() -> None:
    """Its server died, however good the blocks before were; gone on with later, it may name one."""
    reason = "http://two died; A, B did the work one at a time on http://one"
    fallen = replace(patterns(5), error=reason, fallback=reason)
    blocks = drifting(4)
    study = judged([*blocks, fallen])
    assert (study.unsaid, study.ranking, study.effects, study.blocks) == (reason, None, (), 4)
    again = judged([*blocks, fallen, *(replace(block, index=block.index + 5) for block in blocks)])
    assert (again.unsaid, again.blocks) == ("", 8)
    assert again.ranking is not None


def test_a_study_that_was_given_up_names_no_winner() -> None:
    """Two failed blocks in a row end it: a server of one pattern may be dead, though the others go on."""
    dead = [replace(patterns(i), runs=patterns(i).runs[:2], error="http://3 does not answer") for i in (5, 6)]
    study = judged([*drifting(4), *dead])
    assert study.unsaid == "it was given up: http://3 does not answer"
    assert (study.ranking, study.effects) == (None, ())
    once = judged([*drifting(4), dead[0]])
    assert once.unsaid == ""


def test_a_disturbed_end_gives_nothing_up() -> None:
    """Blocks that were measured to their end and lie beside others' work are only left out."""
    crowd = HostLoad((0, 1), foreign_cores=1.0, idle_cores=0.0)
    noisy = [replace(patterns(i), runs=tuple(replace(r, host=crowd) for r in patterns(i).runs)) for i in (5, 6)]
    study = judge_study("patterns", [*drifting(4), *noisy], InstrumentLimits())
    assert [*study.invalid] == [5, 6]
    assert study.unsaid == ""


def test_a_study_without_a_block_says_that_nothing_was_measured() -> None:
    """None of its arms could be run here."""
    study = judge_study("controls", [], None, left_out={"A": "it shares its server"})
    assert (study.unsaid, study.arms) == ("nothing was measured", ())


def test_arms_that_generated_different_numbers_of_tokens_did_different_work() -> None:
    """Per role over all arms, whatever their names."""
    longer = build_agent_run("A", 2000, tokens=12).requests
    assert study_reasons(_with_agent(patterns(), "sequential", {"requests": longer})) == (
        "A generated [10] tokens in dual and [12] in sequential: the arms did different work "
        "(lower --num-predict, so that every answer reaches it)",
    )


def test_a_model_that_moved_is_seen_by_the_same_arm_of_an_earlier_block() -> None:
    """An arm's models are compared with those of the same arm: another arm may want them elsewhere."""
    url = "http://127.0.0.1:1"

    def placed(block: Block, arm: str, vram: int) -> Block:
        memory = (ModelMemory(url, "m", 100 * MIB, vram * MIB),)
        return replace(block, runs=tuple(replace(r, memory=memory) if r.arm == arm else r for r in block.runs))

    limits = InstrumentLimits()
    first = placed(placed(patterns(0), "dual", 100), "single", 40)
    before = {run.arm: run.memory for run in first.runs}
    same, moved = placed(patterns(1), "single", 40), placed(patterns(1), "dual", 60)
    assert study_reasons(same, limits, before) == ()
    (reason,) = study_reasons(moved, limits, before)
    assert reason.startswith("dual: m moved out of GPU memory on http://127.0.0.1:1: 60 of 100 MiB")
    assert study_reasons(moved, None, before) == ()
    assert [*judge_study("patterns", [first, moved], limits).invalid] == [1]
    early = replace(first, index=0, warmup=True, runs=first.runs[1:], error="it ended early")
    assert [*judge_study("patterns", [early, replace(first, index=1), replace(moved, index=2)], limits).invalid] == [2]


def test_controls_tell_what_each_kind_of_company_costs() -> None:
    """By agent: decode slows A by half, prefill by a fifth, and nothing slows B."""
    study = judged([controls(i) for i in range(1, 7)])
    found = effects(study)
    assert {arm: effect.shown for arm, effect in found.items()} == {
        "idle:A": "more",
        "prefill:A": "more",
        "decode:A": "more",
        "idle:B": "nothing",
        "prefill:B": "nothing",
        "decode:B": "nothing",
    }
    assert found["prefill:A"].estimate.point == pytest.approx(1.2)
    assert (found["decode:A"].against, found["decode:A"].role, found["decode:A"].metric) == (
        "absent:A",
        "A",
        "service_s",
    )
    assert study.ranking is None
    decode = study.arm("decode:A")
    assert decode is not None
    assert decode.agents[0].against["tpot_ms"].point == pytest.approx(1403.5 / 900, rel=1e-3)
    assert decode.agents[0].against["ttft_ms"].point == pytest.approx(1.0)


def test_scaling_tells_speedup_and_what_the_next_agents_gain() -> None:
    """Two of four agents lose nothing; the other two gain nothing."""
    study = judged([scaling(i, last=2000.0 + 5 * (-1) ** i) for i in range(1, 7)])
    four = study.arm("together:4")
    assert four is not None
    assert four.estimates["measured_speedup"].point == pytest.approx(2.0, rel=0.01)
    assert four.estimates["measured_efficiency_pct"].point == pytest.approx(50.0, rel=0.01)
    assert four.estimates["jain_index"].point == pytest.approx(1.0)
    assert [(each.arm, each.against, each.shown) for each in study.effects] == [
        ("together:2", None, "more"),
        ("together:4", "together:2", "nothing"),
    ]
    assert "measured_speedup" not in study.arms[0].estimates  # alone against itself
    assert study.ranking is None  # its arms do different amounts of work


@pytest.mark.parametrize(("together", "index"), [(4000.0, 1.25**2 / (2 * (1 + 1 / 16))), (1000.0, 1.0)])
def test_fairness_is_of_what_is_left_of_each_agents_own_pace(together: float, index: float) -> None:
    """A is as fast as alone; B at a quarter of its pace is unfair, and at its own it is not, though it ends sooner."""
    arms = {"solo:A": {"A": 2000.0}, "solo:B": {"B": 1000.0}, "concurrent": {"A": 2000.0, "B": together}}
    block = build_study_block(arms, study="sampling")
    assert arm_values(block, block.runs[2])["jain_index"] == pytest.approx(index)


@pytest.mark.parametrize(("name", "without"), [("sampling", "unsampled"), ("drawing", "undrawn")])
@pytest.mark.parametrize(("cost", "shown"), [(0.0, "nothing"), (30.0, "less")])
def test_the_instruments_own_cost_is_a_difference_of_efficiency(
    name: str, without: str, cost: float, shown: str
) -> None:
    """With the sampler, or the live terminal, less without it, in points, and whether its interval includes 0."""
    study = judged([own_cost(i, cost, name, without) for i in (-2, -1, 0, 1, 2, 3)])
    (effect,) = study.effects
    assert (effect.arm, effect.against, effect.metric, effect.shown) == (
        "concurrent",
        without,
        "measured_efficiency_pct",
        shown,
    )
    assert effect.estimate.method == "t interval"
    if cost:
        assert effect.estimate.point == pytest.approx(100 * (1 / 1.1305 - 1 / 1.1025), abs=0.2)


def test_a_ladder_tells_what_each_remedy_bought() -> None:
    """Against the scenario as it failed; those that could not be tried are listed with their reason."""
    study = judged([mitigation(i) for i in range(1, 7)], left_out={"more_gpu_layers": "no GPU"})
    assert {arm: effect.shown for arm, effect in effects(study).items()} == {
        "smaller_context": "less",
        "staggered": "nothing",
        "one_server": "more",
    }
    assert effects(study)["smaller_context"].estimate.point == pytest.approx(0.75, rel=0.01)
    assert study.left_out == {"more_gpu_layers": "no GPU"}
    assert study.ranking is not None
    assert study.ranking.winner == "smaller_context"
    assert study.ranking.ratios.keys() == {"concurrent", "staggered", "one_server"}  # no agent alone
    assert study.title == "what helps pair"


OPTIONS = {"A": {"num_ctx": 512.0, "temperature": 0.8}, "B": {"num_ctx": 1024.0, "temperature": 1.0}, "C": {}}


def _shared(index: int, load: float) -> Block:
    arms = {"dual": {"A": 1000.0, "B": 1000.0}, "single": {"A": 3000.0, "B": 3000.0}}
    return build_study_block(arms, index=index, load_ms={"dual": 5.0, "single": load + index}, shared=("single",))


def test_agents_with_different_options_on_one_server_show_the_reload_cost_by_name() -> None:
    """The options that differ, and the time that nobody was served; agents with servers of their own show none."""
    (found,) = judged([_shared(i, 800.0) for i in range(1, 6)], options=OPTIONS).reloads
    assert (found.arm, found.shown) == ("single", "more")
    assert found.agents == (("A", "num_ctx 512"), ("B", "num_ctx 1024"))
    assert found.loading_s.point == pytest.approx(0.803)
    assert found.more_s.point == pytest.approx(0.803 - 0.010)  # each of dual's two servers takes its 5 ms
    assert found.wall_s.point == pytest.approx(3.0)


def test_agents_that_can_share_a_loaded_model_show_no_reloads() -> None:
    """The temperature is not an option that a runner is started with."""
    same = {role: {"num_ctx": 512.0, "temperature": temperature} for role, temperature in (("A", 0.8), ("B", 1.0))}
    blocks = [_shared(i, 800.0) for i in range(1, 6)]
    assert judged(blocks, options=same).reloads == ()
    assert judged(blocks).reloads == ()
    default = judged(blocks, options={"A": {"num_ctx": 512.0}, "B": {}}).reloads[0]
    assert default.agents == (("A", "num_ctx 512"), ("B", "num_ctx by default"))


def _asked(sent: float, duration: float, load: float) -> RequestRecord:
    return build_request(sent_ms=sent, duration_ms=duration, load_ms=load)


@pytest.mark.parametrize(
    ("requests", "loading_ms"),
    [
        ([[_asked(0, 1000, 300)], [_asked(0, 1000, 300)]], 300),  # both wait for one load
        ([[_asked(0, 1000, 0)], [_asked(0, 2000, 1400)]], 400),  # one waits until the other was served, then loads
        ([[_asked(0, 500, 100), _asked(600, 500, 100)], [_asked(5000, 500, 100)]], 300),
    ],
)
def test_loading_is_the_time_in_which_somebody_waits_for_a_runner_and_nobody_is_served(
    requests: list[list[RequestRecord]], loading_ms: float
) -> None:
    """A request that waits for its turn while its server works for another one costs no loading."""
    agents = [
        replace(build_agent_run(role, 5500, requests=each), url="http://one")
        for role, each in zip("AB", requests, strict=True)
    ]
    assert loading_ns(build_run("single", agents)) == loading_ms * MS


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(200, 3000), st.floats(0, 1)), min_size=1, max_size=6))
def test_a_servers_loading_is_within_its_wall_and_its_requests_loads(asked: list[tuple[float, float, float]]) -> None:
    """Never more than the requests waited for, and never more than the wall time of one server."""
    requests = [_asked(sent, duration, share * (duration - 150)) for sent, duration, share in asked]
    run = build_run("single", [build_agent_run("A", 9000, requests=requests)])
    loads = sum(request.server.load_ns for request in requests if request.server)
    assert 0 <= loading_ns(run) <= min(loads, run.wall_ns)


def test_logs_of_ratios_are_paired_by_block() -> None:
    """The same walls in another order of blocks have the same mean ratio and another interval."""
    straight = rank({"one": [1.0, 2.0, 4.0, 8.0], "other": [1.1, 2.2, 4.4, 8.8]})
    crossed = rank({"one": [1.0, 2.0, 4.0, 8.0], "other": [8.8, 4.4, 2.2, 1.1]})
    assert straight.ratios["other"].point == pytest.approx(crossed.ratios["other"].point)
    assert (straight.winner, crossed.winner) == ("one", None)
    assert log(straight.ratios["other"].point) == pytest.approx(log(1.1))
