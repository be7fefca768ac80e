"""From samples to what was used over a run: means and counters between the run's two ends, and peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.measure.host import SHORTEST_S
from harness.records.resources import GpuUse, Resources, ServerUse
from harness.servers.nvml import Gpu
from harness.servers.sampler import Sample

Points = Sequence[tuple[int, float | None]]
"""n readings of one figure in the order of time: instant, ns, and value; None where it was not told."""

_NS = 1e9


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time from the start of a run to its end, ns. Nothing is extrapolated: readings must reach over both ends."""

    started_ns: int
    finished_ns: int

    @property
    def length_s(self) -> float:
        """Its length, s."""
        return (self.finished_ns - self.started_ns) / _NS

    def mean(self, points: Points) -> float | None:
        """Mean of a figure, weighted by time; None if its readings do not reach over both ends.

        Source: the trapezoidal rule; between readings, and so at both ends, the figure is a straight line.
        """
        curve = self._curve(points)
        if curve is None or self.length_s <= 0:
            return None
        return float(np.trapezoid(curve[1], curve[0]) / self.length_s)

    def rise(self, points: Points) -> float | None:
        """By how much a counter rose; None if it fell, or its readings do not reach over both ends."""
        curve = self._curve(points)
        told = [value for _, value in points if value is not None]
        if curve is None or any(after < before for before, after in pairwise(told)):
            return None
        return float(curve[1][-1] - curve[1][0])

    def energy(self, *, power: Points, counter: Points) -> float | None:
        """Energy, J: what the counter (J) rose by, or else the mean of the power (W) times the length."""
        counted = self.rise(counter)
        if counted is not None:
            return counted
        power_w = self.mean(power)
        return None if power_w is None else power_w * self.length_s

    def _curve(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Seconds since the start and values: at the start, at the readings in between, at the end."""
        told = [((at_ns - self.started_ns) / _NS, value) for at_ns, value in points if value is not None]
        if not told or told[0][0] > 0 or told[-1][0] < self.length_s:
            return None
        at, values = np.array(told, dtype=np.float64).T
        inside = at[(at > 0) & (at < self.length_s)]
        seconds = np.concatenate(([0.0], inside, [self.length_s]))
        return seconds, np.interp(seconds, at, values)


def resources_of(samples: Sequence[Sample], urls: Sequence[str], stretch: Stretch) -> Resources:
    """What was used over a run.

    A sample is of the instant at which it was begun. It takes the same time at both ends, so that this shifts what is
    counted by a fraction of a ms, and does not lengthen it.

    Args:
        samples: n >= 1 in the order of time: one just before the run, those during it, one just after it.
        urls: The servers whose trees the samples hold, in their order.
        stretch: The run.
    """
    return Resources(
        samples=len(samples),
        servers=tuple(_server_use(samples, place, url, stretch) for place, url in enumerate(urls)),
        gpus=tuple(_gpu_use(samples, gpu, urls, stretch) for gpu in samples[0].gpus),
    )


def _server_use(samples: Sequence[Sample], place: int, url: str, stretch: Stretch) -> ServerUse:
    trees = [(sample, tree) for sample in samples if (tree := sample.trees[place]) is not None]
    cpu_s = stretch.rise([(sample.at_ns, tree.cpu_s) for sample, tree in trees])
    held = [_held(sample.gpus, tree.pids) for sample, tree in trees]
    return ServerUse(
        url=url,
        cpu_cores=None if cpu_s is None or stretch.length_s < SHORTEST_S else cpu_s / stretch.length_s,
        rss_bytes=max((tree.rss_bytes for _, tree in trees), default=None),
        gpu_memory_bytes=max((each for each in held if each is not None), default=None),
    )


def _held(gpus: Sequence[Gpu], pids: Sequence[int]) -> int | None:
    """GPU memory of these processes, over all GPUs; None if the driver tells of none."""
    told = [
        process.memory
        for gpu in gpus
        for process in gpu.processes
        if process.pid in pids and process.memory is not None
    ]
    return sum(told) if told else None


def _gpu_use(samples: Sequence[Sample], first: Gpu, urls: Sequence[str], stretch: Stretch) -> GpuUse:
    seen = [(sample, gpu) for sample in samples for gpu in sample.gpus if gpu.uuid == first.uuid]
    energy_j = stretch.energy(
        power=[(sample.at_ns, gpu.power_w) for sample, gpu in seen],
        counter=[(sample.at_ns, gpu.energy_j) for sample, gpu in seen],
    )
    on_it = {
        url
        for sample, gpu in seen
        for url, tree in zip(urls, sample.trees, strict=True)
        if tree is not None and any(process.pid in tree.pids for process in gpu.processes)
    }
    return GpuUse(
        uuid=first.uuid,
        name=first.name,
        utilization_pct=stretch.mean([(sample.at_ns, gpu.utilization_pct) for sample, gpu in seen]),
        memory_bytes=max((gpu.used for _, gpu in seen if gpu.used is not None), default=None),
        sm_clock_mhz=stretch.mean([(sample.at_ns, gpu.sm_clock_mhz) for sample, gpu in seen]),
        power_w=None if energy_j is None or stretch.length_s <= 0 else energy_j / stretch.length_s,
        energy_j=energy_j,
        throttle=tuple(dict.fromkeys(reason for _, gpu in seen for reason in gpu.throttle)),
        servers=tuple(url for url in urls if url in on_it),
    )
