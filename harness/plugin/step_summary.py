"""The summary of a GitHub Actions step: a session adds its own in Markdown, once, at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.records.errors import HarnessError
from harness.report import JudgedSession, append_file

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
_MOST_BYTES = 1_000_000
"""GitHub takes 1 MiB a step, and nothing at all of more."""


def add_step_summary(judged: JudgedSession, environment: Mapping[str, str]) -> str | None:
    """Adds the session's summary to the file that the environment names, if it names one.

    What earlier commands of the step wrote there stays. A summary that would be too long for GitHub is cut.

    Returns:
        A warning if it cannot be written: the session's verdicts do not depend on it. None if all is well.
    """
    path = environment.get(STEP_SUMMARY)
    if not path:
        return None
    from harness.report.exports.summary_md import summary_md  # noqa: PLC0415 - only where it is wanted

    try:
        append_file(Path(path), shortened(summary_md(judged), _MOST_BYTES))
    except HarnessError as error:
        return f"warning: ${STEP_SUMMARY}: {error}"
    return None


def shortened(text: str, most: int) -> str:
    """The text's whole lines as far as they have at most so many bytes, with a line that says so if any is left out."""
    if len(text.encode()) <= most:
        return text
    whole = text.encode()[:most].decode(errors="ignore").rpartition("\n")[0]
    return f"{whole}\n\n(cut short here: --summary-md writes all of it)\n"
