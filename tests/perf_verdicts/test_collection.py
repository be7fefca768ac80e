"""The benchmark runs only for those who ask for it."""

from __future__ import annotations

import pytest

from tests.perf_fidelity.test_collection import collected


def test_pytest_perf_leaves_the_benchmark_out() -> None:
    """``pytest perf`` collects the scenarios alone."""
    assert "test_verdicts" not in collected("perf")


@pytest.mark.parametrize("argument", ["perf/verdicts", "perf/verdicts/test_verdicts.py"])
def test_the_benchmark_is_collected_by_its_path(argument: str) -> None:
    """Its folder or its file."""
    assert "test_ten_percent_are_found_on_a_quiet_host" in collected(argument)
