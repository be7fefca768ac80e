"""The house keeps its floors: import-linter's contracts, and what they cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PRODUCT = sorted((ROOT / "harness").rglob("*.py"))
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
LIMIT = 300


def test_imports_keep_to_the_contracts() -> None:
    """Doors, tell, do, know: every contract is kept. In a process of its own, because the linter sets up logging."""
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "0 broken" in checked.stdout
    assert "0 kept" not in checked.stdout


def test_no_room_is_a_drawer() -> None:
    """Modules are named by what they hold."""
    drawers = {"utils", "util", "helpers", "common", "base", "manager", "misc"}
    assert not [path for path in PRODUCT if drawers & {path.stem, *path.relative_to(ROOT).parts}]


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_at_once(path: Path) -> None:
    """Below 300 lines, and it says what it holds in its first line."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= LIMIT
    assert not text or ast.get_docstring(ast.parse(text))


def test_every_test_says_its_behaviour() -> None:
    """Each test function has a docstring: one sentence of what holds."""
    silent = [
        f"{path.name}:{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []
