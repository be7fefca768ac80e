"""The judge's self-test: it passes here, and each way to break the judge makes it fail."""

from __future__ import annotations

import dataclasses

import pytest

from harness.judge import self_test as module
from harness.judge import summary
from harness.judge.contention import Symptom, symptoms
from harness.judge.figures import BlockFigures
from harness.judge.self_test import CONTENTION, contention_item, self_test
from harness.judge.validity import invalid_reasons
from harness.scenarios import ContentionRules

USUAL = ContentionRules()


@pytest.mark.parametrize(
    "rules",
    [
        USUAL,
        ContentionRules(ttft_s=0, throughput_drop_pct=0, efficiency_pct=100),
        ContentionRules(ttft_s=600, throughput_drop_pct=99.9, efficiency_pct=1),
        ContentionRules(ttft_s=1e9, throughput_drop_pct=100, efficiency_pct=0),
    ],
)
def test_the_judge_tells_known_contention_from_none(rules: ContentionRules) -> None:
    """By the usual rules, the strictest, and the laxest, two of which nothing can break."""
    assert self_test(rules) == ()


@pytest.mark.parametrize("rule", ["ttft", "throughput", "efficiency"])
def test_a_rule_that_does_not_fire_is_found(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that overlooks one symptom is not relied on, though the others may fire on the same block."""

    def blind(block: BlockFigures, rules: ContentionRules) -> tuple[Symptom, ...]:
        return tuple(symptom for symptom in symptoms(block, rules) if symptom.rule != rule)

    monkeypatch.setattr(summary, "symptoms", blind)
    (wrong,) = self_test(USUAL)
    assert wrong.startswith(f"a block with a known {rule} symptom shows ")


def test_a_judge_that_always_sees_contention_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeing it everywhere is no detection."""
    monkeypatch.setattr(summary, "symptoms", lambda _block, rules: (Symptom("ttft", "A", 1.0, rules.ttft_s),))
    assert "a block in which nobody was disturbed shows the symptoms ttft" in self_test(USUAL)


def test_a_judge_that_sees_nothing_is_found_by_every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three known symptoms, three complaints."""
    monkeypatch.setattr(summary, "symptoms", lambda _block, _rules: ())
    assert [line.rpartition(" shows ")[2] for line in self_test(USUAL)] == ["none"] * 3


def test_rules_that_call_everything_contention_fail_the_item() -> None:
    """An efficiency of 120 % is kept by nobody; the item says what fired and what to change."""
    item = contention_item(dataclasses.replace(USUAL, efficiency_pct=120))
    assert (item.name, item.status) == (CONTENTION, "failed")
    assert item.found == "a block in which nobody was disturbed shows the symptoms efficiency"
    assert "--contention-ttft-s" in item.advice
    assert contention_item(USUAL).status == "ok"


def test_the_known_blocks_are_valid_ones() -> None:
    """The judge judges them, rather than calling them invalid."""
    blocks = [block for _rule, block in module._contended(USUAL)]
    assert len(blocks) == 3
    assert [invalid_reasons(block) for block in [*blocks, module._block()]] == [()] * 4
