"""Agent runs, runs (arms), blocks and sessions: plain data that a journal keeps and a judge reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from harness.records.calibration import Calibration
from harness.records.resources import Resources
from harness.records.stream import RequestRecord

CONCURRENT = "concurrent"
GIVE_UP_AFTER = 2
"""Failed blocks in a row after which a scenario is given up, and INVALID: something is broken, not slow."""
FALLBACK = "fallback"
"""The arm in which agents finish, one at a time, what they could not do together."""
_SOLO = "solo:"
Side = Literal["candidate", "base"]
CANDIDATE: Final = "candidate"
BASE: Final = "base"


def solo_arm(role: str) -> str:
    """Name of the arm in which the agent ``role`` runs alone."""
    return _SOLO + role


@dataclass(frozen=True, slots=True)
class AgentRun:
    """One agent's workflow, once.

    Attributes:
        role: The agent's name, unique in its scenario.
        url: The server it talked to.
        queued_ns: It asked the coordinator to be let in, ns.
        admitted_ns: The coordinator's semaphore let it in, ns.
        finished_ns: Its workflow ended, ns.
        requests: Its requests in order; the last one is the failed one if ``error`` is set.
        error: Why the workflow ended early, or None.
    """

    role: str
    url: str
    queued_ns: int
    admitted_ns: int
    finished_ns: int
    requests: tuple[RequestRecord, ...]
    error: str | None = None

    @property
    def wait_ns(self) -> int:
        """Time spent waiting for the coordinator's semaphore, ns; part of no latency."""
        return self.admitted_ns - self.queued_ns

    @property
    def duration_ns(self) -> int:
        """Time from admission to the end of the workflow, ns."""
        return self.finished_ns - self.admitted_ns


@dataclass(frozen=True, slots=True)
class LoopLag:
    """How late the measuring event loop ran what was due, over one run; its resolution is 1 ms.

    Attributes:
        samples: Instants at which it was looked.
        p99_ns: 99th percentile of the lag, ns.
        max_ns: The longest lag, ns.
    """

    samples: int
    p99_ns: int
    max_ns: int


@dataclass(frozen=True, slots=True)
class HostLoad:
    """How busy the CPUs were that a run's servers may use (this process's, if none of them runs here); means, in cores.

    Attributes:
        cpus: Those CPUs.
        foreign_cores: Kept busy by other processes, or by the hypervisor's other guests; None if the servers'
            share cannot be told from theirs.
        idle_cores: Stood idle.
    """

    cpus: tuple[int, ...]
    foreign_cores: float | None
    idle_cores: float


@dataclass(frozen=True, slots=True)
class ModelMemory:
    """Where a server holds a model, as ``/api/ps`` told after a block; both 0 if it does not hold it any more.

    Attributes:
        url: The server.
        model: The model.
        size: Bytes of it.
        size_vram: Bytes of it in GPU memory.
    """

    url: str
    model: str
    size: int
    size_vram: int


@dataclass(frozen=True, slots=True)
class Run:
    """One arm of a block: an agent alone, all of them together, or one of the arms that a study compares.

    Attributes:
        arm: ``concurrent``, ``solo:`` and the role, or the name of a study's arm.
        started_ns: Just before the agents were started, ns.
        finished_ns: Just after the last of them ended, ns.
        agents: One AgentRun each, in the scenario's order.
        loop_lag: Lag of the measuring event loop meanwhile; None if nobody watched.
        host: How busy the CPUs were meanwhile; None if nobody watched.
        background: Agents that only kept servers busy until the others had ended, one AgentRun each; their last
            request was cut off.
        memory: Where each server held its model right after the run; () if nobody asked.
        resources: What servers and GPUs used meanwhile; None if nobody sampled it.
    """

    arm: str
    started_ns: int
    finished_ns: int
    agents: tuple[AgentRun, ...]
    loop_lag: LoopLag | None = None
    host: HostLoad | None = None
    background: tuple[AgentRun, ...] = ()
    memory: tuple[ModelMemory, ...] = ()
    resources: Resources | None = None

    @property
    def wall_ns(self) -> int:
        """Wall time (makespan) of the arm, ns."""
        return self.finished_ns - self.started_ns


@dataclass(frozen=True, slots=True)
class Block:
    """The unit of every statistic: each agent alone and all together, in shuffled order.

    Attributes:
        scenario: Name of the scenario.
        index: 0 for the warm-up block, then 1, 2, ...
        warmup: True for the block that is kept but never judged.
        order: The arms in the order in which they were run.
        runs: The arms that were run; fewer than ``order`` if the block ended early.
        deadline_s: The time the block was given, s.
        error: Why the block ended early (deadline, interrupt, server), or None.
        side: Whose servers it was measured on: the candidate's, or those of the base it is compared with. A pair is
            one block of each side with the same index.
        memory: Where each agent's server held its model after the block; () if nobody asked.
        gpu_strangers: Foreign processes that were seen on the GPUs after the block.
        fallback: Why the rest of its work was done one agent at a time (in the arm ``fallback``), or None.
    """

    scenario: str
    index: int
    warmup: bool
    order: tuple[str, ...]
    runs: tuple[Run, ...]
    deadline_s: float
    error: str | None = None
    side: Side = CANDIDATE
    memory: tuple[ModelMemory, ...] = ()
    gpu_strangers: tuple[str, ...] = ()
    fallback: str | None = None

    def run(self, arm: str) -> Run | None:
        """The run of an arm, or None if the block ended before it."""
        return next((run for run in self.runs if run.arm == arm), None)


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server as it was found at the start of the session.

    Attributes:
        url: Its base URL.
        kind: ``ollama``, ``embedded`` or ``connect``.
        version: What ``/api/version`` answered.
        model_digest: Digest of the model there.
        size: Bytes of the loaded model.
        size_vram: Bytes of it in GPU memory.
        cpus: CPUs it is pinned to, or None.
    """

    url: str
    kind: str
    version: str
    model_digest: str
    size: int
    size_vram: int
    cpus: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ClockAnchor:
    """One instant on both clocks, so that monotonic stamps can be shown as dates."""

    monotonic_ns: int
    unix_ns: int


@dataclass(frozen=True, slots=True)
class Environment:
    """What the figures depend on besides the code under test."""

    versions: dict[str, str]
    host: str
    platform: str
    cpu: str
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...]
    command_line: tuple[str, ...]
    anchor: ClockAnchor


@dataclass(frozen=True, slots=True)
class BaseSide:
    """The base that a session's candidate was compared with.

    Attributes:
        servers: Its servers, in the agents' order; they may be the candidate's own.
        model: Its model.
        options: Per scenario and role, the Ollama options that were sent with every request.
    """

    servers: tuple[ServerInfo, ...]
    model: str
    options: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that one ``pytest perf`` saw.

    Attributes:
        environment: Host and versions.
        servers: The servers, in the agents' order.
        model: Model name as asked for.
        profile: Which column of the thresholds' table applies.
        seed: Seed of the order of arms and of the models' sampling.
        max_concurrent: Slots of the coordinator's semaphore.
        settings: Options that shaped the measurement, as text.
        options: Per scenario and role, the Ollama options that were sent with every request.
        blocks: All blocks in the order of measuring, the warm-up ones too.
        calibrations: What the instrument was found to be off by at the start, the last one counts; () if nobody
            looked.
        base: What the candidate was compared with in the same session; None if with nothing.
    """

    environment: Environment
    servers: tuple[ServerInfo, ...]
    model: str
    profile: str
    seed: int
    max_concurrent: int
    settings: dict[str, str] = field(default_factory=dict)
    options: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    base: BaseSide | None = None
