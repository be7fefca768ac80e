"""Records in, estimates and verdicts out. Reads no clock, no file and no network, and draws no random number."""

from harness.judge.change import COMPARED, COMPARED_BY_DEFAULT, SELF_NORMALISED, Change
from harness.judge.contention import Symptom, symptoms
from harness.judge.figures import AgentFigures, ArmFigures, BlockFigures, block_figures
from harness.judge.gate import Gate
from harness.judge.instrument import calibration_faults, calibration_of
from harness.judge.session import judge_measured, judge_session, ratios_by_scenario
from harness.judge.statistics import Estimate, log_estimate, mean_estimate, share_estimate
from harness.judge.study import StudySummary, judge_study
from harness.judge.summary import ScenarioSummary, design_of, judge_scenario
from harness.judge.validity import invalid_reasons
from harness.judge.verdict import Verdict, overall

__all__ = [
    "COMPARED",
    "COMPARED_BY_DEFAULT",
    "SELF_NORMALISED",
    "AgentFigures",
    "ArmFigures",
    "BlockFigures",
    "Change",
    "Estimate",
    "Gate",
    "ScenarioSummary",
    "StudySummary",
    "Symptom",
    "Verdict",
    "block_figures",
    "calibration_faults",
    "calibration_of",
    "design_of",
    "invalid_reasons",
    "judge_measured",
    "judge_scenario",
    "judge_session",
    "judge_study",
    "log_estimate",
    "mean_estimate",
    "overall",
    "ratios_by_scenario",
    "share_estimate",
    "symptoms",
]
