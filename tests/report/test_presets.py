"""Expected figures beside measured ones, never asserted; and the sources of settings, in words and for programs."""

from __future__ import annotations

import json

import pytest

from harness.report.presets import SettingSource, not_asserted, preset_json, preset_lines, source_lines, sources_json
from harness.scenarios import SCENARIOS
from harness.scenarios.presets import PRESETS, with_preset
from harness.testing import build_block
from tests.report.scenarios import INVALID, blocks, judged

LAPTOP = ("NVIDIA GeForce RTX 4080 Laptop GPU, 566.36, 12282 MiB",)
H100 = ("NVIDIA H100 80GB HBM3, 550.1, 81559 MiB",)
BEST = PRESETS["maximise_throughput"]
SENT = {
    agent.role: {**agent.options.sent(), "num_predict": 128, "seed": 1}
    for agent in with_preset(SCENARIOS["chimera_homo"], BEST).agents
}
TUNED = {"A": 1000.0, "B": 900.0}
UNEVEN = judged(
    [build_block(TUNED, {"A": 1000.0, "B": b}, index=i) for i, b in enumerate((900.0, 950.0, 800.0), start=1)],
    "chimera_homo",
)


def test_each_expected_figure_stands_beside_the_measured_one() -> None:
    """Source, GPU, figure, measured point with interval, and why it is not asserted: in one line each."""
    lines = preset_lines(BEST, UNEVEN, H100)
    efficiency, speedup = (UNEVEN.estimates[name] for name in ("guide_efficiency_pct", "guide_speedup"))
    assert lines[0].startswith("preset maximise_throughput in chimera_homo: ")
    assert lines[1:4] == [
        f"  expected (TR110 test 108, mean of 5 runs, RTX 4080 12 GB): efficiency (guide's) 99.25 % | measured "
        f"{efficiency.point:.1f} % ({efficiency.low:.1f}..{efficiency.high:.1f}); not asserted: another GPU",
        f"  expected (TR110 test 108, mean of 5 runs, RTX 4080 12 GB): speedup (guide's) 1.985x | measured "
        f"{speedup.point:.2f}x ({speedup.low:.2f}..{speedup.high:.2f}); not asserted: another GPU",
        "  expected (TR110 test 108, 0 of 5 runs, RTX 4080 12 GB): contention 0 % | measured 0.0 % (0.0..70.8); "
        "not asserted: another GPU",
    ]
    assert 80 < efficiency.point < 99


def test_what_the_guides_figures_do_not_say_is_said() -> None:
    """The measured efficiency is another figure, and the reports' contention another rule."""
    said = "\n".join(preset_lines(BEST, UNEVEN, H100))
    point = UNEVEN.estimates["measured_efficiency_pct"].point
    assert f"measured efficiency {point:.1f} %: against solo, which the reports did not run" in said
    assert "the reports count speedups below 1.5; measured are symptoms against solo" in said


def test_the_rate_of_contention_is_shown_in_per_cent() -> None:
    """Expected and measured alike, though the figure is a share."""
    slow = judged(blocks(4, slow=3.0), "baseline_vs_chimera")
    lines = preset_lines(PRESETS["memory_constrained"], slow, ())
    assert any("contention 60 % | measured 100.0 % (39.8..100.0); not asserted: no GPU" in line for line in lines)


def test_the_spread_is_the_sample_sd_over_blocks() -> None:
    """Of the guide's efficiency, percentage points; one block has none."""
    preset = PRESETS["maximise_consistency"]
    values = [block.guide_efficiency_pct for block in UNEVEN.blocks]
    mean = sum(values) / 3
    sd = (sum((value - mean) ** 2 for value in values) / 2) ** 0.5
    assert sd > 1
    wanted = "SD of efficiency (guide's) 1.81 pp | measured"
    assert any(f"{wanted} {sd:.2f} pp;" in line for line in preset_lines(preset, UNEVEN, ()))
    single = judged(blocks(1), "chimera_homo")
    assert any(f"{wanted} -;" in line for line in preset_lines(preset, single, ()))


def test_one_block_has_no_interval() -> None:
    """Then the point stands alone."""
    single = judged(blocks(1), "chimera_homo")
    assert any("| measured 100.0 %; not" in line for line in preset_lines(BEST, single, ()))
    figures = preset_json(BEST, single, ())["figures"]
    assert isinstance(figures, list)
    assert (figures[0]["measured"], figures[0]["interval"]) == (pytest.approx(100.0), None)


def test_a_scenario_that_could_not_be_judged_has_a_dash() -> None:
    """What was expected is still shown, and nothing is made up."""
    broken = judged([build_block(index=1, error="the server died")], "chimera_homo")
    lines = preset_lines(BEST, broken, LAPTOP)
    assert sum("| measured -; not asserted" in line for line in lines) == 3
    assert not any("measured efficiency" in line for line in lines)


def test_where_nobody_published_runs_nothing_is_expected() -> None:
    """One line, without a figure."""
    assert preset_lines(BEST, INVALID, LAPTOP) == [
        "preset maximise_throughput: nothing is expected of broken, nobody published runs of it"
    ]
    assert preset_json(BEST, INVALID, LAPTOP)["figures"] == []


def test_published_runs_of_the_same_options_are_remarked_in_their_scenario() -> None:
    """TR110 measured some configurations more than once, and the repeats differ: only there it is said."""
    mixed = judged(blocks(), "baseline_vs_chimera")
    preset = PRESETS["production"]
    assert preset_lines(preset, mixed, ())[-1] == f"  {preset.remarks['baseline_vs_chimera']}"
    assert preset_lines(preset, UNEVEN, ())[-1] == f"  {preset.remarks['chimera_homo']}"
    assert "had the same options" not in "\n".join(preset_lines(BEST, UNEVEN, ()))


@pytest.mark.parametrize(
    ("gpus", "model", "sent", "why"),
    [
        (LAPTOP, "gemma3:latest", SENT, "a figure of other sessions"),
        (LAPTOP, None, None, "a figure of other sessions"),
        (H100, None, None, "another GPU"),
        ((), None, None, "no GPU"),
        (LAPTOP, "embedded", None, "another model"),
        (H100, "embedded", SENT, "another GPU; another model"),
        (
            LAPTOP,
            None,
            {**SENT, "Insight": {**SENT["Insight"], "num_ctx": 512}},
            "other options: Insight num_ctx 512",
        ),
        (
            LAPTOP,
            None,
            {**SENT, "Insight": {name: v for name, v in SENT["Insight"].items() if name != "top_k"}},
            "other options: Insight top_k not sent",
        ),
        (LAPTOP, None, {**SENT, "Insight-2": SENT["Insight"]}, "3 agents"),
    ],
)
def test_whatever_differs_from_the_published_runs_is_named(
    gpus: tuple[str, ...], model: str | None, sent: dict[str, dict[str, float]] | None, why: str
) -> None:
    """GPU, model, options that a flag put over the preset, number of agents; and even the same asserts nothing."""
    assert not_asserted(BEST, "chimera_homo", gpus, model, sent) == why
    lines = preset_lines(BEST, UNEVEN, gpus, model=model, sent=sent)
    assert sum(line.endswith(f"; not asserted: {why}") for line in lines) == 3
    found = preset_json(BEST, UNEVEN, gpus, model=model, sent=sent)
    assert (found["why"], found["asserted"], found["same_gpu"]) == (why, False, gpus == LAPTOP)


def test_a_program_reads_expected_and_measured_figures() -> None:
    """Keys and values, as JSON carries them."""
    found = json.loads(json.dumps(preset_json(BEST, UNEVEN, LAPTOP)))
    assert set(found) == {"name", "made_for", "same_gpu", "asserted", "why", "figures"}
    assert found["name"] == "maximise_throughput"
    assert found["made_for"]["gpu"] == "RTX 4080"
    speedup = UNEVEN.estimates["guide_speedup"]
    assert found["figures"][1] == {
        "metric": "guide_speedup",
        "expected": 1.985,
        "source": "TR110 test 108, mean of 5 runs",
        "measured": speedup.point,
        "interval": [speedup.low, speedup.high],
    }


def preset_source(name: str, value: str) -> SettingSource:
    """A setting that only the preset gives."""
    return SettingSource(name, value, "preset minimise_contention")


def test_each_setting_is_printed_with_its_source_and_what_it_was_put_over() -> None:
    """One line a setting, the shadowed values from the highest layer down."""
    over = (("1024", "settings.toml"), ("512", "preset production"))
    sources = [
        SettingSource("max-runs", "20", "environment HARNESS_MAX_RUNS"),
        SettingSource("chimera-num-ctx", "256", "command line", over),
    ]
    assert source_lines(sources) == [
        "max-runs = 20 (environment HARNESS_MAX_RUNS)",
        "chimera-num-ctx = 256 (command line, over 1024 from settings.toml, over 512 from preset production)",
    ]
    assert json.loads(json.dumps(sources_json(sources)))[1] == {
        "name": "chimera-num-ctx",
        "value": "256",
        "source": "command line",
        "over": [
            {"value": "1024", "source": "settings.toml"},
            {"value": "512", "source": "preset production"},
        ],
    }
    assert source_lines([]) == []


def test_a_presets_values_are_one_line_for_both_groups() -> None:
    """Where a higher layer changed one group's, one line for each."""
    first = [preset_source("chimera-num-gpu", "80"), preset_source("chimera-num-ctx", "512")]
    second = [preset_source("chimera2-num-gpu", "80"), preset_source("chimera2-num-ctx", "512")]
    assert source_lines([*first, *second]) == [
        "chimera and chimera2: num-gpu = 80, num-ctx = 512 (preset minimise_contention)"
    ]
    assert source_lines([*first, second[0]]) == [
        "chimera: num-gpu = 80, num-ctx = 512 (preset minimise_contention)",
        "chimera2: num-gpu = 80 (preset minimise_contention)",
    ]
    assert source_lines(first) == ["chimera: num-gpu = 80, num-ctx = 512 (preset minimise_contention)"]


def test_a_file_may_be_called_as_a_preset_is_printed() -> None:
    """What no preset can give is printed as it is."""
    assert source_lines([SettingSource("seed", "1", "preset x.toml")]) == ["seed = 1 (preset x.toml)"]


def test_a_value_cannot_steer_the_terminal() -> None:
    """The environment and a file may hold anything."""
    assert source_lines([SettingSource("model", "a\x1b[2Jb", "settings.toml")]) == [
        "model = a\\x1b[2Jb (settings.toml)"
    ]
