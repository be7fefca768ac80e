"""Frozen observations: what was seen, never what it means. Times are integer nanoseconds of one monotonic clock."""

from harness.records.calibration import Calibration
from harness.records.session import (
    AgentRun,
    BaseSide,
    Block,
    ClockAnchor,
    Environment,
    HostLoad,
    LoopLag,
    ModelMemory,
    Run,
    ServerInfo,
    Session,
)
from harness.records.stream import Chunk, RequestRecord, ServerDurations, TokenEvent

__all__ = [
    "AgentRun",
    "BaseSide",
    "Block",
    "Calibration",
    "Chunk",
    "ClockAnchor",
    "Environment",
    "HostLoad",
    "LoopLag",
    "ModelMemory",
    "RequestRecord",
    "Run",
    "ServerDurations",
    "ServerInfo",
    "Session",
    "TokenEvent",
]
