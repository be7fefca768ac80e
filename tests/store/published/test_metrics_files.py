"""The public repository's own files: each kind gives the same run as a tidied row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.store.published.metrics_files import rows_of_metrics
from harness.store.published.places import Place
from harness.store.published.rows import PairRow, SoloRow, row_of
from tests.published_rows import OPTIONS, pair_row, python_pair, rust_pair, solo_document, solo_row

PLACE = Place("TR999-made-up", "phase1", "test_001", "python-asyncio", 1)


def _pair(document: object, place: Place = PLACE) -> PairRow:
    (row,) = rows_of_metrics(document, place, "made/up/metrics.json")
    assert isinstance(row, PairRow)
    return row


def test_a_python_pair_is_the_tidied_row() -> None:
    """Its totals, durations and recorded figures; it recorded no efficiency and nothing of the server."""
    assert _pair(python_pair()) == row_of(pair_row(source_commit=""))


def test_a_rust_pair_is_the_tidied_row_with_the_servers_durations() -> None:
    """Milliseconds become seconds, its scenario stands in the file."""
    changes: dict[str, Any] = {"efficiency_pct": 100.0, "source_commit": ""}
    for agent in ("agent1", "agent2"):
        changes |= {f"{agent}_load_s": 0.3, f"{agent}_prompt_eval_s": 0.1, f"{agent}_eval_s": 9.0}
    assert _pair(rust_pair()) == row_of(pair_row(**changes))


def test_a_solo_file_gives_a_row_for_each_of_its_agents() -> None:
    """The baseline and chimera, one after the other."""
    place = replace(PLACE, dataset="TR998-solo", configuration="gpu80_ctx512")
    baseline, chimera = rows_of_metrics(solo_document(), place, "made/up/metrics.json")
    assert baseline == row_of(solo_row())
    assert isinstance(chimera, SoloRow)
    assert chimera.agent.totals().options == {name: value for name, value in OPTIONS.items() if value is not None}


@pytest.mark.parametrize(
    ("first", "second", "scenario"),
    [
        ({}, {"num_gpu": 80}, "baseline_vs_chimera"),
        ({"num_gpu": 80}, {"num_gpu": 80}, "chimera_homo"),
        ({"num_gpu": 80}, {"num_gpu": 100}, "chimera_hetero"),
    ],
)
def test_the_scenario_of_a_python_pair_follows_from_what_was_sent(
    first: dict[str, float], second: dict[str, float], scenario: str
) -> None:
    """Its file does not name it."""
    document = python_pair()
    document["collector"]["configuration"] = first
    document["insight"]["configuration"] = second
    assert _pair(document).scenario == scenario


def test_the_place_counts_the_run_and_the_file_only_where_the_place_does_not() -> None:
    """TR115's programs each counted from 1; the folder around them has the repetition."""
    python = python_pair()
    python["summary"]["run_number"] = 7
    for document in (rust_pair() | {"run_number": 7}, python):
        assert [_pair(document, replace(PLACE, index=index)).run for index in (4, None)] == [4, 7]
