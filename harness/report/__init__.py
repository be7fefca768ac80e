"""Pure renderers of a judged session, and one writer."""

from harness.report.summary import SUMMARY_FORMAT, calibration_json, session_summary
from harness.report.terminal import (
    breach_message,
    calibration_line,
    invalid_message,
    printable,
    printable_lines,
    progress_line,
    summary_lines,
)
from harness.report.writer import write_text

__all__ = [
    "SUMMARY_FORMAT",
    "breach_message",
    "calibration_json",
    "calibration_line",
    "invalid_message",
    "printable",
    "printable_lines",
    "progress_line",
    "session_summary",
    "summary_lines",
    "write_text",
]
