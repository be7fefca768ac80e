"""Rounds of a watch: which symptoms fire, on what evidence, since when and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.watch import Fired, JudgedRound, RoundJudge
from harness.records import HostLoad
from harness.records.watch import GpuLook, TreeLook, WatchRound
from harness.scenarios import ContentionRules
from harness.scenarios.watching import SYMPTOMS, WatchRules
from tests.judge.watch_rounds import MODEL, NOW_NS, URLS, A, B, a_round, judge_all, look, probe, rules_of

RULES = WatchRules()
CONTENTION = {"ttft", "throughput", "efficiency"}
CALM, SLOW = 1000.0, 2000.0


def _judged(rounds: Sequence[WatchRound]) -> list[JudgedRound]:
    return judge_all(RoundJudge(RULES), rounds)


def _after(calm: int, *rounds: WatchRound) -> list[JudgedRound]:
    """The last rounds, after so many in which nothing was the matter."""
    return _judged([*(a_round(i) for i in range(1, calm + 1)), *rounds])[calm:]


def test_an_undisturbed_pair_shows_nothing() -> None:
    """However long it is watched; and what is known of it is compared."""
    judged = _judged([a_round(i) for i in range(1, 50)])
    assert [each.fired for each in judged] == [()] * 49
    assert judged[-1].unsaid is None
    assert {each.rule for each in judged[-1].comparisons} == CONTENTION


def test_a_reference_needs_six_rounds_alone() -> None:
    """Before that nothing is said of contention, and why is told."""
    judged = _judged([a_round(i, together_ms=SLOW) for i in range(1, 7)])
    assert [bool(each.comparisons) for each in judged] == [False] * 5 + [True]
    assert judged[0].unsaid == "the solo reference has 1 of 6 rounds"
    assert rules_of(judged[5]) == {"throughput", "efficiency"}


def test_contention_fires_when_five_rounds_are_beyond_and_ends_when_most_are_not() -> None:
    """One or four slow rounds are no symptom; a symptom outlasts two good ones, and not three."""
    slow = [a_round(i, together_ms=SLOW) for i in range(11, 16)]
    good = [a_round(i) for i in range(16, 20)]
    judged = _after(10, *slow, *good)
    assert [bool(each.fired) for each in judged] == [False] * 4 + [True] * 3 + [False] * 2
    assert {each.since_ns for fired in judged[4:7] for each in fired.fired} == {slow[4].ended_ns}


def test_each_rule_names_its_server_its_figure_and_its_limit() -> None:
    """One slow server of two: throughput there, and the efficiency of both."""
    last = _after(10, *(a_round(i, together_ms={A: CALM, B: SLOW}) for i in range(11, 16)))[-1]
    assert last.fired == (
        Fired("throughput", B, last.made.ended_ns, 50.0, 20.0),
        Fired("efficiency", None, last.made.ended_ns, 50.0, 80.0),
    )


def test_a_ttft_of_more_than_ten_seconds_over_alone() -> None:
    """Its own rule, for which 10 s exactly are not enough."""
    late = _after(10, *(a_round(i, late_ms=10_500) for i in range(11, 16)))[-1]
    over = {each.url: each.value for each in late.fired if each.rule == "ttft"}
    assert over == {A: 10.5, B: 10.5}
    on_it = _after(10, *(a_round(i, late_ms=10_000) for i in range(11, 16)))[-1]
    assert "ttft" not in rules_of(on_it)


def test_a_probe_that_was_cut_off_counts_as_far_as_it_is_known() -> None:
    """No token within 30 s is a TTFT of at least that; and the probe failed."""
    made = [a_round(i) for i in range(11, 16)]
    cut = [probe(url, alone=False, ms=30_000, error="no end", late=True) for url in URLS]
    last = _after(10, *(replace(each, probes=(*each.probes[:2], *cut)) for each in made))[-1]
    assert rules_of(last) == CONTENTION | {"failing"}


def test_unequal_servers_are_compared_with_the_best_they_can_do() -> None:
    """One takes ten times as long alone: together as alone is an efficiency of 100 %, not of 55 %."""
    rounds = []
    for index in range(1, 12):
        made = a_round(index, together_ms={A: 100.0, B: CALM})
        alone = (probe(A, alone=True, ms=100, ttft_ms=10), probe(B, alone=True, ms=CALM))
        together = (probe(A, alone=False, ms=100, ttft_ms=10), probe(B, alone=False, ms=CALM))
        rounds.append(replace(made, probes=(*alone, *together)))
    last = _judged(rounds)[-1]
    assert last.fired == ()
    assert last.comparisons[-1].value == pytest.approx(100.0)


def test_a_reference_moves_with_its_window() -> None:
    """What became slow alone too is no contention once the window has seen it for long enough; it is not stale."""
    slow = [a_round(i, alone_ms=SLOW, together_ms=SLOW) for i in range(31, 80)]
    judged = _after(30, *slow)
    assert "throughput" in rules_of(judged[4])
    assert judged[-1].fired == ()
    reference = judged[-1].servers[0].reference
    assert reference is not None
    assert reference.oldest == 79 - RULES.window + 1


def test_rounds_that_others_disturb_are_not_alone() -> None:
    """They are left out of the reference, and contention is still told against what alone was before."""
    loaded = [a_round(i, alone_ms=SLOW, together_ms=SLOW, used=[B]) for i in range(11, 16)]
    judged = _after(10, *loaded)
    assert rules_of(judged[-1]) == {"throughput", "efficiency"}
    assert judged[-1].servers[1].others == ("its expiry has moved since the round before",)
    assert judged[-1].servers[0].clean == 10
    never = _judged([replace(each, index=each.index - 10) for each in loaded])[-1]
    assert never.fired == ()
    assert never.unsaid == "the solo reference has 0 of 6 rounds: others use the servers, and alone is not alone"


def test_a_probe_alone_that_waits_was_not_alone() -> None:
    """A wait of 0.2 s for a slot shows somebody else; together it may be contention, and shows nobody."""
    made = a_round(11)
    waits = probe(A, alone=True, queue_ms=200)
    assert _after(10, replace(made, probes=(waits, *made.probes[1:])))[0].servers[0].others == (
        "a probe alone waited 0.20 s for a slot",
    )
    assert _after(10, a_round(11, queue_ms=200))[0].servers[0].others == ()


@pytest.mark.parametrize(("cpu_s", "others"), [(0.1, ()), (1.0, ("0.50 cores busy between the rounds",))])
def test_work_between_the_rounds_is_somebody_elses(cpu_s: float, others: tuple[str, ...]) -> None:
    """By the CPU time that its processes used from the end of one round to the start of the next, 2 s."""

    def with_tree(made: WatchRound, before_s: float, after_s: float) -> WatchRound:
        before = tuple(replace(each, tree=TreeLook(before_s, 1, (1,))) for each in made.before)
        after = tuple(replace(each, at_ns=made.ended_ns, tree=TreeLook(after_s, 1, (1,))) for each in made.after)
        return replace(made, before=before, after=after)

    last = _judged([with_tree(a_round(1), 0.0, 5.0), with_tree(a_round(2), 5.0 + cpu_s, 10.0)])[-1]
    assert [each.others for each in last.servers] == [others, others]
    assert last.servers[0].cores == pytest.approx((5.0 + cpu_s) / 5)


@pytest.mark.parametrize(
    ("foreign", "idle", "others"),
    [(1.4, 0.3, ("other processes keep 1.4 of 2 CPUs busy here",)), (0.4, 0.5, ()), (0.05, 0.0, ()), (None, 0.0, ())],
)
def test_a_host_that_others_fill_is_not_ours_alone(foreign: float | None, idle: float, others: tuple[str, ...]) -> None:
    """From a tenth of a core on, and only while less than that stands idle."""
    made = replace(a_round(1), host=HostLoad((0, 1), foreign, idle))
    judged = _judged([made])[-1]
    assert judged.servers[0].others == others
    assert judged.servers[0].clean == (0 if others else 1)


def test_a_gpu_that_is_busy_between_the_rounds_is_somebody_elses() -> None:
    """On this host nobody is alone then; while the driver may still tell of our own probes it says nothing."""
    busy = replace(a_round(2), gpus=(GpuLook("GPU-1", "a GPU", utilization_pct=70),))
    assert _judged([a_round(1), busy])[-1].servers[0].others == ("a GPU was 70 % busy between the rounds",)
    soon = replace(busy, started_ns=a_round(1).ended_ns + 10**9)
    assert _judged([a_round(1), soon])[-1].servers[0].others == ()


def test_a_wait_for_a_slot_is_a_symptom_from_a_second_on() -> None:
    """With the wait as its figure."""
    last = _after(1, a_round(2, queue_ms=1500))[-1]
    assert [(each.url, each.value) for each in last.fired if each.rule == "queue"] == [(A, 1.5), (B, 1.5)]
    assert _after(1, a_round(2, queue_ms=900))[-1].fired == ()


def test_a_server_that_does_not_answer_is_down_since_it_was_seen_so() -> None:
    """Until it answers again; and since when it is up is told too."""
    judged = _after(1, a_round(2, down=[B]), a_round(3, down=[B]), a_round(4))
    assert [rules_of(each) for each in judged] == [{"down"}, {"down"}, set()]
    assert judged[1].fired[0].since_ns == judged[0].made.ended_ns
    assert [each.servers[1].since_ns for each in judged] == [
        judged[0].made.before[1].at_ns,
        judged[0].made.before[1].at_ns,
        judged[2].made.before[1].at_ns,
    ]


def test_a_model_that_goes_before_its_time_was_evicted() -> None:
    """Until it is back; one whose time was over has expired, and that is no symptom."""
    gone = _after(1, a_round(2, models=()), a_round(3))
    assert [rules_of(each) for each in gone] == [{"evicted"}, set()]
    assert gone[0].fired[0].subject == MODEL.name
    over = replace(MODEL, expires_ns=NOW_NS + 9 * 10**9)
    judged = _judged([a_round(1, models=[over]), a_round(2, models=()), a_round(3, models=())])
    assert [each.fired for each in judged] == [(), (), ()]


def test_a_model_that_leaves_gpu_memory_has_spilled() -> None:
    """By its share of what it had there; loaded anew with another context it owes nothing."""
    half = replace(MODEL, size_vram=50)
    last = _after(1, a_round(2, models=[half]))[-1]
    assert [(each.rule, each.value) for each in last.fired] == [("spilled", 50.0)] * 2
    other = replace(half, context_length=512)
    assert _after(1, a_round(2, models=[other]))[-1].fired == ()


def test_a_failed_probe_is_a_symptom_and_no_comparison() -> None:
    """Its round says nothing of contention, which ends a contention symptom: it has no evidence any more."""
    made = a_round(16)
    broken = probe(B, alone=False, error="HTTP 500")
    slow = [a_round(i, together_ms=SLOW) for i in range(11, 16)]
    last = _after(10, *slow, replace(made, probes=(*made.probes[:3], broken)))[-1]
    assert rules_of(last) == {"failing"}
    assert last.fired[0].subject == "HTTP 500"
    assert last.unsaid == "a probe together failed"


def test_one_server_has_nobody_to_contend_with() -> None:
    """And that is said."""
    made = a_round(1)
    lonely = replace(made, before=made.before[:1], probes=(probe(A, alone=True),))
    assert _judged([lonely])[0].unsaid == "1 of 1 servers can be probed, and contention takes two"


def test_a_model_that_is_loaded_otherwise_begins_anew() -> None:
    """Its old probes are no reference for it."""
    made = a_round(11)
    changed = tuple(replace(each, target=each.target._replace(context_length=512)) for each in made.probes)
    last = _after(10, replace(made, probes=changed))[-1]
    assert last.unsaid == "the solo reference has 1 of 6 rounds"


def test_a_reference_that_scatters_speaks_against_a_symptom() -> None:
    """Alone between 1 and 2 s: 1.9 s together is 26 % below the median, and within what alone takes at times."""
    alone = (2000.0, 1400.0, 1000.0)
    last = _judged([a_round(i, alone_ms=alone[i % 3], together_ms=1900) for i in range(1, 15)])[-1]
    drops = [each for each in last.comparisons if each.rule == "throughput"]
    assert all(each.value > each.limit for each in drops)
    assert not last.fired


def test_a_model_that_comes_back_is_compared_with_what_it_did() -> None:
    """Its reference is still in the window, and what was together before it went is not counted on."""
    made = a_round(11)
    other = tuple(replace(each, target=each.target._replace(context_length=512)) for each in made.probes)
    last = _after(10, replace(made, probes=other), a_round(12))[-1]
    assert {len(each.beyond) for each in last.comparisons} == {1}


def test_a_hold_is_counted_from_the_first_round_without_a_break() -> None:
    """Rounds end every 5 s: seen in two of them is 5 s, and a round without it begins again at nothing."""
    down = {2, 3, 5, 6, 7}
    judged = _judged([a_round(i, down=[A] if i in down else []) for i in range(1, 9)])
    held = {each.made.index for each in judged if each.held(5.0) is not None}
    assert held == {3, 6, 7}
    assert {each.made.index for each in judged if each.held(10.0)} == {7}
    assert {each.made.index for each in judged if each.held(0.0)} == down
    assert all(each.held(0.0, ignored=["down"]) is None for each in judged)


SEEN = st.lists(st.sampled_from(["calm", "slow", "down", "gone", "queue"]), min_size=1, max_size=40)


def _seen(index: int, what: str) -> WatchRound:
    return {
        "calm": a_round(index),
        "slow": a_round(index, together_ms=SLOW),
        "down": a_round(index, down=[B]),
        "gone": a_round(index, models=()),
        "queue": a_round(index, queue_ms=1500),
    }[what]


@given(SEEN)
def test_a_symptom_holds_exactly_as_long_as_it_fired_without_a_break(seen: list[str]) -> None:
    """Whatever is seen: since when is the first round of the unbroken run, and the heaviest comes first."""
    judged = _judged([_seen(index, what) for index, what in enumerate(seen, start=1)])
    runs: dict[tuple[str, str | None], int] = {}
    for each in judged:
        keys = {(fired.rule, fired.url) for fired in each.fired}
        runs = {key: runs.get(key, each.made.ended_ns) for key in keys}
        assert {(fired.rule, fired.url): fired.since_ns for fired in each.fired} == runs
        weights = [SYMPTOMS.index(fired.rule) for fired in each.fired]
        assert weights == sorted(weights)
        for fired in each.fired:
            held_s = (each.made.ended_ns - fired.since_ns) / 1e9
            found = each.held(held_s)
            assert found is not None
            assert found.since_ns <= fired.since_ns


@given(SEEN)
def test_what_a_round_shows_fires_in_that_round_and_no_other(seen: list[str]) -> None:
    """Down, queue: on the evidence of the round alone. Contention: only where this round was compared."""
    for what, each in zip(seen, _judged([_seen(i, what) for i, what in enumerate(seen, start=1)]), strict=True):
        assert ("down" in rules_of(each)) == (what == "down")
        assert ("queue" in rules_of(each)) == (what == "queue")
        assert each.comparisons or not rules_of(each) & CONTENTION


@given(st.floats(0.5, 1.25), st.integers(1, 40))
def test_nothing_fires_within_the_limits(factor: float, rounds: int) -> None:
    """Probes together that take up to 1.25 times as long are neither 20 % slower nor below 80 %."""
    rules = WatchRules(ContentionRules())
    judged = judge_all(RoundJudge(rules), [a_round(i, together_ms=1000 * factor) for i in range(1, rounds)])
    assert all(each.fired == () for each in judged)


def test_the_share_of_time_in_probes_is_told() -> None:
    """1 s in each round, which are 5 s apart and end after 3 s."""
    assert _judged([a_round(1)])[-1].share == pytest.approx(1 / 3)
    assert _judged([a_round(i) for i in (1, 2)])[-1].share == pytest.approx(2 / 8)


def test_looks_keep_the_order_of_the_command_line() -> None:
    """Each server once."""
    made = replace(a_round(1), before=(look(B), look(A)))
    assert [each.look.url for each in _judged([made])[0].servers] == [B, A]
