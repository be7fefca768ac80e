"""What servers and GPUs use while they are drawn: looked at once a second, by the process that draws."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.live.scene import Load, Scene, Watched
from harness.servers.nvml import Nvml
from harness.servers.trees import ProcessTree

_EVERY_NS = 1_000_000_000


class Loads:
    """Looks at the servers' process trees and at the GPUs, at most once a second."""

    def __init__(self, nvml: Nvml | None) -> None:
        """Looks at nothing yet; ``nvml`` tells of the GPUs."""
        self._nvml = nvml
        self._trees: dict[Watched, ProcessTree] = {}
        self._used: dict[Watched, float] = {}
        self._found: tuple[Load, ...] = ()
        self._servers: tuple[Watched, ...] = ()
        self._at_ns = 0

    def now(self, scene: Scene, now_ns: int) -> tuple[Load, ...]:
        """What the scene's servers and the GPUs use, as last looked at."""
        took_ns = now_ns - self._at_ns
        if scene.servers != self._servers or took_ns >= _EVERY_NS:
            self._servers = scene.servers
            gpus = self._nvml.gpus() if self._nvml is not None and scene.gpus else ()
            self._found = (
                *self._told(scene.servers, took_ns / 1e9),
                *(Load(gpu.name, None, gpu.used, gpu.total, gpu.utilization_pct) for gpu in gpus),
            )
            self._at_ns = now_ns
        return self._found

    def _told(self, servers: tuple[Watched, ...], took_s: float) -> Iterator[Load]:
        before, self._used = self._used, {}
        for server in servers:
            use = None if server.pid is None else self._trees.setdefault(server, ProcessTree(server.pid)).use()
            if use is None:
                yield Load(server.url)
                continue
            self._used[server] = use.cpu_s
            cores = max(0.0, use.cpu_s - before[server]) / took_s if server in before else None
            yield Load(server.url, cores, use.rss_bytes)
