"""What servers and GPUs used, for programs and for the terminal."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.judge.resources import ArmUse, ResourceFigures
from harness.judge.statistics import Estimate
from harness.report.resources import resource_lines, resources_json

MIB = 2**20


def _estimate(point: float, half: float | None = None) -> Estimate:
    if half is None:
        return Estimate(point, None, None, 1, "one value: no interval")
    return Estimate(point, point - half, point + half, 5, "t interval")


BARE = ArmUse("solo:A", _estimate(0.984, 0.02), 312 * MIB, None, None, None, None, None, None)
FULL = ArmUse(
    arm="concurrent",
    cpu_cores=_estimate(1.97),
    rss_bytes=1024 * MIB,
    gpu_memory_bytes=20480 * MIB,
    utilization_pct=_estimate(93.2, 1.0),
    sm_clock_mhz=_estimate(1755.0),
    power_w=_estimate(310.5, 4.0),
    energy_j=_estimate(1234.56, 10.0),
    joules_per_token=_estimate(0.5, 0.01),
    throttle=("power cap", "too hot (driver)"),
)
NO_GPU = ResourceFigures((BARE, replace(BARE, arm="concurrent", cpu_cores=None)), None, None, None)
GPU = ResourceFigures((BARE, FULL), _estimate(0.8, 0.1), _estimate(0.5, 0.1), Estimate(0.625, 0.6, 0.65, 5, "t"))


def test_nothing_is_shown_where_nothing_was_sampled() -> None:
    """No title above nothing; a program reads null."""
    assert resource_lines("pair", None) == []
    assert resources_json(None) is None
    untold = ArmUse("solo:A", *(None,) * 8)
    assert resource_lines("pair", ResourceFigures((untold,), None, None, None)) == []


def test_without_a_gpu_its_columns_are_left_out() -> None:
    """What one arm does not tell is a dash."""
    assert resource_lines("pair", NO_GPU) == [
        "pair: what servers and GPUs used",
        "                CPU cores  memory MiB",
        "  solo:A      0.98 +-0.02         312",
        "  concurrent            -         312",
    ]


def test_with_a_gpu_the_energy_of_a_token_is_told_in_words() -> None:
    """Alone, together, and how that compares; and what held the clocks down."""
    assert resource_lines("pair", GPU) == [
        "pair: what servers and GPUs used",
        "                CPU cores  memory MiB  GPU MiB  GPU busy %  clock MHz  power W       energy J        J/token",
        "  solo:A      0.98 +-0.02         312        -           -          -        -              -              -",
        "  concurrent         1.97        1024    20480      93 +-1       1755  310 +-4  1234.6 +-10.0  0.500 +-0.010",
        "  GPU clocks were held down in concurrent (power cap, too hot (driver))",
        "  energy of a token: alone 0.800 J, together 0.500 J (0.62x, 0.60 to 0.65; whole boards, at idle too)",
    ]


def test_one_block_gives_no_interval() -> None:
    """Neither in the table nor in words."""
    single = replace(GPU, energy_ratio=_estimate(0.5))
    assert resource_lines("pair", single)[-1].endswith("together 0.500 J (0.50x; whole boards, at idle too)")


def test_a_name_cannot_steer_the_terminal() -> None:
    """Arms are named by users' roles."""
    lines = resource_lines("pair", ResourceFigures((replace(FULL, arm="solo:\x1b[2J"),), None, None, None))
    assert all(line.isprintable() for line in lines)


def test_a_program_reads_every_figure_by_its_name() -> None:
    """Points with their intervals; null where nobody told; it is JSON."""
    read = msgspec.json.decode(msgspec.json.encode(resources_json(GPU)))
    assert read["arms"]["solo:A"] == {
        "cpu_cores": {"point": 0.984, "interval": [0.984 - 0.02, 0.984 + 0.02], "n": 5},
        "rss_bytes": 312 * MIB,
        "gpu_memory_bytes": None,
        "utilization_pct": None,
        "sm_clock_mhz": None,
        "power_w": None,
        "energy_j": None,
        "joules_per_token": None,
        "throttle": [],
    }
    assert read["arms"]["concurrent"]["cpu_cores"] == {"point": 1.97, "interval": None, "n": 1}
    assert read["arms"]["concurrent"]["throttle"] == ["power cap", "too hot (driver)"]
    assert read["alone_joules_per_token"]["point"] == 0.8
    assert read["together_joules_per_token"]["point"] == 0.5
    assert read["energy_ratio"] == {"point": 0.625, "interval": [0.6, 0.65], "n": 5}
