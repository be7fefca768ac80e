"""What the driver tells of the GPUs, by a fake of its library: every figure on its own, and never an exception."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.servers.nvml import Gpu, GpuProcess, open_nvml, read_gpus
from tests.servers.driver import FULL, GIB, install, uninstall
from tests.servers.fake_nvml import pynvml

WHOLE = Gpu(
    uuid="GPU-1",
    name="NVIDIA H100 80GB HBM3",
    total=80 * GIB,
    free=60 * GIB,
    used=20 * GIB,
    utilization_pct=93,
    sm_clock_mhz=1755,
    power_w=310.5,
    energy_j=5000.25,
    throttle=("power cap",),
    processes=(GpuProcess(4242, 18 * GIB),),
)
SECOND = FULL | {"uuid": "GPU-2"}


def test_a_gpu_is_told_in_bytes_watts_and_joules(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NVML's mW and mJ are converted; what is free is what is not used."""
    install(monkeypatch, tmp_path, [FULL])
    assert read_gpus() == (WHOLE,)


def test_every_gpu_is_read_and_the_driver_closed_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the driver's order; one opening, one closing."""
    install(monkeypatch, tmp_path, [FULL, SECOND])
    assert [gpu.uuid for gpu in read_gpus()] == ["GPU-1", "GPU-2"]
    assert pynvml.calls == ["init", "shutdown"]


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no exception."""
    uninstall(monkeypatch)
    assert read_gpus() == ()
    with open_nvml() as nvml:
        assert nvml is None


def test_the_real_library_imports_and_reads_on_any_host() -> None:
    """In a process of its own, with or without a GPU: a tuple."""
    code = "from harness.servers.nvml import read_gpus; print(type(read_gpus()).__name__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout.split() == ["tuple"]


@pytest.mark.parametrize("error", ["NotSupported", "NoPermission", "GpuIsLost"])
@pytest.mark.parametrize(
    ("figure", "untold"),
    [
        ("used", {"total": None, "free": None, "used": None}),
        ("utilization_pct", {"utilization_pct": None}),
        ("sm_clock_mhz", {"sm_clock_mhz": None}),
        ("power_mw", {"power_w": None}),
        ("energy_mj", {"energy_j": None}),
        ("reasons", {"throttle": ()}),
        ("compute", {"processes": ()}),
        ("uuid", {"uuid": "GPU 0"}),
        ("name", {"name": "GPU"}),
    ],
)
def test_a_figure_that_is_not_told_is_none_on_its_own(
    figure: str, untold: Mapping[str, object], error: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the reason; all the others are as before."""
    install(monkeypatch, tmp_path, [FULL | {figure: {"error": error}}])
    (gpu,) = read_gpus()
    seen = {name: getattr(gpu, name) for name in Gpu.__slots__}
    assert seen == {name: getattr(WHOLE, name) for name in Gpu.__slots__} | dict(untold)


def test_a_name_that_is_no_text_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library decodes it, and fails."""
    install(monkeypatch, tmp_path, [FULL | {"name": {"error": "Unicode"}}])
    assert [gpu.name for gpu in read_gpus()] == ["GPU"]


def test_a_gpu_that_cannot_be_opened_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others are told."""
    install(monkeypatch, tmp_path, [FULL | {"handle": {"error": "NoPermission"}}, SECOND])
    assert [gpu.uuid for gpu in read_gpus()] == ["GPU-2"]


def test_a_gpu_that_is_lost_meanwhile_keeps_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All its figures are None from then on; the library is opened once for all readings."""
    driver = install(monkeypatch, tmp_path, [FULL])
    with open_nvml() as nvml:
        assert nvml is not None
        before = nvml.gpus()
        driver.tell({figure: {"error": "GpuIsLost"} for figure in FULL})
        after = nvml.gpus()
    assert (before, after) == ((WHOLE,), (Gpu("GPU-1", WHOLE.name),))
    assert pynvml.calls == ["init", "shutdown"]


def test_an_idle_gpu_is_not_throttled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A low clock for want of work is no reason; several reasons are all told."""
    hot = pynvml.nvmlClocksEventReasonHwThermalSlowdown | pynvml.nvmlClocksEventReasonHwSlowdown
    install(monkeypatch, tmp_path, [FULL | {"reasons": pynvml.nvmlClocksEventReasonGpuIdle}, SECOND | {"reasons": hot}])
    assert [gpu.throttle for gpu in read_gpus()] == [(), ("hardware slowdown", "too hot (hardware)")]


def test_a_process_in_both_of_the_drivers_lists_counts_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its memory is the same in both; where one list does not know it, the other's counts."""
    lists: dict[str, Any] = {
        "compute": [[1, 100], [2, None], [4, 60]],
        "graphics": [[1, 100], [2, 50], [3, None], [4, None]],
    }
    install(monkeypatch, tmp_path, [FULL | lists])
    (gpu,) = read_gpus()
    assert gpu.processes == (GpuProcess(1, 100), GpuProcess(2, 50), GpuProcess(4, 60), GpuProcess(3, None))
