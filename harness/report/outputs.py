"""The files that a session is told in, the same for ``pytest perf`` and ``harness judge``.

Their options stand in :data:`harness.scenarios.options.OUTPUT_OPTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from harness.records.errors import ConfigurationError, HarnessError
from harness.report.judged import JudgedSession
from harness.report.summary import session_summary, summary_text
from harness.report.writer import write_file

Render = Callable[[JudgedSession], str | bytes]


def _summary(judged: JudgedSession) -> str:
    return summary_text(session_summary(judged))


def _render_of(module: str, name: str) -> Render:
    """A renderer of another module of this room, imported when it is called."""

    def render(judged: JudgedSession) -> str | bytes:
        found: Render = getattr(import_module(f"harness.report.{module}"), name)
        return found(judged)

    return render


OUTPUTS: Mapping[str, Render] = {
    "--summary-json": _summary,
    "--report": _render_of("html", "report_html"),
    "--summary-md": _render_of("exports.summary_md", "summary_md"),
    "--trace-json": _render_of("exports.trace", "trace_json"),
    "--blocks-csv": _render_of("exports.tables", "blocks_csv"),
    "--blocks-parquet": _render_of("exports.tables", "blocks_parquet"),
    "--github-benchmark-json": _render_of("exports.github_benchmark", "github_benchmark_json"),
    "--bencher-json": _render_of("exports.bencher", "bencher_json"),
    "--otlp-json": _render_of("exports.otlp", "otlp_json"),
}
"""What makes each file's content, by its option; what only it needs it imports when it is called."""
OFTEN = ("--summary-json",)
"""Options of files that are written after every scenario, and not only at the end."""


EXTRAS: Mapping[str, tuple[str, str]] = {"--blocks-parquet": ("pyarrow", "parquet")}
"""Files that need a module of an extra, by option: the module, and the extra."""


def checked_outputs(text: Callable[[str], str | None]) -> dict[str, Path]:
    """Where the files that were asked for are to be, by option; what they need is there.

    Args:
        text: Gives the value of an option.

    Raises:
        ConfigurationError: If a module that one needs is not installed.
    """
    found = {flag: Path(path) for flag in OUTPUTS if (path := text(flag))}
    for flag, (module, extra) in EXTRAS.items():
        if flag in found and find_spec(module) is None:
            raise ConfigurationError(
                f'{flag} needs {module}: pip install "ollama-concurrency-harness[{extra}]", or leave it out'
            )
    return found


def write_outputs(judged: JudgedSession, paths: Mapping[str, Path], *, often_only: bool = False) -> None:
    """Writes the files that were asked for; one that cannot be written keeps no other from being so.

    Args:
        judged: The session.
        paths: Where, by option.
        often_only: Leave out those that are only written at the end.

    Raises:
        HarnessError: If any cannot be written, with all that are so.
    """
    failed: list[str] = []
    for flag, render in OUTPUTS.items():
        if flag in paths and (flag in OFTEN or not often_only):
            try:
                write_file(paths[flag], render(judged))
            except HarnessError as error:
                failed.append(str(error))
    if failed:
        raise HarnessError("; ".join(failed))
