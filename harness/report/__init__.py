"""Pure renderers of a judged session, and one writer; ``live`` is what draws while it is measured.

What is asked for is imported when it is asked for: the process that draws the live terminal needs none of it, and
would be eight times as slow to start and four times as large with it. So no name here may be that of a module.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.report.judged import JudgedSession
    from harness.report.outputs import OUTPUTS, write_outputs
    from harness.report.study import study_lines
    from harness.report.summary import SUMMARY_FORMAT, calibration_json, session_summary, summary_text
    from harness.report.terminal import (
        calibration_line,
        judged_lines,
        progress_line,
        study_progress_line,
        summary_lines,
    )
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
    "study_lines",
    "study_progress_line",
    "summary_lines",
    "summary_text",
    "write_file",
    "write_outputs",
]
_WHERE = {
    "judged": {"JudgedSession"},
    "outputs": {"OUTPUTS", "write_outputs"},
    "study": {"study_lines"},
    "summary": {"SUMMARY_FORMAT", "calibration_json", "session_summary", "summary_text"},
    "terminal": {"calibration_line", "judged_lines", "progress_line", "study_progress_line", "summary_lines"},
    "text": {"printable", "printable_lines"},
    "verdicts": {"breach_message", "invalid_message"},
    "writer": {"append_file", "write_file"},
}


def __getattr__(name: str) -> object:
    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
