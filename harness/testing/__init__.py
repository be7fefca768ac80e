"""For tests of this package and of its users: builders of records and a fake clock. The product never imports it."""

from harness.testing.builders import (
    build_agent_run,
    build_block,
    build_calibration,
    build_environment,
    build_request,
    build_run,
    build_session,
    build_study_block,
)
from harness.testing.clock import FakeClock
from harness.testing.streams import done_line, stream_lines, text_line
from harness.testing.truth import find_true_request, truth_server

__all__ = [
    "FakeClock",
    "build_agent_run",
    "build_block",
    "build_calibration",
    "build_environment",
    "build_request",
    "build_run",
    "build_session",
    "build_study_block",
    "done_line",
    "find_true_request",
    "stream_lines",
    "text_line",
    "truth_server",
]
