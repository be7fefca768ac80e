"""Pure renderers of a judged session, and one writer."""

from harness.report.judged import JudgedSession
from harness.report.outputs import OUTPUTS, write_outputs
from harness.report.study import study_json, study_lines
from harness.report.summary import SUMMARY_FORMAT, calibration_json, session_summary, summary_text
from harness.report.terminal import calibration_line, judged_lines, progress_line, study_progress_line, summary_lines
from harness.report.text import printable, printable_lines
from harness.report.verdicts import breach_message, invalid_message
from harness.report.writer import append_file, write_file

__all__ = [
    "OUTPUTS",
    "SUMMARY_FORMAT",
    "JudgedSession",
    "append_file",
    "breach_message",
    "calibration_json",
    "calibration_line",
    "invalid_message",
    "judged_lines",
    "printable",
    "printable_lines",
    "progress_line",
    "session_summary",
    "study_json",
    "study_lines",
    "study_progress_line",
    "summary_lines",
    "summary_text",
    "write_file",
    "write_outputs",
]
