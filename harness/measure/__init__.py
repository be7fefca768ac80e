"""Plan to records: runs agents against servers and stamps what comes back. Judges nothing."""

from harness.measure.blocks import Look, Stop, failed, measure_block, measure_scenario
from harness.measure.calibration import CalibrationRun, rounds_for, run_calibration
from harness.measure.clock import Clock, anchor, monotonic_ns
from harness.measure.coordinator import Coordinator
from harness.measure.host import HostWatch, Lookout
from harness.measure.loop import LagWatch, loop_name, measuring_loops
from harness.measure.pairs import measure_pairs, pair_order
from harness.measure.plan import AgentPlan, RequestSettings, ScenarioPlan, bind
from harness.measure.requests import measure_request, nonces
from harness.measure.transport import MeasuringTransport, measuring_client

__all__ = [
    "AgentPlan",
    "CalibrationRun",
    "Clock",
    "Coordinator",
    "HostWatch",
    "LagWatch",
    "Look",
    "Lookout",
    "MeasuringTransport",
    "RequestSettings",
    "ScenarioPlan",
    "Stop",
    "anchor",
    "bind",
    "failed",
    "loop_name",
    "measure_block",
    "measure_pairs",
    "measure_request",
    "measure_scenario",
    "measuring_client",
    "measuring_loops",
    "monotonic_ns",
    "nonces",
    "pair_order",
    "rounds_for",
    "run_calibration",
]
