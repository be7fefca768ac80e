"""What the room gives away by name: all of it, and only when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

from harness import report

HEAVY = ("scipy", "numpy", "httpx", "harness.judge", "harness.measure", "pytest")


def test_every_name_is_what_its_module_holds() -> None:
    """And none is that of a module, which would hide it once somebody has imported that."""
    assert {name for names in report._WHERE.values() for name in names} == set(report.__all__)
    for module, names in report._WHERE.items():
        for name in names:
            assert getattr(report, name) is getattr(import_module(f"harness.report.{module}"), name)
    assert not {module.name for module in iter_modules(report.__path__)} & set(report.__all__)


def test_a_name_that_is_not_there_is_an_error() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        report.nothing  # noqa: B018 - the access is what is tested


def test_the_drawing_process_imports_little() -> None:
    """It is to be small and quick to start: nothing that judges or measures."""
    code = f"import sys, harness.report.live.drawing; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
