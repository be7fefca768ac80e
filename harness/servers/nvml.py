"""What NVIDIA's driver tells of the GPUs of this host, thin over NVML; without a GPU there are none, and no error.

Every figure that a GPU, a driver or a container does not tell (not supported, no permission, the GPU is lost) is None
on its own, and the others are told all the same. Process ids are those that the driver knows: in a container they are
the host's, and fit no process there.

Source: NVML API reference, device queries; the package is NVIDIA's own ``nvidia-ml-py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

import pynvml

_T = TypeVar("_T")
_REASONS = {
    "SwPowerCap": "power cap",
    "HwSlowdown": "hardware slowdown",
    "SyncBoost": "sync boost",
    "SwThermalSlowdown": "too hot (driver)",
    "HwThermalSlowdown": "too hot (hardware)",
    "HwPowerBrakeSlowdown": "power brake",
    "ApplicationsClocksSetting": "clocks set by hand",
    "DisplayClockSetting": "display clocks",
}


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process on a GPU.

    Attributes:
        pid: Its id, as the driver knows it.
        memory: Bytes of the GPU's memory that it holds; None if the driver does not tell.
    """

    pid: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU at one instant; None where its driver does not tell.

    Attributes:
        uuid: Its identity; ``GPU`` and its number if it has none.
        name: Its product name.
        total: Bytes of its memory.
        free: Bytes of it that are free.
        used: Bytes of it in use, the driver's own included.
        utilization_pct: Share of the driver's last sampling period (1/6 to 1 s) in which a kernel ran, %.
        sm_clock_mhz: Clock of its multiprocessors, MHz.
        power_w: Power of the whole board, W; since Ampere (but not A100) the mean of the last second.
        energy_j: Energy of the whole board since the driver was loaded, J.
        throttle: Why its clock is lower than it might be, in words; being idle is no reason. Empty if for none, or if
            that is not told.
        processes: Who computes or draws on it; empty if nobody does, or if that is not told.
    """

    uuid: str
    name: str
    total: int | None = None
    free: int | None = None
    used: int | None = None
    utilization_pct: int | None = None
    sm_clock_mhz: int | None = None
    power_w: float | None = None
    energy_j: float | None = None
    throttle: tuple[str, ...] = ()
    processes: tuple[GpuProcess, ...] = ()


def _told(read: Callable[..., _T], *arguments: object) -> _T | None:
    """What NVML answers, or None."""
    try:
        return read(*arguments)
    except (pynvml.NVMLError, UnicodeDecodeError):  # the latter: WSL has answered text that is none
        return None


class Nvml:
    """NVML, kept open: what does not change is asked once."""

    def __init__(self) -> None:
        """Use :func:`open_nvml`."""
        self._gpus: list[tuple[object, str, str]] = []
        for index in range(_told(pynvml.nvmlDeviceGetCount) or 0):
            handle = _told(pynvml.nvmlDeviceGetHandleByIndex, index)
            if handle is not None:
                uuid, name = _told(pynvml.nvmlDeviceGetUUID, handle), _told(pynvml.nvmlDeviceGetName, handle)
                self._gpus.append((handle, uuid or f"GPU {index}", name or "GPU"))

    def gpus(self) -> tuple[Gpu, ...]:
        """Every GPU that could be opened, as it is now. Never fails."""
        return tuple(_read(*each) for each in self._gpus)


def _read(handle: object, uuid: str, name: str) -> Gpu:
    memory = _told(pynvml.nvmlDeviceGetMemoryInfo, handle)
    utilization = _told(pynvml.nvmlDeviceGetUtilizationRates, handle)
    power_mw = _told(pynvml.nvmlDeviceGetPowerUsage, handle)
    energy_mj = _told(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    reasons = _told(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle) or 0
    return Gpu(
        uuid=uuid,
        name=name,
        total=None if memory is None else int(memory.total),
        free=None if memory is None else int(memory.free),
        used=None if memory is None else int(memory.used),
        utilization_pct=None if utilization is None else int(utilization.gpu),
        sm_clock_mhz=_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        power_w=None if power_mw is None else power_mw / 1e3,
        energy_j=None if energy_mj is None else energy_mj / 1e3,
        throttle=tuple(
            words for flag, words in _REASONS.items() if reasons & getattr(pynvml, f"nvmlClocksEventReason{flag}")
        ),
        processes=_processes(handle),
    )


def _processes(handle: object) -> tuple[GpuProcess, ...]:
    """A process that computes and draws is in both of the driver's lists, with the same memory."""
    found: dict[int, int | None] = {}
    for read in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetGraphicsRunningProcesses):
        for each in _told(read, handle) or ():
            if found.get(each.pid) is None:
                found[each.pid] = each.usedGpuMemory
    return tuple(GpuProcess(pid, memory) for pid, memory in found.items())


@contextmanager
def open_nvml() -> Iterator[Nvml | None]:
    """Keeps NVML open; gives None where there is no driver. Opening takes up to seconds if no one else has it open."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield Nvml()
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def read_gpus() -> tuple[Gpu, ...]:
    """The GPUs of this host as they are now; () without NVML. Never fails."""
    with open_nvml() as nvml:
        return nvml.gpus() if nvml is not None else ()
