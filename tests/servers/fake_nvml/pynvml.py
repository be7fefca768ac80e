"""A driver in place of NVIDIA's, at the boundary of its library: two GPUs, or what the file ``FAKE_NVML`` names says.

The file is JSON, and read anew at every call, so that a test can change it: ``{"gpus": [{FIGURE: VALUE, ...}, ...]}``.
A value is a number, ``{"at_zero": a, "per_s": b}`` for a figure that moves with the clock of all measurements, or
``{"error": "NotSupported"}``; a figure that is missing is not supported. Without the variable there is no driver.
"""
# ruff: noqa: N801, N802, N816, N818, D101, D103 - the names are NVIDIA's, and its documentation says what they mean

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NVML_CLOCK_SM = 1
nvmlClocksEventReasonGpuIdle = 0x1
nvmlClocksEventReasonApplicationsClocksSetting = 0x2
nvmlClocksEventReasonSwPowerCap = 0x4
nvmlClocksEventReasonHwSlowdown = 0x8
nvmlClocksEventReasonSyncBoost = 0x10
nvmlClocksEventReasonSwThermalSlowdown = 0x20
nvmlClocksEventReasonHwThermalSlowdown = 0x40
nvmlClocksEventReasonHwPowerBrakeSlowdown = 0x80
nvmlClocksEventReasonDisplayClockSetting = 0x100

calls: list[str] = []


class NVMLError(Exception):
    pass


class NVMLError_LibraryNotFound(NVMLError):
    pass


class NVMLError_NotSupported(NVMLError):
    pass


class NVMLError_NoPermission(NVMLError):
    pass


class NVMLError_GpuIsLost(NVMLError):
    pass


_ERRORS = {
    each.__name__.removeprefix("NVMLError_"): each
    for each in (NVMLError_NotSupported, NVMLError_NoPermission, NVMLError_GpuIsLost)
}


def _script() -> list[dict[str, Any]]:
    gpus: list[dict[str, Any]] = json.loads(Path(os.environ["FAKE_NVML"]).read_text("utf-8"))["gpus"]
    return gpus


def _figure(handle: int, name: str) -> Any:  # noqa: ANN401 - it is JSON
    value = _script()[handle].get(name, {"error": "NotSupported"})
    if isinstance(value, dict) and "error" in value:
        if value["error"] == "Unicode":
            b"\xff".decode()
        raise _ERRORS[value["error"]]
    if isinstance(value, dict) and "per_s" in value:
        return value["at_zero"] + value["per_s"] * time.perf_counter_ns() / 1e9
    return value


def nvmlInit() -> None:
    if "FAKE_NVML" not in os.environ:
        raise NVMLError_LibraryNotFound
    calls.append("init")


def nvmlShutdown() -> None:
    calls.append("shutdown")


def nvmlDeviceGetCount() -> int:
    return len(_script())


def nvmlDeviceGetHandleByIndex(index: int) -> int:
    _figure(index, "handle")
    return index


def nvmlDeviceGetMemoryInfo(handle: int) -> SimpleNamespace:
    total, used = _figure(handle, "total"), _figure(handle, "used")
    return SimpleNamespace(total=total, used=used, free=total - used)


def nvmlDeviceGetUtilizationRates(handle: int) -> SimpleNamespace:
    return SimpleNamespace(gpu=_figure(handle, "utilization_pct"), memory=0)


def nvmlDeviceGetClockInfo(handle: int, kind: int) -> int:
    assert kind == NVML_CLOCK_SM
    return int(_figure(handle, "sm_clock_mhz"))


def _processes(name: str) -> Callable[[int], list[SimpleNamespace]]:
    def read(handle: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in _figure(handle, name)]

    return read


def _whole(name: str) -> Callable[[int], int]:
    return lambda handle: int(_figure(handle, name))


def _text(name: str) -> Callable[[int], str]:
    return lambda handle: str(_figure(handle, name))


nvmlDeviceGetUUID = _text("uuid")
nvmlDeviceGetName = _text("name")
nvmlDeviceGetPowerUsage = _whole("power_mw")
nvmlDeviceGetTotalEnergyConsumption = _whole("energy_mj")
nvmlDeviceGetCurrentClocksEventReasons = _whole("reasons")
nvmlDeviceGetComputeRunningProcesses = _processes("compute")
nvmlDeviceGetGraphicsRunningProcesses = _processes("graphics")
