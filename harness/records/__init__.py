"""Frozen observations: what was seen, never what it means. Times are integer nanoseconds of one monotonic clock."""

from harness.records.session import AgentRun, Block, ClockAnchor, Environment, Run, ServerInfo, Session
from harness.records.stream import Chunk, RequestRecord, ServerDurations, TokenEvent

__all__ = [
    "AgentRun",
    "Block",
    "Chunk",
    "ClockAnchor",
    "Environment",
    "RequestRecord",
    "Run",
    "ServerDurations",
    "ServerInfo",
    "Session",
    "TokenEvent",
]
