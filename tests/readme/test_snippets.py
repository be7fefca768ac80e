"""What the README shows of users' own code is what the tests of a foreign project run, to the letter."""

from __future__ import annotations

import pytest

from tests.foreign_project import FOREIGN
from tests.plugin.conftest import FOREIGN_TEST
from tests.readme.text import Fenced, fenced

SHOWN = fenced("python")
RUN = {path.read_text("utf-8") for path in FOREIGN.rglob("*.py")} | {
    f"{part.strip()}\n" for part in FOREIGN_TEST.split("\n\n")
}
"""Files of the foreign project, and the functions of the test module that every session under test has."""


def test_there_are_snippets() -> None:
    """A scenario and a test of it, a kind of server, and the loop."""
    assert len(SHOWN) >= 4


@pytest.mark.parametrize("block", SHOWN, ids=lambda block: block.text.split("\n")[0][:40])
def test_a_snippet_is_run_by_a_test(block: Fenced) -> None:
    """Verbatim."""
    assert block.text in RUN
