"""The presets: what each sends, which published figures stand beside it, and on which GPU those were measured."""

from __future__ import annotations

import pytest

from harness.scenarios import SCENARIOS, AgentSpec, RunnerOptions, Scenario
from harness.scenarios.presets import EFFICIENCY_SD, PRESETS, TR110_HARDWARE, with_preset

TUNED = {"top_p": 0.9, "top_k": 40, "repeat_penalty": 1.1}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("maximise_throughput", {"num_gpu": 80, "num_ctx": 2048, "temperature": 1.0}),
        ("maximise_consistency", {"num_ctx": 512}),
        ("minimise_contention", {"num_gpu": 80, "num_ctx": 512}),
        ("memory_constrained", {"num_gpu": 60, "num_ctx": 512, "temperature": 0.8}),
        ("production", {"num_gpu": 80, "num_ctx": 512, "temperature": 0.8, **TUNED}),
    ],
)
def test_each_preset_has_the_guides_options(name: str, options: dict[str, float]) -> None:
    """Option by option; what a strategy does not name is left to the scenario."""
    assert PRESETS[name].name == name
    assert PRESETS[name].options.sent() == options


def test_there_are_exactly_the_five_presets() -> None:
    """The guide's strategies and its tuned configuration."""
    assert set(PRESETS) == {
        "maximise_throughput",
        "maximise_consistency",
        "minimise_contention",
        "memory_constrained",
        "production",
    }


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_preset_changes_every_tuned_agent_and_no_other(name: str, scenario: str) -> None:
    """Its options stand over those of each agent of a group; an agent on Ollama's defaults stays there."""
    before, preset = SCENARIOS[scenario], PRESETS[name]
    after = with_preset(before, preset)
    assert (after.name, after.title) == (before.name, before.title)
    for old, new in zip(before.agents, after.agents, strict=True):
        expected = {**old.options.sent(), **preset.options.sent()} if old.group else {}
        assert new.options.sent() == expected
        assert (new.role, new.workflow, new.group) == (old.role, old.workflow, old.group)


def test_a_preset_reaches_more_than_two_agents() -> None:
    """Nothing assumes two: any group counts."""
    agents = tuple(AgentSpec(f"A{n}", "insight", RunnerOptions(), f"group{n}") for n in range(4))
    changed = with_preset(Scenario("many", "many", agents), PRESETS["minimise_contention"])
    assert [agent.options.num_ctx for agent in changed.agents] == [512] * 4


@pytest.mark.parametrize(
    ("name", "scenario", "efficiency_pct", "speedup", "contention"),
    [
        ("maximise_throughput", "chimera_homo", 99.25, 1.985, 0.0),
        ("maximise_consistency", "chimera_homo", 97.98, 1.960, 0.0),
        ("maximise_consistency", "baseline_vs_chimera", 97.9, 1.959, 0.0),
        ("minimise_contention", "chimera_homo", 99.1, 1.982, 0.0),
        ("minimise_contention", "baseline_vs_chimera", 97.9, 1.959, 0.0),
        ("memory_constrained", "chimera_homo", 98.6, 1.972, 0.0),
        ("memory_constrained", "baseline_vs_chimera", 79.9, 1.598, 0.6),
        ("production", "chimera_homo", 98.3, 1.965, 0.0),
        ("production", "baseline_vs_chimera", 97.9, 1.959, 0.0),
    ],
)
def test_expected_figures_are_the_published_ones(
    name: str, scenario: str, efficiency_pct: float, speedup: float, contention: float
) -> None:
    """Means of the published runs of exactly these options, each with its report."""
    found = {each.metric: each for each in PRESETS[name].expected if each.scenario == scenario}
    sd = found.pop(EFFICIENCY_SD, None)
    assert {metric: each.value for metric, each in found.items()} == {
        "guide_efficiency_pct": efficiency_pct,
        "guide_speedup": speedup,
        "contention_rate": contention,
    }
    assert (sd.value if sd else None) == (
        1.81 if (name, scenario) == ("maximise_consistency", "chimera_homo") else None
    )
    assert all(each.source.startswith(("TR110 test ", "TR115 v2 ")) for each in found.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_efficiency_and_speedup_agree(name: str) -> None:
    """The guide's efficiency is half its speedup: a slip of the pen in one of them would show."""
    preset = PRESETS[name]
    for scenario in {each.scenario for each in preset.expected}:
        found = {each.metric: each.value for each in preset.expected if each.scenario == scenario}
        assert found["guide_efficiency_pct"] == pytest.approx(50 * found["guide_speedup"], abs=0.08)
        assert scenario in SCENARIOS
    assert preset.remarks.keys() <= {each.scenario for each in preset.expected}


@pytest.mark.parametrize(
    ("gpus", "same"),
    [
        (("NVIDIA GeForce RTX 4080 Laptop GPU, 566.36, 12282 MiB",), True),
        (("NVIDIA GeForce RTX 4080, 566.36, 12288 MiB",), True),
        (("NVIDIA GeForce RTX 4080, 566.36, 16376 MiB",), False),
        (("NVIDIA GeForce RTX 4080 SUPER, 566.36, 16376 MiB",), False),
        (("NVIDIA GeForce RTX 40801, 566.36, 12282 MiB",), False),
        (("NVIDIA H100 80GB HBM3, 550.1, 81559 MiB",), False),
        (
            (
                "NVIDIA GeForce RTX 4080 Laptop GPU, 566.36, 12282 MiB",
                "NVIDIA H100 80GB HBM3, 550.1, 81559 MiB",
            ),
            False,
        ),
        (("NVIDIA GeForce GRTX 4080, 566.36, 12282 MiB",), False),
        (("[N/A]",), False),
        ((), False),
    ],
)
def test_the_published_gpu_is_known_by_name_and_memory(gpus: tuple[str, ...], same: bool) -> None:
    """A desktop's RTX 4080 has another memory, and is another GPU; so is one of several."""
    assert TR110_HARDWARE.has_gpus(gpus) is same


def test_the_gpu_is_told_in_words() -> None:
    """Name and memory."""
    assert TR110_HARDWARE.gpu_words == "RTX 4080 12 GB"
