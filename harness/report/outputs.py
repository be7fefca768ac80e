"""The files that a session is told in, the same for ``pytest perf`` and ``harness judge``.

Their options stand in :data:`harness.scenarios.options.OUTPUT_OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness.report.judged import JudgedSession
from harness.report.summary import session_summary, summary_text
from harness.report.writer import write_file

Render = Callable[[JudgedSession], str | bytes]


def _summary(judged: JudgedSession) -> str:
    return summary_text(session_summary(judged))


def _report(judged: JudgedSession) -> str:
    from harness.report.html import report_html  # noqa: PLC0415 - templates and the plotting library

    return report_html(judged)


OUTPUTS: Mapping[str, Render] = {"--summary-json": _summary, "--report": _report}
"""What makes each file's content, by its option; what only it needs it imports when it is called."""
OFTEN = ("--summary-json",)
"""Options of files that are written after every scenario, and not only at the end."""


def write_outputs(judged: JudgedSession, paths: Mapping[str, Path], *, often_only: bool = False) -> None:
    """Writes the files that were asked for.

    Args:
        judged: The session.
        paths: Where, by option.
        often_only: Leave out those that are only written at the end.

    Raises:
        HarnessError: If one cannot be written.
    """
    for flag, render in OUTPUTS.items():
        if flag in paths and (flag in OFTEN or not often_only):
            write_file(paths[flag], render(judged))
