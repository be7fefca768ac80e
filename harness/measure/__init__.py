"""Plan to records: runs agents against servers and stamps what comes back. Judges nothing."""

from harness.measure.blocks import Stop, failed, measure_block, measure_scenario
from harness.measure.clock import Clock, anchor, monotonic_ns
from harness.measure.coordinator import Coordinator
from harness.measure.plan import AgentPlan, RequestSettings, ScenarioPlan, bind
from harness.measure.requests import measure_request, nonces

__all__ = [
    "AgentPlan",
    "Clock",
    "Coordinator",
    "RequestSettings",
    "ScenarioPlan",
    "Stop",
    "anchor",
    "bind",
    "failed",
    "measure_block",
    "measure_request",
    "measure_scenario",
    "monotonic_ns",
    "nonces",
]
