"""The judge's self-test: blocks with known contention and one without, judged as measured ones are."""

from __future__ import annotations

from collections.abc import Iterator

from harness.judge.summary import judge_scenario
from harness.records import AgentRun, Block, RequestRecord, Run
from harness.records.checklist import CheckItem
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import ContentionRules, Terms

CONTENTION = "contention detection works"
_SCENARIO = "self-test"
_ROLES = ("A", "B")
_TOKENS = 10
_TTFT_S = 0.1
_SERVICE_S = 1.0
_BEYOND = 1.1
"""A known symptom is this much beyond its limit."""
_WHOLE_PCT = 100.0


def self_test(rules: ContentionRules) -> tuple[str, ...]:
    """What the judge gets wrong about blocks whose contention is known, in words; () if it can be relied on.

    One block a rule has that symptom, and one block has none. A rule whose limit nothing can break (a throughput drop
    of 100 %) is not asked about.
    """
    wrong = []
    for rule, block in _contended(rules):
        fired = _fired(block, rules)
        if rule not in fired:
            wrong.append(f"a block with a known {rule} symptom shows {_named(fired)}")
    if calm := _fired(_block(), rules):
        wrong.append(f"a block in which nobody was disturbed shows {_named(calm)}")
    return tuple(wrong)


def contention_item(rules: ContentionRules) -> CheckItem:
    """The self-test as an item of a checklist."""
    wrong = self_test(rules)
    if wrong:
        advice = "set the rules so that they can tell (--contention-ttft-s, -throughput-pct, -efficiency-pct)"
        return CheckItem(CONTENTION, "failed", "; ".join(wrong), advice)
    return CheckItem(CONTENTION, "ok", "each rule fires on a block with its symptom, none on an undisturbed one")


def _contended(rules: ContentionRules) -> Iterator[tuple[str, Block]]:
    """Each rule that can fire, with a block in which it must."""
    late_s = rules.ttft_s * _BEYOND + 1.0
    yield "ttft", _block(ttft_s=_TTFT_S + late_s, service_s=_SERVICE_S + late_s)
    kept = 1.0 - rules.throughput_drop_pct / _WHOLE_PCT
    if kept > 0:
        yield "throughput", _block(service_s=_SERVICE_S / kept * _BEYOND)
    if rules.efficiency_pct > 0:  # nobody is slower, but one starts so late that the whole takes longer
        wall_s = max(_SERVICE_S, _SERVICE_S * _WHOLE_PCT / rules.efficiency_pct) * _BEYOND
        yield "efficiency", _block(late_s=wall_s - _SERVICE_S)


def _fired(block: Block, rules: ContentionRules) -> tuple[str, ...]:
    """The symptoms that the judge's own way from records to a summary finds in a block."""
    summary = judge_scenario(_SCENARIO, [block], Terms(contention=rules))
    return tuple(symptom.rule for found in summary.symptoms.values() for symptom in found)


def _named(rules: tuple[str, ...]) -> str:
    return f"the symptoms {', '.join(dict.fromkeys(rules))}" if rules else "none"


def _block(*, ttft_s: float = _TTFT_S, service_s: float = _SERVICE_S, late_s: float = 0.0) -> Block:
    """A block of two agents; together both are as given, and the last one is admitted ``late_s`` later."""
    runs = [Run(solo_arm(role), 0, _ns(_SERVICE_S), (_agent(role, _TTFT_S, _SERVICE_S),)) for role in _ROLES]
    first, last = (_agent(role, ttft_s, service_s, late) for role, late in zip(_ROLES, (0.0, late_s), strict=True))
    runs.append(Run(CONCURRENT, 0, last.finished_ns, (first, last)))
    return Block(_SCENARIO, 1, False, tuple(run.arm for run in runs), tuple(runs), deadline_s=service_s + late_s)


def _agent(role: str, ttft_s: float, service_s: float, late_s: float = 0.0) -> AgentRun:
    sent, first, end = _ns(late_s), _ns(late_s + ttft_s), _ns(late_s + service_s)
    request = RequestRecord(
        name="ask",
        nonce="",
        asked_ns=sent,
        sent_ns=sent,
        ended_ns=end,
        connected=False,
        token_ns=tuple(first + (end - first) * token // (_TOKENS - 1) for token in range(_TOKENS)),
        token_chunk=tuple(range(_TOKENS)),
        text="x" * _TOKENS,
        done_reason="length",
        server=None,
        error=None,
    )
    return AgentRun(role, "", 0, sent, end, (request,))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
