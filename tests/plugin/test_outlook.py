"""How far a session has come: what a scene says of a block, and how much is still to be measured."""

from __future__ import annotations

from dataclasses import replace

from harness.plugin.outlook import Outlook
from harness.records import Block
from harness.records.session import BASE, CANDIDATE, Side
from harness.testing import build_block
from tests.plugin.made_up import Opener, settings_of


def _block(scenario: str, index: int, side: Side = CANDIDATE) -> Block:
    return replace(build_block(index=index, scenario=scenario, warmup=index == 0), side=side)


def _seconds(outlook: Outlook, *blocks: Block) -> float:
    """The time that is left after the last of them; built blocks take a second."""
    left = None
    for block in blocks:
        left = outlook.after(block)
    assert left is not None
    return left.seconds


def test_what_is_left_are_all_blocks_that_may_come() -> None:
    """The rest of this scenario, and the next ones with their warm-ups; what is over is over, however few it took."""
    outlook = Outlook(settings_of(runs="3", scenario=["chimera_homo", "chimera_hetero", "sampling"]))
    assert _seconds(outlook, _block("chimera_homo", 0)) == 3 + 4 + 4
    assert _seconds(outlook, _block("chimera_homo", 1)) == 2 + 4 + 4
    assert _seconds(outlook, _block("chimera_hetero", 0)) == 3 + 4
    assert _seconds(outlook, _block("sampling", 3)) == 0


def test_with_a_base_there_are_two_of_each() -> None:
    """The second of a pair is still to come after the first."""
    outlook = Outlook(settings_of(runs="3", scenario=["chimera_homo"], base_server="embedded"))
    assert _seconds(outlook, _block("chimera_homo", 0)) == 7
    assert _seconds(outlook, _block("chimera_homo", 0, BASE)) == 6
    assert _seconds(outlook, _block("chimera_homo", 1, BASE)) == 5


def test_a_sweep_comes_back_to_its_cells() -> None:
    """A cell with blocks to come is not over because another one is measured."""
    settings = settings_of(sweep=["chimera_homo:num_ctx=512,1024"], runs="2", passes="2")
    one, two = (scenario.name for scenario in settings.scenarios)
    outlook = Outlook(settings)
    assert _seconds(outlook, _block(one, 0), _block(one, 1), _block(two, 0)) == 1 + 2


def test_of_what_nobody_planned_nothing_is_known() -> None:
    """Remedies for a scenario that failed are tried after it; nothing is left then that anybody could tell."""
    outlook = Outlook(settings_of(runs="3", scenario=["chimera_homo"]))
    assert _seconds(outlook, _block("mitigation:chimera_homo", 1)) == 0


def test_a_scene_says_which_block_of_what_it_is(opener: Opener) -> None:
    """Its step among all, how many there may be, and the arms that it has."""
    settings = settings_of(max_runs="5", scenario=["chimera_homo", "sampling"])
    perf = opener(settings).perf
    outlook = Outlook(settings)
    found = outlook.of(perf.plans["chimera_homo"], 2)
    assert (found["title"], found["step"], found["unit"], found["side"]) == ("chimera_homo", "1 of 2", "block", "")
    assert (found["index"], found["runs"], found["at_most"], found["arms"]) == (2, 5, True, 3)
    study = outlook.of(perf.studies["sampling"][0], 9)
    assert (study["step"], study["at_most"], study["runs"], study["arms"]) == ("2 of 2", False, 9, 4)


def test_a_scene_with_a_base_names_the_side(opener: Opener) -> None:
    """Pairs are counted, and the only scenario is no step."""
    settings = settings_of(runs="5", scenario=["chimera_homo"], base_server="embedded")
    plan = opener(settings).perf.plans["chimera_homo"]
    found = Outlook(settings).of(replace(plan, side=BASE), 1)
    assert (found["step"], found["unit"], found["side"], found["at_most"]) == ("", "pair", "base", False)
