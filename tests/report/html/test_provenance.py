"""What the figures rest on."""

from __future__ import annotations

from dataclasses import replace

from harness.report.html.provenance import (
    environment_table,
    instrument_table,
    invalid_table,
    option_tables,
    server_table,
    symptom_table,
)
from harness.scenarios import InstrumentLimits
from harness.testing import build_session
from tests.report.html.sessions import blocks, every_verdict, judged, pattern_blocks, terms

SESSION = every_verdict()


def test_every_symptom_and_every_reason_is_told() -> None:
    """By scenario and block."""
    symptoms, invalid = symptom_table(SESSION), invalid_table(SESSION)
    assert symptoms is not None
    assert invalid is not None
    assert ("chimera_homo", "1", "measured efficiency 41 % (limit 80 %)") in symptoms.rows
    assert invalid.rows == (("broken", "1", "the server died"), ("broken", "2", "the server died"))
    broken = invalid_table(judged(build_session(), {}, {"patterns": [replace(pattern_blocks()[1], error="died")]}))
    assert broken is not None
    assert broken.rows == (("patterns", "1", "died"),)


def test_where_nothing_is_odd_there_is_no_table() -> None:
    """Neither of symptoms nor of invalid blocks."""
    calm = judged(build_session(), {"calm": blocks("calm", 1.0, 2)})
    assert symptom_table(calm) is None
    assert invalid_table(calm) is None


def test_the_instrument_stands_beside_its_limits() -> None:
    """And is said to be worse than one where it is."""
    strict = terms(2, instrument=replace(InstrumentLimits(), ttft_ms=0.01))
    found, faults = instrument_table(judged(build_session(), {"s": blocks("s", 1.0, 2)}, by_terms={"s": strict}))
    assert found is not None
    assert ("TTFT error, p99, ms", "0.050", "0.01") in found.rows
    assert len(faults) == 1
    nothing, words = instrument_table(judged(replace(build_session(), calibrations=()), {}))
    assert nothing is None
    assert "--no-calibration" in words[0]


def test_the_environment_is_whole() -> None:
    """Host, versions, settings, seed, servers of both sides, and the options that were sent."""
    rows = {row[0]: row[1] for row in environment_table(SESSION).rows}
    assert (rows["seed"], rows["model"], rows["version of httpx"], rows["setting runs"]) == (
        "7",
        "embedded",
        "0.28.1",
        "5",
    )
    assert [row[1] for row in server_table(SESSION.session).rows] == ["candidate", "candidate", "base", "base"]
    assert option_tables(SESSION.session)[0].rows == (("pair", "A", "512"),)
