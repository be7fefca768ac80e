"""What the terminal is told of a session's plan and of its end."""

from __future__ import annotations

import asyncio

from harness.plugin.telling import closing_lines, plan_lines, undecided_line
from harness.report.presets import SettingSource
from harness.testing import build_block
from tests.plugin.made_up import Opened, Opener, settings_of

HOMO = "chimera_homo"


def measured(opener: Opener, **given: object) -> Opened:
    """An open session that has measured all that it was to."""
    opened = opener(settings_of(runs="4", **given))

    async def all_of_it() -> None:
        for name in opened.perf.plans:
            await opened.perf.measure(name)

    asyncio.run(all_of_it())
    return opened


def test_the_plan_says_what_is_measured_how_often_and_with_which_seed() -> None:
    """Exactly so many blocks, or at most; pairs with a base."""
    servers = "servers: embedded (--server embedded); model embedded"
    assert plan_lines(settings_of(scenario=[HOMO], runs="4"), ()) == [
        servers,
        "plan: chimera_homo; 4 blocks each after a warm-up; seed 7",
    ]
    (_, until) = plan_lines(settings_of(scenario=[HOMO], max_runs="9"), ())
    assert until == "plan: chimera_homo; at most 9 blocks each after a warm-up, as many as the verdicts need; seed 7"
    (_, pairs) = plan_lines(settings_of(scenario=[HOMO], runs="4", base_option=["num_ctx=64"]), ())
    assert pairs == "plan: chimera_homo; 4 pairs of blocks (base and candidate) each after a warm-up; seed 7"


def test_the_plan_tells_studies_apart_from_scenarios() -> None:
    """A study alone has no plan of scenarios; both have the seed."""
    alone = plan_lines(settings_of(scenario=["patterns", "controls"]), ())
    assert alone[1:] == ["studies: patterns, controls; 8 blocks each after a warm-up; seed 7"]
    both = plan_lines(settings_of(scenario=["sampling", HOMO], runs="2"), ())
    assert both[1:] == [
        "plan: chimera_homo; 2 blocks each after a warm-up; seed 7",
        "studies: sampling; 2 blocks each after a warm-up; seed 7",
    ]


def test_the_plan_of_a_sweep_has_its_cells_its_order_and_the_seed() -> None:
    """Who wants the same session again needs the seed there too."""
    lines = plan_lines(settings_of(sweep=[f"{HOMO}:num_ctx=512,1024"], runs="3", passes="2"), ())
    assert lines[1].startswith("  sweep: 2 cells, 3 blocks each in 2 passes; 2 reloads a pass")
    assert lines[-1] == "  seed 7"
    assert len(lines) == 3


def test_settings_of_other_layers_are_told_with_their_sources() -> None:
    """Behind the servers, before the plan."""
    source = SettingSource("max-runs", "9", "environment HARNESS_MAX_RUNS", (("20", "settings.toml"),))
    lines = plan_lines(settings_of(scenario=[HOMO], max_runs="9"), (source,))
    assert lines[1] == "max-runs = 9 (environment HARNESS_MAX_RUNS, over 20 from settings.toml)"


def test_the_end_of_a_session_has_the_table_and_what_was_not_finished(opener: Opener) -> None:
    """A scenario that was ended in the middle has its blocks in the journal."""
    opened = measured(opener, scenario=[HOMO])
    opened.perf.blocks["chimera_hetero"] = [build_block(scenario="chimera_hetero")]
    lines = list(closing_lines(opened.perf))
    assert lines[0].split()[:2] == ["scenario", "verdict"]
    assert any(line.startswith(f"{HOMO} ") for line in lines)
    assert lines[-1] == "chimera_hetero: not finished; 1 blocks are in the journal"


def test_the_end_of_a_sweep_is_one_table_of_all_cells(opener: Opener) -> None:
    """In the order of the grid, those that were not measured too."""
    cells = [f"{HOMO}:num_ctx=2048,512"]
    opened = opener(settings_of(sweep=cells, runs="4"))
    asyncio.run(opened.perf.measure(f"{HOMO}@num_ctx=512"))
    lines = list(closing_lines(opened.perf))
    assert not any(line.startswith("scenario  verdict") for line in lines)
    rows = [line.split() for line in lines if line.startswith(HOMO)]
    assert [(row[0], row[1], row[2]) for row in rows] == [(HOMO, "2048", "0"), (HOMO, "512", "4")]
    assert "1 of 2 cells were not measured: --resume goes on" in lines


def test_a_preset_shows_what_was_expected_beside_what_was_measured(opener: Opener) -> None:
    """Never asserted where it was not made; of a scenario that nobody ran nothing is expected."""
    opened = measured(opener, scenario=[HOMO, "chimera_hetero"], preset="production")
    lines = list(closing_lines(opened.perf))
    expected = [line for line in lines if line.startswith("  expected (TR110 test 200")]
    assert len(expected) == 3
    assert all("| measured " in line and "; not asserted: another GPU; another model" in line for line in expected)
    assert "preset production: nothing is expected of chimera_hetero, nobody published runs of it" in lines


def test_what_is_undecided_is_named_with_what_may_help(opener: Opener) -> None:
    """All scenarios in one line, or no line."""
    settings = settings_of(scenario=[HOMO], threshold=["measured_speedup=2.0"], runs="4")
    opened = opener(settings)
    assert undecided_line(opened.perf) is None
    asyncio.run(opened.perf.measure(HOMO))
    line = undecided_line(opened.perf)
    assert line is not None
    assert line.startswith("INCONCLUSIVE: chimera_homo: more blocks (--max-runs, --runs) may decide")
