"""The summary of a GitHub Actions step: added to, never overwritten, and never a reason to fail."""

from __future__ import annotations

from pathlib import Path

from harness.plugin.step_summary import STEP_SUMMARY, add_step_summary, shortened
from harness.report.exports.summary_md import summary_md
from tests.report.exports.sessions import GOOD


def test_a_session_adds_its_summary_to_what_earlier_commands_wrote(tmp_path: Path) -> None:
    """The same text as --summary-md writes, behind what was there."""
    path = tmp_path / "summary.md"
    path.write_text("# before\n", "utf-8")
    assert add_step_summary(GOOD, {STEP_SUMMARY: str(path)}) is None
    assert path.read_text("utf-8") == "# before\n\n" + summary_md(GOOD)


def test_without_the_variable_nothing_is_written() -> None:
    """Unset, or empty."""
    assert add_step_summary(GOOD, {}) is None
    assert add_step_summary(GOOD, {STEP_SUMMARY: ""}) is None


def test_a_summary_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """One line that names the variable and the file."""
    warning = add_step_summary(GOOD, {STEP_SUMMARY: str(tmp_path)})
    assert warning is not None
    assert warning.startswith(f"warning: $GITHUB_STEP_SUMMARY: {tmp_path} cannot be written")
    assert "\n" not in warning


def test_a_summary_that_is_too_long_for_github_is_cut_between_lines() -> None:
    """Whole lines, whole characters, and a line that says so; a short one is left alone."""
    text = "größe\n" * 10
    assert shortened(text, 1000) == text
    cut = shortened(text, 30)
    assert cut.startswith("größe\ngröße\ngröße\n")
    assert cut.endswith("\n\n(cut short here: --summary-md writes all of it)\n")
    assert cut.count("größe") == 3
