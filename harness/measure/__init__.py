"""Plan to records: runs agents against servers and stamps what comes back. Judges nothing."""

from harness.measure.blocks import (
    Fallback,
    Look,
    Stop,
    failed,
    measure_block,
    measure_fallback,
    measure_scenario,
)
from harness.measure.board import Board, Onlooker, Seat
from harness.measure.calibration import CalibrationRun, rounds_for, run_calibration
from harness.measure.clock import Clock, anchor, monotonic_ns
from harness.measure.coordinator import Coordinator
from harness.measure.fallback import Rescuer
from harness.measure.host import HostWatch, Lookout
from harness.measure.loading import Loader
from harness.measure.loop import LagWatch, loop_name, measuring_loops
from harness.measure.pairs import measure_pairs, pair_order
from harness.measure.plan import AgentPlan, ArmPlan, RequestSettings, ScenarioPlan, bind, solo_arms
from harness.measure.requests import measure_request, nonces
from harness.measure.sampling import ResourceWatch
from harness.measure.transport import MeasuringTransport, measuring_client

__all__ = [
    "AgentPlan",
    "ArmPlan",
    "Board",
    "CalibrationRun",
    "Clock",
    "Coordinator",
    "Fallback",
    "HostWatch",
    "LagWatch",
    "Loader",
    "Look",
    "Lookout",
    "MeasuringTransport",
    "Onlooker",
    "RequestSettings",
    "Rescuer",
    "ResourceWatch",
    "ScenarioPlan",
    "Seat",
    "Stop",
    "anchor",
    "bind",
    "failed",
    "loop_name",
    "measure_block",
    "measure_fallback",
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
    "solo_arms",
]
