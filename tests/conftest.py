"""What all tests share: how hard hypothesis tries (without a deadline: a busy host is not a bug), the truth, and what
a test needs that not every machine has.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
from collections.abc import Sequence

import pytest
from hypothesis import settings

from harness.testing.truth import truth_server

__all__ = ["truth_server"]

collect_ignore = ["foreign"]  # somebody else's project, for the tests that are about one

settings.register_profile("house", max_examples=40, deadline=None)
settings.register_profile("deep", max_examples=10_000, deadline=None)  # --hypothesis-profile=deep
settings.load_profile("house")

# A shell that starts these tests in the background has Ctrl-C ignored, and every process that they interrupt with it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Sessions that tests measure are no part of the summary of the CI job that runs the tests.
os.environ.pop("GITHUB_STEP_SUMMARY", None)

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_LEFT_OUT: pytest.StashKey[str] = pytest.StashKey()


def find_browser() -> str | None:
    """The program of a Chromium on this machine."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def _no_browser() -> str | None:
    """Why tests in a browser cannot run here, and what to do, or None."""
    missing = [name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None]
    if missing:
        return f"no {' and no '.join(missing)}: pip install -e '.[test,browser]'"
    return None if find_browser() else "no Chromium: apt-get install chromium"


def pytest_configure(config: pytest.Config) -> None:
    """Registers the mark of tests that need a browser."""
    config.addinivalue_line(
        "markers", "browser: needs Chromium and the extra `browser`; left out where they are not, an error if asked for"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out, and says so, what needs a browser where there is none; what was asked for must run."""
    marked = [item for item in items if item.get_closest_marker("browser")]
    reason = _no_browser() if marked else None
    if reason is None:
        return
    if re.search(r"(?<!not )\bbrowser\b", str(config.getoption("markexpr", ""))):
        raise pytest.UsageError(f"-m browser: {reason}")
    items[:] = [item for item in items if item not in marked]
    config.hook.pytest_deselected(items=marked)
    config.stash[_LEFT_OUT] = f"{len(marked)} tests marked browser are LEFT OUT: {reason}"


def pytest_report_collectionfinish(config: pytest.Config, items: Sequence[pytest.Item]) -> list[str]:
    """Says what was left out."""
    left_out = config.stash.get(_LEFT_OUT, None)
    return [] if left_out is None else [left_out]
