"""Records in, estimates and verdicts out. Reads no clock, no file and no network, and draws no random number."""

from harness.judge.contention import Symptom, symptoms
from harness.judge.figures import AgentFigures, ArmFigures, BlockFigures, block_figures, invalid_reasons
from harness.judge.gate import Gate, Verdict, overall
from harness.judge.instrument import calibration_faults, calibration_of
from harness.judge.statistics import Estimate, mean_estimate, share_estimate
from harness.judge.summary import ScenarioSummary, judge_scenario, unmeasured_scenario

__all__ = [
    "AgentFigures",
    "ArmFigures",
    "BlockFigures",
    "Estimate",
    "Gate",
    "ScenarioSummary",
    "Symptom",
    "Verdict",
    "block_figures",
    "calibration_faults",
    "calibration_of",
    "invalid_reasons",
    "judge_scenario",
    "mean_estimate",
    "overall",
    "share_estimate",
    "symptoms",
    "unmeasured_scenario",
]
