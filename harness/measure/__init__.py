"""Plan to records: runs agents against servers and stamps what comes back. Judges nothing."""

from harness.measure.blocks import Stop, failed, measure_block, measure_scenario
from harness.measure.calibration import CalibrationRun, rounds_for, run_calibration
from harness.measure.clock import Clock, anchor, monotonic_ns
from harness.measure.coordinator import Coordinator
from harness.measure.loop import LagWatch, loop_name, measuring_loops
from harness.measure.plan import AgentPlan, RequestSettings, ScenarioPlan, bind
from harness.measure.requests import measure_request, nonces
from harness.measure.transport import MeasuringTransport, measuring_client

__all__ = [
    "AgentPlan",
    "CalibrationRun",
    "Clock",
    "Coordinator",
    "LagWatch",
    "MeasuringTransport",
    "RequestSettings",
    "ScenarioPlan",
    "Stop",
    "anchor",
    "bind",
    "failed",
    "loop_name",
    "measure_block",
    "measure_request",
    "measure_scenario",
    "measuring_client",
    "measuring_loops",
    "monotonic_ns",
    "nonces",
    "rounds_for",
    "run_calibration",
]
