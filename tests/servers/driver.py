"""GPUs for tests, by a fake driver: as the module in this process, and on the path of the sampler's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.servers import nvml
from tests.servers.fake_nvml import pynvml

GIB = 2**30
FULL: dict[str, Any] = {
    "handle": 0,
    "uuid": "GPU-1",
    "name": "NVIDIA H100 80GB HBM3",
    "total": 80 * GIB,
    "used": 20 * GIB,
    "utilization_pct": 93,
    "sm_clock_mhz": 1755,
    "power_mw": 310_500,
    "energy_mj": 5_000_250,
    "reasons": pynvml.nvmlClocksEventReasonSwPowerCap,
    "compute": [[4242, 18 * GIB]],
    "graphics": [],
}


@dataclass(frozen=True)
class Driver:
    """A fake driver; what it tells can be changed at any time."""

    script: Path

    def tell(self, *gpus: Mapping[str, Any]) -> None:
        """Sets its GPUs; replaces the file at once, so that nobody reads half of it."""
        written = self.script.with_suffix(".new")
        written.write_text(json.dumps({"gpus": gpus}), "utf-8")
        written.replace(self.script)


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, gpus: Sequence[Mapping[str, Any]]) -> Driver:
    """A fake driver with these GPUs, in this process and in those that it starts."""
    driver = Driver(folder / "nvml.json")
    driver.tell(*gpus)
    monkeypatch.setenv("FAKE_NVML", str(driver.script))
    monkeypatch.setenv("PYTHONPATH", str(Path(pynvml.__file__).parent))
    monkeypatch.setattr(nvml, "pynvml", pynvml)
    pynvml.calls.clear()
    return driver


def uninstall(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver at all, in this process."""
    monkeypatch.delenv("FAKE_NVML", raising=False)
    monkeypatch.setattr(nvml, "pynvml", pynvml)
